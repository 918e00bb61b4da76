"""What the story is played on: the emulated account, its people, and what can be seen of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator import Caller, Cloud
from emulator.people import FUNCTION_ROLE
from guardctl.history import Book
from guardctl.stack import Stack

EMPTY_ZIP = b"PK\x05\x06" + bytes(18)


@dataclass(slots=True)
class Stage:
    """The account under the guard. `props` are the ids that one chapter leaves for later ones.
    `layer` is the folder of what is approved, where the drill has one of its own to change.
    """

    cloud: Cloud
    layer: Path | None = None
    props: dict[str, Any] = field(default_factory=dict[str, Any])

    def client(self, service: str, who: str, caller: Caller | None = None) -> Any:
        """A plain boto3 client of somebody in the account."""
        session: Any = self.cloud.session(who, caller)  # boto3's types want a literal service name
        return session.client(service)

    def book(self, who: str) -> Book:
        """What `guardctl history` and `rollback` work with, in somebody's hands."""
        deployment = self.cloud.deployment
        return Book(
            Stack(
                name=deployment.stack_id.split("/")[1],
                id=deployment.stack_id,
                session=self.cloud.session(who),
                outputs=self.cloud.outputs,
                parameters=deployment.parameters,
            )
        )

    def see(self) -> Any:
        """EC2 as the audience sees it."""
        return self.client("ec2", "audience")

    @property
    def zones_in_reach(self) -> list[str]:
        """The AZs of the Region that the endpoint service reaches."""
        found = self.see().describe_vpc_endpoint_services(ServiceNames=[self.cloud.service_name])
        return sorted(found["ServiceDetails"][0]["AvailabilityZones"])

    @property
    def zones_out_of_reach(self) -> list[str]:
        found = self.see().describe_availability_zones()["AvailabilityZones"]
        return sorted({one["ZoneName"] for one in found} - set(self.zones_in_reach))

    def endpoints(self, vpc_id: str) -> list[dict[str, Any]]:
        """The VPC's Secrets Manager endpoints that are not on their way out."""
        filters = [
            {"Name": "vpc-id", "Values": [vpc_id]},
            {"Name": "service-name", "Values": [self.cloud.service_name]},
        ]
        found = self.see().describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
        return [one for one in found if one["State"] not in ("deleting", "deleted")]

    def policy(self, endpoint_id: str) -> Any:
        found = self.see().describe_vpc_endpoints(VpcEndpointIds=[endpoint_id])["VpcEndpoints"]
        return json.loads(found[0]["PolicyDocument"])

    def zones(self, subnet_ids: Sequence[str]) -> set[str]:
        subnets = self.see().describe_subnets(SubnetIds=list(subnet_ids))["Subnets"]
        return {one["AvailabilityZone"] for one in subnets}

    def hostnames(self, vpc_id: str) -> bool:
        answer = self.see().describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsHostnames")
        return answer["EnableDnsHostnames"]["Value"]

    def admitted(self, endpoint: dict[str, Any]) -> set[str]:
        """The networks that the endpoint's security groups admit to port 443."""
        ids = [group["GroupId"] for group in endpoint["Groups"]]
        groups = self.see().describe_security_groups(GroupIds=ids)["SecurityGroups"]
        return {
            source["CidrIp"]
            for group in groups
            for rule in group["IpPermissions"]
            if rule["IpProtocol"] == "tcp" and rule["FromPort"] <= 443 <= rule["ToPort"]
            for source in rule["IpRanges"]
        }

    def make_vpc(self, who: str, cidr: str, zones: Sequence[str]) -> tuple[str, list[str]]:
        """A VPC with one subnet in each AZ; returns their ids."""
        ec2 = self.client("ec2", who)
        vpc_id = ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
        return vpc_id, [self.make_subnet(who, vpc_id, zone, n) for n, zone in enumerate(zones)]

    def make_subnet(self, who: str, vpc_id: str, zone: str, number: int) -> str:
        ec2 = self.client("ec2", who)
        network = ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]["CidrBlock"].split(".")
        cidr = f"{network[0]}.{network[1]}.{number}.0/24"
        made = ec2.create_subnet(VpcId=vpc_id, CidrBlock=cidr, AvailabilityZone=zone)
        return made["Subnet"]["SubnetId"]

    def make_function(self, who: str, name: str, subnet_ids: Sequence[str]) -> str:
        """A user's Lambda function in a VPC; returns its ARN."""
        role = self.client("iam", who).create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps(FUNCTION_ROLE)
        )
        ec2 = self.client("ec2", who)
        vpc_id = ec2.describe_subnets(SubnetIds=list(subnet_ids))["Subnets"][0]["VpcId"]
        groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
        return self.client("lambda", who).create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role["Role"]["Arn"],
            Handler="rotate.handler",
            Code={"ZipFile": EMPTY_ZIP},
            VpcConfig={
                "SubnetIds": list(subnet_ids),
                "SecurityGroupIds": [groups["SecurityGroups"][0]["GroupId"]],
            },
        )["FunctionArn"]
