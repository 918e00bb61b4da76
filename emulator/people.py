"""What people do in the emulated account, in plain boto3, and what they then see of it."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from botocore.config import Config

from emulator.cloud import REGION, Cloud
from emulator.trails import BUCKET

SERVICE = f"com.amazonaws.{REGION}.secretsmanager"
ALLOW_ALL = {
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
}
FUNCTION_ROLE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


@dataclass(slots=True)
class Account:
    """A person with rights in the account of `cloud`, and their view of its state."""

    cloud: Cloud
    name: str = "alice"

    def client(self, service: str) -> Any:
        return self.cloud.session(self.name).client(service)

    @property
    def ec2(self) -> Any:
        return self.client("ec2")

    def vpc(self, cidr: str = "10.20.0.0/16", tags: dict[str, str] | None = None) -> str:
        specification = (
            [
                {
                    "ResourceType": "vpc",
                    "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
                }
            ]
            if tags
            else []
        )
        made = self.ec2.create_vpc(CidrBlock=cidr, TagSpecifications=specification)
        return made["Vpc"]["VpcId"]

    def subnet(self, vpc_id: str, cidr: str, zone: str) -> str:
        made = self.ec2.create_subnet(VpcId=vpc_id, CidrBlock=cidr, AvailabilityZone=zone)
        return made["Subnet"]["SubnetId"]

    def vpc_with_subnets(
        self,
        zones: Sequence[str] = ("us-east-1a", "us-east-1b"),
        tags: dict[str, str] | None = None,
    ) -> tuple[str, list[str]]:
        vpc_id = self.vpc(tags=tags)
        subnets = [
            self.subnet(vpc_id, f"10.20.{number}.0/24", zone) for number, zone in enumerate(zones)
        ]
        return vpc_id, subnets

    def endpoints(self, vpc_id: str) -> list[dict[str, Any]]:
        """The VPC's endpoints for the service that are not on their way out."""
        found = self.ec2.describe_vpc_endpoints(
            Filters=[
                {"Name": "vpc-id", "Values": [vpc_id]},
                {"Name": "service-name", "Values": [self.cloud.service_name]},
            ]
        )["VpcEndpoints"]
        return [one for one in found if one["State"] not in ("deleting", "deleted")]

    def policy(self, endpoint_id: str) -> dict[str, Any]:
        found = self.ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint_id])["VpcEndpoints"]
        return json.loads(found[0]["PolicyDocument"])

    def dns_attributes(self, vpc_id: str) -> tuple[bool, bool]:
        return tuple(
            self.ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=name)[key]["Value"]
            for name, key in (
                ("enableDnsSupport", "EnableDnsSupport"),
                ("enableDnsHostnames", "EnableDnsHostnames"),
            )
        )

    def admitted_to_https(self, group_ids: Sequence[str]) -> set[str]:
        groups = self.ec2.describe_security_groups(GroupIds=list(group_ids))["SecurityGroups"]
        return {
            source["CidrIp"]
            for group in groups
            for rule in group["IpPermissions"]
            if rule["IpProtocol"] == "tcp" and rule["FromPort"] <= 443 <= rule["ToPort"]
            for source in rule["IpRanges"]
        }

    def function(self, name: str, subnet_ids: Sequence[str] = ()) -> str:
        """A Lambda function of a user, in a VPC or outside; returns its ARN."""
        iam = self.client("iam")
        role = iam.create_role(
            RoleName=f"{name[:27]}-{uuid4()}",  # IAM takes 64 characters
            AssumeRolePolicyDocument=json.dumps(FUNCTION_ROLE),
        )["Role"]["Arn"]
        group_ids: list[str] = []
        if subnet_ids:
            subnet = self.ec2.describe_subnets(SubnetIds=[subnet_ids[0]])["Subnets"][0]
            groups = self.ec2.describe_security_groups(
                Filters=[{"Name": "vpc-id", "Values": [subnet["VpcId"]]}]
            )["SecurityGroups"]
            group_ids = [groups[0]["GroupId"]]
        return self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role,
            Handler="index.handler",
            Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
            VpcConfig={"SubnetIds": list(subnet_ids), "SecurityGroupIds": group_ids},
        )["FunctionArn"]

    def secret(self, name: str) -> str:
        return self.client("secretsmanager").create_secret(Name=name, SecretString="hunter2")["ARN"]

    def bound_secret(self, name: str) -> str:
        """A secret that is bound to the perimeter by its tag; returns its ARN."""
        return self.client("secretsmanager").create_secret(
            Name=name, SecretString="hunter2", Tags=[{"Key": "vpce-guard:perimeter", "Value": ""}]
        )["ARN"]

    def secret_policy(self, secret: str) -> dict[str, Any] | None:
        """The secret's resource policy; None where it has none."""
        said = self.client("secretsmanager").get_resource_policy(SecretId=secret)
        return json.loads(said["ResourcePolicy"]) if said.get("ResourcePolicy") else None

    def log_file(
        self,
        *records: Mapping[str, Any],
        folder: str = "AWSLogs",
        packed: bytes | None = None,
    ) -> str:
        """Put a log file of the trail with these records, or `packed`, where CloudTrail would just
        now; returns its key.
        """
        cloud, now = self.cloud, self.cloud.clock.now()
        of_network = any(one.get("eventCategory") == "NetworkActivity" for one in records)
        kind = "CloudTrail-NetworkActivity" if of_network else "CloudTrail"
        path = f"{folder}/{cloud.account}/{kind}/{cloud.region}/{now:%Y/%m/%d}"
        name = f"{cloud.account}_{kind}_{cloud.region}_{now:%Y%m%dT%H%M}Z_{now:%f}.json.gz"
        body = gzip.compress(json.dumps({"Records": records}).encode())
        # A checksum would put the body into chunks, which the emulator does not take apart.
        plain = Config(request_checksum_calculation="when_required")
        s3 = cloud.session(self.name).client("s3", config=plain)
        s3.put_object(Bucket=BUCKET, Key=f"{path}/{name}", Body=packed or body)
        return f"{path}/{name}"
