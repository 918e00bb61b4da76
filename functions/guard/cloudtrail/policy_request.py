"""A CloudTrail record as the request that an endpoint policy decides about.

Only what the record says, or what AWS documents to follow from it, becomes a condition key. A key
that CloudTrail does not say stays unknown, and so does a decision that hangs on it: see "AWS
global condition context keys" in the IAM user guide, and "Actions, resources, and condition keys
for AWS Secrets Manager" in the Service Authorization Reference. Pure.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping

from guard.cloudtrail.record import Identity, Record
from guard.cloudtrail.resource_ids import secret_id
from guard.partitions import partition_in
from guard.policy.evaluate import Request
from guard.policy.sent import NEVER_SENT

type Value = str | tuple[str, ...] | None

SERVICE = "secretsmanager"
NO_SECRET = ("GetRandomPassword", "ListSecrets", "BatchGetSecretValue")
"""What has no secret as its resource. BatchGetSecretValue is recorded once more, as one
GetSecretValue, for each secret that it returns."""

_SUFFIX = "??????"  # AWS ends a secret's ARN in a hyphen and six characters of its own
_NAME = re.compile(r"[A-Za-z0-9/_+=.@!-]+", re.ASCII)
_ARN = re.compile(r"arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\d{12}:secret:(.+)", re.ASCII)
_WHOLE = re.compile(r".+-[A-Za-z0-9]{6}", re.ASCII)

_PRINCIPAL_TYPES = {
    "Root": "Account",
    "IAMUser": "User",
    "AssumedRole": "AssumedRole",
    "FederatedUser": "FederatedUser",
}
# What only a service that calls with its own principal, or in forward access sessions, has.
_OF_SERVICES = (
    *("aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast"),
    *("aws:PrincipalServiceName", "aws:SourceArn", "aws:SourceAccount", "aws:SourceOrgID"),
)

# Parameters that Secrets Manager has condition keys for. One that was not given may have a default
# there, so that it is unknown and not absent.
_PARAMETERS = {
    "secretId": "secretsmanager:SecretId",
    "name": "secretsmanager:Name",
    "versionId": "secretsmanager:VersionId",
    "versionStage": "secretsmanager:VersionStage",
    "kmsKeyId": "secretsmanager:KmsKeyId",
    "recoveryWindowInDays": "secretsmanager:RecoveryWindowInDays",
    "forceDeleteWithoutRecovery": "secretsmanager:ForceDeleteWithoutRecovery",
    "rotationLambdaARN": "secretsmanager:RotationLambdaARN",
    "blockPublicPolicy": "secretsmanager:BlockPublicPolicy",
}


def request_of(record: Record, *, assumed: bool, org_of: Mapping[str, str]) -> Request:
    """The request in a record.

    `assumed` is for one that did not come through an endpoint and is taken as if it had; `org_of`
    names the organization of accounts.
    """
    resource = _resource(record)
    return Request(
        action=f"{SERVICE}:{record.event_name}",
        resource=resource,
        principals=_principals(record),
        context={
            **dict(_of_principal(record, org_of)),
            **dict(_of_resource(resource, org_of)),
            **dict(_of_network(record, assumed=assumed)),
            **dict(_of_request(record)),
        },
    )


def _resource(record: Record) -> str | None:
    if record.event_name in NO_SECRET:
        return "*"
    named = secret_id(record)
    if not named:
        return None
    if arn := _ARN.fullmatch(named):
        if not _NAME.fullmatch(arn[1]):
            return None
        return named if _WHOLE.fullmatch(arn[1]) else f"{named}-{_SUFFIX}"
    account = record.identity.account_id
    if not (_NAME.fullmatch(named) and account and record.region):
        return None
    # A name alone is one of the caller's own account: any other needs the ARN.
    partition = partition_in(record.identity.arn, record.region)
    return f"arn:{partition}:{SERVICE}:{record.region}:{account}:secret:{named}-{_SUFFIX}"


def _principals(record: Record) -> frozenset[str] | None:
    """Every name of the caller that a Principal element can have; None where not all are known."""
    identity = record.identity
    account = identity.account_id
    match identity.type:
        case "AWSService" if identity.invoked_by:
            return frozenset({f"Service:{identity.invoked_by}"})
        case "Root" if account:
            return frozenset({f"AWS:{account}"})
        case "IAMUser" | "FederatedUser" if account and identity.arn:
            return frozenset({f"AWS:{account}", f"AWS:{identity.arn}"})
        case "AssumedRole" if account and identity.arn and identity.issuer_arn:
            arns = {f"AWS:{identity.arn}", f"AWS:{identity.issuer_arn}"}
            return frozenset({f"AWS:{account}", *arns})
        case _:
            return None


def _of_principal(record: Record, org_of: Mapping[str, str]) -> Iterator[tuple[str, Value]]:
    identity = record.identity
    if identity.type == "AWSService":
        yield "aws:PrincipalIsAWSService", "true"
        if identity.invoked_by:
            yield "aws:PrincipalServiceName", identity.invoked_by
        return
    if identity.account_id:
        yield "aws:PrincipalAccount", identity.account_id
    if identity.account_id in org_of:
        yield "aws:PrincipalOrgID", org_of[identity.account_id]
    if identity.type not in _PRINCIPAL_TYPES:
        return
    yield "aws:PrincipalType", _PRINCIPAL_TYPES[identity.type]
    yield "aws:PrincipalIsAWSService", "false"
    yield from _names(identity)
    if not identity.invoked_by:
        # A service that called with the caller's session, or with a role of its own, says so.
        yield "aws:ViaAWSService", "false"
        yield from ((key, None) for key in _OF_SERVICES)


def _names(identity: Identity) -> Iterator[tuple[str, Value]]:
    if arn := identity.issuer_arn if identity.type == "AssumedRole" else identity.arn:
        yield "aws:PrincipalArn", arn
    if identity.principal_id:
        yield "aws:userid", identity.principal_id
    if identity.type != "IAMUser":
        yield "aws:username", None
    elif identity.user_name:
        yield "aws:username", identity.user_name


def _of_resource(resource: str | None, org_of: Mapping[str, str]) -> Iterator[tuple[str, Value]]:
    if resource and resource != "*":
        account = resource.split(":")[4]
        yield "aws:ResourceAccount", account
        if account in org_of:
            yield "aws:ResourceOrgID", org_of[account]


def _of_network(record: Record, *, assumed: bool) -> Iterator[tuple[str, Value]]:
    # Through an endpoint there is no aws:SourceIp, as AWS documents of that key.
    yield "aws:SourceIp", None
    yield from NEVER_SENT.items()
    if assumed:
        return  # which endpoint it would have been, and from which address, nobody knows
    yield "aws:SourceVpce", record.vpc_endpoint_id
    try:
        yield "aws:VpcSourceIp", str(ipaddress.ip_address(record.source_ip))
    except ValueError:
        return


def _of_request(record: Record) -> Iterator[tuple[str, Value]]:
    yield "aws:CurrentTime", record.event_time.isoformat()
    yield "aws:EpochTime", str(int(record.event_time.timestamp()))
    if record.region:
        yield "aws:RequestedRegion", record.region
    if record.host:  # there is one in tlsDetails alone
        yield "aws:SecureTransport", "true"
    for parameter, key in _PARAMETERS.items():
        value = record.request.get(parameter)
        if isinstance(value, bool):
            yield key, "true" if value else "false"
        elif isinstance(value, str | int):
            yield key, str(value)
