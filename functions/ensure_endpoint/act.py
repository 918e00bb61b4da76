"""Carry out a plan: the only part of the core that changes a VPC.

Each step is one EC2 call that is harmless to repeat: creating has a token or a unique name, and an
ingress rule that is already there counts as done. The first step that AWS refuses ends the plan; so
does the first that is throttled or fails, and that may pass when it is tried again.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ensure_endpoint.refusals import Refused
from ensure_endpoint.tags import combined
from guard.aws.errors import code_of, refused
from guard.endpoint.answers import RULE_SOURCES
from guard.endpoint.plan import (
    AuthoriseHttps,
    CreateEndpoint,
    CreateGroup,
    EnableDnsAttribute,
    ModifyEndpoint,
    Plan,
    RevokeIngress,
    Step,
)
from guard.endpoint.state import HTTPS, MANAGED_TAG, REASON_TAG, STACK_TAG, Rule, Tags
from guard.findings.text import tag_value

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a plan: the steps done in order, the endpoint and our group, and its end.

    `refused`: AWS refused the next step; `failed`: it was throttled, or AWS failed, or the way
    there. Neither of them: all was done.
    """

    done: tuple[Step, ...]
    endpoint_id: str
    group_id: str = ""
    refused: Refused | None = None
    failed: ClientError | BotoCoreError | None = None


def client_token(step: CreateEndpoint, group_id: str, now: datetime) -> str:
    """The idempotency token (64 ASCII characters at most) of one endpoint that is desired.

    The same for two workers that see the same state, so they make one endpoint. The hour is in it
    because AWS does not say how long it remembers a token, and the guard must be able to make
    again what was deleted. See "Ensuring idempotency" in the EC2 API reference.
    """
    parts = (
        step.vpc_id,
        step.service_name,
        *step.subnet_ids,
        group_id,
        step.policy,
        step.ip_type,
        *step.known_endpoints,
        f"{now:%Y-%m-%dT%H}",
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(slots=True)
class Actor:
    """Applies plans with one EC2 client. What it makes is tagged with `stack_id` and the reason."""

    ec2: "EC2Client"
    stack_id: str
    now: Callable[[], datetime]

    def apply(self, plan: Plan, reason: str, tags: Tags) -> Applied:
        """Do the plan's steps in order, up to the first that AWS refuses or that fails.

        What is created carries the `tags`, beside the guard's own.
        """
        done: list[Step] = []
        endpoint_id, group_id = plan.endpoint_id, ""
        for step in plan.steps:
            try:
                match step:
                    case CreateGroup():
                        group_id = self._create_group(step, self._tags(reason, tags))
                    case CreateEndpoint():
                        group = step.group_id or group_id
                        endpoint_id = self._create(step, group, self._tags(reason, tags))
                    case _:
                        self._change(step, group_id)
            except ClientError as error:
                if refused(error):
                    refusal = Refused.of(step, error)
                    return Applied(tuple(done), endpoint_id, group_id, refused=refusal)
                return Applied(tuple(done), endpoint_id, group_id, failed=error)
            except BotoCoreError as error:
                return Applied(tuple(done), endpoint_id, group_id, failed=error)
            done.append(step)
        return Applied(tuple(done), endpoint_id, group_id)

    def _change(
        self,
        step: EnableDnsAttribute | AuthoriseHttps | RevokeIngress | ModifyEndpoint,
        made_group: str,
    ) -> None:
        match step:
            case EnableDnsAttribute():
                self._enable(step)
            case AuthoriseHttps():
                self._authorise(step, step.group_id or made_group)
            case RevokeIngress():
                self._revoke(step)
            case ModifyEndpoint():
                self._modify(step, step.group_id or made_group)

    def _enable(self, step: EnableDnsAttribute) -> None:
        on: Any = {"Value": True}
        if step.attribute == "enableDnsSupport":
            self.ec2.modify_vpc_attribute(VpcId=step.vpc_id, EnableDnsSupport=on)
        else:
            self.ec2.modify_vpc_attribute(VpcId=step.vpc_id, EnableDnsHostnames=on)

    def _create_group(self, step: CreateGroup, tags: list[Any]) -> str:
        try:
            return self.ec2.create_security_group(
                GroupName=step.name,
                Description="HTTPS from the VPC to its Secrets Manager endpoint (VPCE Guard)",
                VpcId=step.vpc_id,
                TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
            )["GroupId"]
        except ClientError as error:
            if code_of(error) != "InvalidGroup.Duplicate":
                raise
            # Another worker, or an earlier try whose answer was lost, made it: names are unique.
            # A group of that name without our tags is somebody else's, and stays untouched.
            found = self.ec2.describe_security_groups(
                Filters=[
                    {"Name": "vpc-id", "Values": [step.vpc_id]},
                    {"Name": "group-name", "Values": [step.name]},
                    {"Name": f"tag:{STACK_TAG}", "Values": [self.stack_id]},
                ]
            )["SecurityGroups"]
            if not found:
                raise
            return found[0].get("GroupId", "")

    def _authorise(self, step: AuthoriseHttps, group_id: str) -> None:
        for cidr in step.networks:
            v6 = ":" in cidr
            source: Any = {"CidrIpv6": cidr} if v6 else {"CidrIp": cidr}
            source["Description"] = "addresses of this VPC"
            permission: Any = {
                "IpProtocol": "tcp",
                "FromPort": HTTPS,
                "ToPort": HTTPS,
                "Ipv6Ranges" if v6 else "IpRanges": [source],
            }
            try:
                self.ec2.authorize_security_group_ingress(
                    GroupId=group_id, IpPermissions=[permission]
                )
            except ClientError as error:
                if code_of(error) != "InvalidPermission.Duplicate":
                    raise

    def _revoke(self, step: RevokeIngress) -> None:
        for rule in step.rules:
            try:
                self.ec2.revoke_security_group_ingress(
                    GroupId=step.group_id, IpPermissions=[_permission(rule)]
                )
            except ClientError as error:
                if code_of(error) != "InvalidPermission.NotFound":
                    raise

    def _create(self, step: CreateEndpoint, group_id: str, tags: list[Any]) -> str:
        answer = self.ec2.create_vpc_endpoint(
            VpcEndpointType="Interface",
            VpcId=step.vpc_id,
            ServiceName=step.service_name,
            SubnetIds=list(step.subnet_ids),
            SecurityGroupIds=[group_id],
            PrivateDnsEnabled=True,
            **_ip_type(step.ip_type),
            PolicyDocument=step.policy,
            ClientToken=client_token(step, group_id, self.now()),
            TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": tags}],
        )
        endpoint: Any = answer["VpcEndpoint"]
        return endpoint["VpcEndpointId"]

    def _modify(self, step: ModifyEndpoint, group_id: str) -> None:
        changes: dict[str, Any] = {}
        if step.add_subnet_ids:
            changes["AddSubnetIds"] = list(step.add_subnet_ids)
        if step.add_group:
            changes["AddSecurityGroupIds"] = [group_id]
        if step.enable_private_dns:
            changes["PrivateDnsEnabled"] = True
        if step.ip_type:
            changes |= _ip_type(step.ip_type)
        self.ec2.modify_vpc_endpoint(VpcEndpointId=step.endpoint_id, **changes)

    def _tags(self, reason: str, given: Tags) -> list[Any]:
        own = {MANAGED_TAG: "true", STACK_TAG: self.stack_id, REASON_TAG: tag_value(reason)}
        return [{"Key": key, "Value": value} for key, value in combined(own, given).items()]


def _permission(rule: Rule) -> Any:
    """The rule as EC2 spells it. All traffic has no ports."""
    shapes = {"pl-": "PrefixListIds", "sg-": "UserIdGroupPairs"}
    key = shapes.get(rule.source[:3], "Ipv6Ranges" if ":" in rule.source else "IpRanges")
    source = {RULE_SOURCES[key]: rule.source, **({"UserId": rule.owner} if rule.owner else {})}
    ports = {"FromPort": rule.from_port, "ToPort": rule.to_port}
    return {"IpProtocol": rule.protocol, key: [source], **(ports if rule.protocol != "-1" else {})}


def _ip_type(name: str) -> Any:
    """The addresses of the interfaces, and of the names: AWS lets the two differ."""
    return {"IpAddressType": name, "DnsOptions": {"DnsRecordIpType": name}}
