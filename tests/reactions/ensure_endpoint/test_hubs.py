"""Hubs as a spoke sees them: by hosted zones and Route 53 Profiles, and with the way there."""

from datetime import timedelta

import pytest

from emulator import Cloud
from tests.reactions.account import SERVICE, Account, kinds

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


def test_a_zone_all_of_whose_records_are_the_hubs_covers(cloud, account):
    net = Net(cloud, account)
    net.associate(net.zone(net.entry(), net.endpoint["DnsEntries"][1]["DnsName"]))
    assert net.settle() == []
    assert account.endpoints(net.spoke) == []


@pytest.mark.parametrize("others", [1, 320])
def test_one_record_that_leads_elsewhere_and_the_zone_is_no_hub(cloud, account, others):
    """However many good ones come before it."""
    net = Net(cloud, account)
    zone_id = net.zone(*[net.entry()] * others)
    net.record(zone_id, f"{net.entry()}.evil.example.com", key="z")
    net.associate(zone_id)
    assert net.settle() == ["endpoint-not-repairable"]
    assert "evil.example.com" in cloud.findings[-1]["cause"]


def test_a_zone_that_leads_elsewhere_is_published_within_minutes(cloud, account):
    net = Net(cloud, account)
    zone_id = net.zone(net.entry())
    net.associate(zone_id)
    assert net.settle() == []
    net.record(zone_id, "vpce-0a1b2c3d4e5f60718.evil.example.com", key="z")
    cloud.pass_time(MINUTES)
    assert kinds(cloud)[-1] == "endpoint-not-repairable"
    assert any("alice" in who for who in cloud.findings[-1]["evidence"]["who"])


def test_a_hub_without_a_route_from_the_spoke_covers_nobody(cloud, account):
    net = Net(cloud, account, routed=False)
    net.associate(net.zone(net.entry()))
    assert net.settle() == ["endpoint-not-repairable"]
    assert "has no route to" in cloud.findings[-1]["cause"]


def test_a_hub_whose_group_no_longer_admits_the_spoke_is_published_within_minutes(cloud, account):
    net = Net(cloud, account)
    net.associate(net.zone(net.entry()))
    assert net.settle() == []
    account.ec2.revoke_security_group_ingress(GroupId=net.group, IpPermissions=[net.rule])
    cloud.pass_time(MINUTES)
    (finding,) = (one for one in cloud.findings if one["resource"] == net.spoke)
    assert finding["kind"] == "endpoint-not-repairable"
    assert "10.30.0.0/16" in finding["cause"]


@pytest.mark.parametrize("brings", ["the endpoint", "its zone"])
def test_a_profile_that_serves_the_name_covers(cloud, account, brings):
    net = Net(cloud, account)
    zone_id = net.zone(net.entry()).rpartition("/")[2]
    zone_arn = f"arn:aws:route53:::hostedzone/{zone_id}"
    net.profile(net.arn if brings == "the endpoint" else zone_arn)
    assert net.settle() == []
    assert account.endpoints(net.spoke) == []


def test_a_spoke_whose_profile_is_taken_away_gets_an_endpoint_within_minutes(cloud, account):
    net = Net(cloud, account)
    profile_id = net.profile(net.arn)
    assert net.settle() == []
    account.client("route53profiles").disassociate_profile(
        ProfileId=profile_id, ResourceId=net.spoke
    )
    cloud.pass_time(timedelta(minutes=15))
    assert len(account.endpoints(net.spoke)) == 1


def test_a_profile_that_brings_something_else_covers_nobody(cloud, account):
    net = Net(cloud, account)
    route53 = account.client("route53")
    other = route53.create_hosted_zone(
        Name="corp.example",
        CallerReference="x",
        VPC={"VPCRegion": "us-east-1", "VPCId": net.hub},
        HostedZoneConfig={"PrivateZone": True},
    )["HostedZone"]["Id"]
    net.profile(f"arn:aws:route53:::hostedzone/{other.rpartition('/')[2]}")
    assert "endpoint-created" in net.settle()


def test_without_the_right_to_read_profiles_the_vpc_gets_its_own_endpoint(cloud, account):
    net = Net(cloud, account)
    net.profile(net.arn)
    cloud.fault("route53profiles", "ListProfileAssociations", "AccessDeniedException", times=99)
    assert "endpoint-created" in net.settle()
