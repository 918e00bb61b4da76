"""A hub whose endpoint serves another VPC, as tests build it."""

from datetime import timedelta

from emulator import Cloud
from tests.reactions.account import SERVICE, Account

NAME = "secretsmanager.us-east-1.amazonaws.com"
MINUTES = timedelta(minutes=5)


class Net:
    """A hub with an endpoint without private DNS, and a spoke in a range of its own, peered."""

    def __init__(self, cloud: Cloud, account: Account, *, routed: bool = True) -> None:
        self.cloud, self.account, self.ec2 = cloud, account, account.ec2
        self.hub, subnets = account.vpc_with_subnets(tags={"vpce-guard:ignore": "the hub"})
        made = self.ec2.create_security_group(GroupName="h", Description="h", VpcId=self.hub)
        self.group = made["GroupId"]
        self.rule = {
            "IpProtocol": "tcp",
            "FromPort": 443,
            "ToPort": 443,
            "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
        }
        self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[self.rule])
        self._dns(self.hub)
        self.endpoint = self.ec2.create_vpc_endpoint(
            VpcId=self.hub,
            ServiceName=SERVICE,
            VpcEndpointType="Interface",
            SubnetIds=subnets,
            SecurityGroupIds=[self.group],
            PrivateDnsEnabled=False,
        )["VpcEndpoint"]
        self.spoke = account.vpc("10.30.0.0/16")
        self._dns(self.spoke)
        self.peering = self.ec2.create_vpc_peering_connection(VpcId=self.spoke, PeerVpcId=self.hub)[
            "VpcPeeringConnection"
        ]["VpcPeeringConnectionId"]
        self.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=self.peering)
        if routed:
            self._route(self.spoke, "10.20.0.0/16")
            self._route(self.hub, "10.30.0.0/16")

    @property
    def arn(self) -> str:
        place = f"{self.cloud.region}:{self.cloud.account}"
        return f"arn:aws:ec2:{place}:vpc-endpoint/{self.endpoint['VpcEndpointId']}"

    def _dns(self, vpc_id: str) -> None:
        self.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})

    def _route(self, vpc_id: str, cidr: str) -> None:
        filters = [{"Name": "vpc-id", "Values": [vpc_id]}]
        (table,) = self.ec2.describe_route_tables(Filters=filters)["RouteTables"]
        self.ec2.create_route(
            RouteTableId=table["RouteTableId"],
            DestinationCidrBlock=cidr,
            VpcPeeringConnectionId=self.peering,
        )

    def zone(self, *names: str) -> str:
        """A private hosted zone of the name, associated with the hub; one weighted record each."""
        route53 = self.account.client("route53")
        zone_id = route53.create_hosted_zone(
            Name=NAME,
            CallerReference=self.hub,
            VPC={"VPCRegion": "us-east-1", "VPCId": self.hub},
            HostedZoneConfig={"PrivateZone": True},
        )["HostedZone"]["Id"]
        self.record(zone_id, *names)
        return zone_id

    def record(self, zone_id: str, *names: str, key: str = "") -> None:
        changes = [
            {
                "Action": "CREATE",
                "ResourceRecordSet": {
                    "Name": NAME,
                    "Type": "A",
                    "SetIdentifier": f"{key}{number:03d}",
                    "Weight": 1,
                    "AliasTarget": {
                        "DNSName": name,
                        "HostedZoneId": "Z7HUB8P4",
                        "EvaluateTargetHealth": False,
                    },
                },
            }
            for number, name in enumerate(names)
        ]
        self.account.client("route53").change_resource_record_sets(
            HostedZoneId=zone_id, ChangeBatch={"Changes": changes}
        )

    def entry(self) -> str:
        return self.endpoint["DnsEntries"][0]["DnsName"]

    def associate(self, zone_id: str) -> None:
        self.account.client("route53").associate_vpc_with_hosted_zone(
            HostedZoneId=zone_id, VPC={"VPCRegion": "us-east-1", "VPCId": self.spoke}
        )

    def profile(self, arn: str) -> str:
        """A Profile that brings this to the spoke."""
        profiles = self.account.client("route53profiles")
        id_ = profiles.create_profile(Name="dns")["Profile"]["Id"]
        profiles.associate_resource_to_profile(ProfileId=id_, ResourceArn=arn, Name="r")
        profiles.associate_profile(ProfileId=id_, ResourceId=self.spoke, Name="spoke")
        return id_

    def settle(self) -> list[str]:
        """The spoke gets its subnet; what is published then."""
        self.cloud.settle(MINUTES)
        since = len(self.cloud.findings)
        self.account.subnet(self.spoke, "10.30.0.0/24", "us-east-1a")
        self.cloud.settle(timedelta(hours=1))
        return [one["kind"] for one in self.cloud.findings[since:]]
