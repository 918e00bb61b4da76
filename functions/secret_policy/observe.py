"""What AWS says of a secret, and of what is inside the perimeter; read-only.

DescribeSecret, GetResourcePolicy and ListSecrets in the Secrets Manager API reference.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from guard.approved.lists import ApprovedLists
from guard.endpoint.observe import Observer
from guard.endpoint.opt_out import in_force
from guard.settings import OPT_OUT_TAG, Settings
from secret_policy.exceptions import Exceptions
from secret_policy.perimeter import Bound, Perimeter, Secret

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


def read_secret(
    client: "SecretsManagerClient",
    named: str,
    opt_out_tag: str = OPT_OUT_TAG,
    needed: Callable[[Mapping[str, str]], bool] = lambda _: True,
) -> Secret:
    """The secret of this name or ARN, as it is now. Raises ClientError.

    Its policy is read only where `needed` says so of the tags: Secrets Manager counts the reads and
    writes of all policies of the account against one rate ("Secrets Manager quotas").
    """
    said: Any = client.describe_secret(SecretId=named)
    tags = tags_of(said, opt_out_tag)
    policy = None
    if needed(tags):
        policy = client.get_resource_policy(SecretId=said["ARN"]).get("ResourcePolicy")
    replicas = (one.get("Region", "") for one in said.get("ReplicationStatus", []))
    return Secret(
        arn=said["ARN"],
        name=said["Name"],
        tags=tags,
        policy=policy,
        rotation_function=said.get("RotationLambdaARN", ""),
        owning_service=said.get("OwningService", ""),
        primary_region=said.get("PrimaryRegion", ""),
        replica_regions=tuple(replicas),
    )


def tags_of(said: Mapping[str, Any], opt_out_tag: str) -> dict[str, str]:
    """The tags in an answer of DescribeSecret, or in an entry of ListSecrets, that hold today."""
    tags = {tag["Key"]: tag.get("Value", "") for tag in said.get("Tags", [])}
    return in_force(tags, opt_out_tag, datetime.now(UTC).date())


def read_perimeter(
    observer: Observer, account: str, partition: str, approved: ApprovedLists
) -> Perimeter:
    """What counts as inside: own VPCs and endpoints, and what is approved besides.

    Raises ClientError or BotoCoreError.
    """
    endpoints = observer.attached_policies()
    vpcs, others = approved.vpcs, approved.endpoints
    return Perimeter(
        account=account,
        partition=partition,
        vpc_ids=frozenset(observer.vpc_ids()) | vpcs,
        endpoint_ids=frozenset(endpoints) | others,
        served_vpc_ids=frozenset(one.vpc_id for one in endpoints.values()) | vpcs,
        extra_endpoint_ids=others,
        exceptions=Exceptions(approved.networks, approved.principals, approved.principal_tags),
    )


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads secrets and the perimeter; methods raise ClientError or BotoCoreError.

    Needs secretsmanager:DescribeSecret, secretsmanager:GetResourcePolicy,
    secretsmanager:ListSecrets, ec2:DescribeVpcEndpoints and ec2:DescribeVpcs.
    """

    client: "SecretsManagerClient"
    observer: Observer
    approved: ApprovedLists
    settings: Settings

    def secret(
        self, named: str, needed: Callable[[Mapping[str, str]], bool] = lambda _: True
    ) -> Secret:
        """The secret of this name or ARN, as it is now; see `read_secret`."""
        return read_secret(self.client, named, self.settings.opt_out_tag, needed)

    def perimeter(self) -> Perimeter:
        """What is inside now."""
        own = self.settings
        return read_perimeter(self.observer, own.account_id, own.partition, self.approved)

    def bound_secrets(self, bound: Bound) -> Iterator[str]:
        """The ARNs of all secrets that are bound."""
        only = [] if bound.everything else [{"Key": "tag-key", "Values": [bound.tag]}]
        pages: Any = self.client.get_paginator("list_secrets").paginate(Filters=only)  # type: ignore[arg-type]
        for page in pages:
            for secret in page["SecretList"]:
                if bound.holds(tags_of(secret, self.settings.opt_out_tag)):
                    yield secret["ARN"]
