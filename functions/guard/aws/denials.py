"""What AWS says when the guard itself may not do something: which permission is missing, and why.

The words are those of IAM's "access denied" messages (IAM User Guide, "Troubleshoot access denied
error messages"); EC2 leaves them out of older messages, so what was tried is named then.
"""

import re
from collections.abc import Mapping
from datetime import datetime

from botocore.exceptions import ClientError

from guard.aws.errors import code_of, message_of, out_of_date, readable, refused, steady
from guard.findings.finding import DAY, Finding, Kind, Severity, here
from guard.settings import Settings

_PERMISSION = re.compile(r"not authorized to perform:? ([a-z0-9-]+:[A-Za-z0-9]+)", re.ASCII)
_POLICIES = re.compile(
    r"(service control policy|resource control policy|permissions boundary|session policy"
    r"|VPC endpoint policy)",
    re.ASCII,
)
_CODES = ("AccessDenied", "UnauthorizedOperation")

# What the guard keeps its own state in and sends by; what it reads are all other services.
_OWN = frozenset({"dynamodb", "sns", "sqs", "ssm"})
_READS = ("Describe", "Get", "List", "Lookup")
# Of the operations that the guard calls, those that are not EC2's.
_SERVICES: Mapping[str, str] = {
    "BatchGetItem": "dynamodb",
    "ChangeMessageVisibility": "sqs",
    "DeleteItem": "dynamodb",
    "DeleteMessage": "sqs",
    "DescribeSecret": "secretsmanager",
    "DescribeStackEvents": "cloudformation",
    "DescribeStacks": "cloudformation",
    "DescribeTrails": "cloudtrail",
    "GetCallerIdentity": "sts",
    "GetEventSelectors": "cloudtrail",
    "GetFunctionConfiguration": "lambda",
    "GetItem": "dynamodb",
    "GetObject": "s3",
    "GetParameter": "ssm",
    "GetParametersByPath": "ssm",
    "GetQueueAttributes": "sqs",
    "GetResourcePolicy": "secretsmanager",
    "GetResourceShareAssociations": "ram",
    "GetSubscriptionAttributes": "sns",
    "GetTemplate": "cloudformation",
    "GetTopicAttributes": "sns",
    "GetTrailStatus": "cloudtrail",
    "ListEventSourceMappings": "lambda",
    "ListHostedZonesByVPC": "route53",
    "ListProfileAssociations": "route53profiles",
    "ListProfileResourceAssociations": "route53profiles",
    "ListResourceRecordSets": "route53",
    "ListRules": "events",
    "ListSecrets": "secretsmanager",
    "ListStackResources": "cloudformation",
    "ListStacks": "cloudformation",
    "ListSubscriptionsByTopic": "sns",
    "ListTagsForResource": "ssm",
    "ListTargetsByRule": "events",
    "LookupEvents": "cloudtrail",
    "PutResourcePolicy": "secretsmanager",
    "Query": "dynamodb",
    "ReceiveMessage": "sqs",
    "SendMessage": "sqs",
    "UpdateItem": "dynamodb",
}


# By IAM than by the API.
_NAMED_OTHERWISE = {
    "Invoke": "lambda:InvokeFunction",
    "ListObjectsV2": "s3:ListBucket",
    "PublishBatch": "sns:Publish",
    "SendMessageBatch": "sqs:SendMessage",
}


def is_denial(code: str) -> bool:
    """Whether the code means that the guard's role may not."""
    return code.startswith(_CODES)


def action_of(error: ClientError) -> str:
    """The call that failed, as IAM spells it."""
    name = error.operation_name
    return _NAMED_OTHERWISE.get(name) or f"{_SERVICES.get(name, 'ec2')}:{name}"


def may_not_look(error: Exception) -> bool:
    """Whether AWS refuses for good to show what the guard reads: trying again is of no use.

    What refuses the guard its own table or queues is not among them: it must be tried again.
    """
    if not isinstance(error, ClientError) or not refused(error) or out_of_date(error):
        return False
    service, _, operation = action_of(error).partition(":")
    return operation.startswith(_READS) and service not in _OWN


def missing_permission(message: str, otherwise: str) -> str:
    """The IAM action that AWS's words name; `otherwise` where they name none."""
    found = _PERMISSION.search(message)
    return found[1] if found else otherwise


def cure(message: str, otherwise: str) -> str:
    """What a person has to do so that the guard may."""
    permission = missing_permission(message, otherwise)
    denying = _POLICIES.search(message)
    where = f"a {denying[1]} denies it" if denying else "check for an SCP or permissions boundary"
    return f"allow the guard's role {permission}: {where}"


def reading_refused(
    settings: Settings,
    now: datetime,
    error: Exception,
    vpc_ids: frozenset[str] = frozenset(),
    then: str = "",
) -> list[Finding]:
    """The finding that the guard's reading was refused; none for an error of another kind.

    `then` says when it is read again, where that is neither by the next event or sweep nor at once.
    """
    if not isinstance(error, ClientError) or not refused(error):
        return []
    tried, words = action_of(error), message_of(error)
    permission = missing_permission(words, tried) if is_denial(code_of(error)) else ""
    what_to_do = cure(words, tried) if permission else "fix what AWS's message names"
    return [
        Finding(
            kind=Kind.ENDPOINT_NOT_REPAIRABLE,
            severity=Severity.HIGH,
            resource=min(vpc_ids) if len(vpc_ids) == 1 else f"account {settings.account_id}",
            title="The guard may not read what it guards",
            cause=f"AWS refused {tried}: {code_of(error)}: {readable(words)}",
            todo=(
                what_to_do,
                then
                or (
                    "the next event or sweep reads again"
                    if may_not_look(error)
                    else "what was not done is tried again, then kept in the dead-letter queue"
                ),
            ),
            evidence={"missing_permission": permission, "vpc_ids": sorted(vpc_ids)[:10]},
            identity=(permission or f"{tried} {code_of(error)} {steady(words)}",),
            window=DAY,
            **here(settings, now),
        )
    ]
