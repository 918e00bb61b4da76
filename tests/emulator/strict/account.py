"""An AWS account of a test's own, on moto in this process, reached with plain boto3."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import boto3
import pytest
import time_machine
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "us-east-1"
SERVICE = f"com.amazonaws.{REGION}.secretsmanager"
PRIVATE_NAME = f"secretsmanager.{REGION}.amazonaws.com"
FULL_ACCESS = {"Statement": [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]}


#: One session, so that botocore reads its models once; made after moto, which hooks into it.
_SESSION = boto3.Session()


class Account:
    """Its number is random, so nothing of another test, or of a running cloud, is in it."""

    def __init__(self, clock: time_machine.Traveller) -> None:
        self.id = f"{random.randrange(10**11, 10**12)}"  # noqa: S311
        self._clock = clock
        self.ec2 = self.client("ec2")

    def client(self, service: str) -> Any:
        client = _SESSION.client(
            service,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.meta.events.register("before-sign.*", self._sign)
        return client

    def _sign(self, request: Any, **_: Any) -> None:
        request.headers["x-moto-account-id"] = self.id

    def wait(self, seconds: float) -> None:
        self._clock.shift(timedelta(seconds=seconds))

    def vpc(self, block: str = "10.0.0.0/16", *, hostnames: bool = True) -> str:
        vpc_id = self.ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"]
        if hostnames:
            self.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
        return vpc_id

    def subnet(self, vpc_id: str, zone: str = "a", block: str = "10.0.1.0/24") -> str:
        answer = self.ec2.create_subnet(
            VpcId=vpc_id, CidrBlock=block, AvailabilityZone=f"{REGION}{zone}"
        )
        return answer["Subnet"]["SubnetId"]

    def group(self, vpc_id: str, name: str = "endpoint") -> str:
        answer = self.ec2.create_security_group(
            GroupName=name, Description="for a test", VpcId=vpc_id
        )
        return answer["GroupId"]

    def default_group(self, vpc_id: str) -> str:
        answer = self.ec2.describe_security_groups(
            Filters=[
                {"Name": "vpc-id", "Values": [vpc_id]},
                {"Name": "group-name", "Values": ["default"]},
            ]
        )
        return answer["SecurityGroups"][0]["GroupId"]

    def create(self, vpc_id: str, *subnet_ids: str, **parameters: Any) -> dict[str, Any]:
        """CreateVpcEndpoint for Secrets Manager; the endpoint of the answer."""
        expected = {"ServiceName": SERVICE, "VpcEndpointType": "Interface"} | parameters
        return self.ec2.create_vpc_endpoint(VpcId=vpc_id, SubnetIds=list(subnet_ids), **expected)[
            "VpcEndpoint"
        ]

    def endpoint(self, endpoint_id: str) -> dict[str, Any]:
        return self.ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint_id])["VpcEndpoints"][0]

    def endpoints(self, **parameters: Any) -> list[str]:
        answer = self.ec2.describe_vpc_endpoints(**parameters)
        return [endpoint["VpcEndpointId"] for endpoint in answer["VpcEndpoints"]]

    def interfaces(self, endpoint_id: str) -> list[dict[str, Any]]:
        listed = self.endpoint(endpoint_id)["NetworkInterfaceIds"]
        if not listed:
            return []
        return self.ec2.describe_network_interfaces(NetworkInterfaceIds=listed)["NetworkInterfaces"]

    def policy(self, endpoint_id: str) -> Any:
        return json.loads(self.endpoint(endpoint_id)["PolicyDocument"])


@contextmanager
def refused(code: str, words: str = "") -> Iterator[None]:
    """The block is refused with AWS's code and words."""
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response["Error"]
    assert error["Code"] == code
    assert words in error["Message"]
