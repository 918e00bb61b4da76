"""Where a run works: the deployed stack, the run's own name and tag, and AWS as it is seen."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from guard.partitions import endpoint_service
from guardctl.acceptance.polling import Polling
from guardctl.stack import Stack

TAG = "vpce-guard-acceptance"
"""Key of the tag on all that a run makes, with the run's id as value. Names begin with it, too."""

RUN = re.compile(r"\d{8}t\d{6}-[0-9a-f]{6}", re.ASCII)
"""The shape of a run's id."""

NETWORK = "10.255.254.0/24"
"""Address range of a run's VPCs. They are joined to nothing, so it can be used twice."""

GONE = ("deleting", "deleted")


@dataclass(slots=True)
class Stage:
    """One run in one account. `props` are the ids that one chapter leaves for later ones."""

    stack: Stack
    run: str
    caller: str
    polling: Polling
    patience: float = 20
    more_tags: Mapping[str, str] = field(default_factory=dict[str, str])
    props: dict[str, Any] = field(default_factory=dict[str, Any])
    _clients: dict[str, Any] = field(default_factory=dict[str, Any])

    def client(self, service: str) -> Any:
        """A plain boto3 client in the stack's Region, with the operator's credentials."""
        if service not in self._clients:
            self._clients[service] = self.stack.client(service)
        return self._clients[service]

    @property
    def name(self) -> str:
        """Of everything of this run that has a name."""
        return f"{TAG}-{self.run}"

    @property
    def iam_path(self) -> str:
        """Of the roles: IAM is global, and other Regions have runs of their own."""
        return f"/{TAG}/{self.stack.region}/"

    @property
    def partition(self) -> str:
        return self.stack.id.split(":")[1]

    @property
    def service(self) -> str:
        """The endpoint service that is guarded."""
        return endpoint_service(self.stack.region)

    @property
    def grace(self) -> float:
        """Minutes that the guard leaves to those who build a VPC. Raises StackError."""
        return float(self.stack.parameter("GraceMinutes"))

    @property
    def tag_map(self) -> dict[str, str]:
        """The run's tags, and those that the account demands."""
        return {**self.more_tags, TAG: self.run, "Name": self.name}

    def tags(self, more: Mapping[str, str] | None = None) -> list[dict[str, str]]:
        """The same with more of them, as most services take them."""
        pairs = self.tag_map | dict(more or {})
        return [{"Key": key, "Value": value} for key, value in pairs.items()]

    # --- what is seen -----------------------------------------------------------------------------

    def endpoints(self, vpc_id: str) -> list[dict[str, Any]]:
        """The VPC's Secrets Manager endpoints that are not on their way out."""
        filters = [
            {"Name": "vpc-id", "Values": [vpc_id]},
            {"Name": "service-name", "Values": [self.service]},
        ]
        found = self.client("ec2").describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
        return [one for one in found if one["State"].lower() not in GONE]

    def policy(self, endpoint_id: str) -> Any:
        """The endpoint's policy document. Raises ClientError where there is no endpoint."""
        ec2 = self.client("ec2")
        found = ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint_id])["VpcEndpoints"]
        return json.loads(found[0]["PolicyDocument"]) if found else {}

    def zones(self, subnet_ids: Sequence[str]) -> list[str]:
        subnets = self.client("ec2").describe_subnets(SubnetIds=list(subnet_ids))["Subnets"]
        return sorted(one["AvailabilityZone"] for one in subnets)

    def hostnames(self, vpc_id: str) -> bool:
        answer = self.client("ec2").describe_vpc_attribute(
            VpcId=vpc_id, Attribute="enableDnsHostnames"
        )
        return answer["EnableDnsHostnames"]["Value"]

    def admitted(self, endpoint: Mapping[str, Any]) -> list[str]:
        """The networks that the endpoint's security groups admit to port 443."""
        ids = [group["GroupId"] for group in endpoint["Groups"]]
        groups = self.client("ec2").describe_security_groups(GroupIds=ids)["SecurityGroups"]
        return sorted(
            source["CidrIp"]
            for group in groups
            for rule in group["IpPermissions"]
            if rule["IpProtocol"] == "tcp" and rule["FromPort"] <= 443 <= rule["ToPort"]
            for source in rule["IpRanges"]
        )
