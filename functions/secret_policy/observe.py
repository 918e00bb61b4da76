"""What AWS says of a secret, and of what is inside the perimeter; read-only.

DescribeSecret and GetResourcePolicy in the Secrets Manager API reference.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from guard.endpoint.observe import Observer
from secret_policy.perimeter import Perimeter, Secret

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


def read_secret(client: "SecretsManagerClient", named: str) -> Secret:
    """The secret of this name or ARN, and its policy, as they are now. Raises ClientError."""
    said: Any = client.describe_secret(SecretId=named)
    policy = client.get_resource_policy(SecretId=said["ARN"]).get("ResourcePolicy")
    replicas = (one.get("Region", "") for one in said.get("ReplicationStatus", []))
    return Secret(
        arn=said["ARN"],
        name=said["Name"],
        tags=tags_of(said),
        policy=policy,
        rotation_function=said.get("RotationLambdaARN", ""),
        owning_service=said.get("OwningService", ""),
        primary_region=said.get("PrimaryRegion", ""),
        replica_regions=tuple(replicas),
    )


def tags_of(said: Mapping[str, Any]) -> dict[str, str]:
    """The tags in an answer of DescribeSecret, or in an entry of ListSecrets."""
    return {tag["Key"]: tag.get("Value", "") for tag in said.get("Tags", [])}


def read_perimeter(
    observer: Observer,
    account: str,
    partition: str,
    approved_vpcs: Collection[str],
    approved_endpoints: Collection[str],
) -> Perimeter:
    """What counts as inside: own VPCs and endpoints, and the approved ones of others.

    Raises ClientError or BotoCoreError.
    """
    endpoints = observer.attached_policies()
    vpcs, others = frozenset(approved_vpcs), frozenset(approved_endpoints)
    return Perimeter(
        account=account,
        partition=partition,
        vpc_ids=frozenset(observer.vpc_ids()) | vpcs,
        endpoint_ids=frozenset(endpoints) | others,
        served_vpc_ids=frozenset(one.vpc_id for one in endpoints.values()) | vpcs,
        extra_endpoint_ids=others,
    )
