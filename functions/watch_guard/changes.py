"""Which parts of the guard itself a write call changed, and whether by a deployment. Pure.

What belongs to the guard is what its stack says (ListStackResources, CloudFormation API reference),
by physical id, so a part that is added to the template is watched without a word here, and a
neighbour with a name like ours is not. What the owner made and the stack only names, such as
the webhook's parameter or the key, is named by the template's parameters.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import cast

from guard.approved.added import folder
from guard.cloudtrail.record import Record
from guard.partitions import as_in_aws
from guard.settings import Settings

CLOUDFORMATION = "cloudformation.amazonaws.com"
# What is changed by them at a stack is no deployment of it.
NO_DEPLOYMENT = {"DeleteStack", "SetStackPolicy", "UpdateTerminationProtection"}
GRANTS = {"CreateGrant", "RevokeGrant"}
CLOUDTRAIL = "cloudtrail.amazonaws.com"
# By the source of an event, beside those of the stack: whatever trail it is, EventBridge is sent
# what the account's trails log.
TRAIL = "AWS::CloudTrail::Trail"
PARAMETER = "AWS::SSM::Parameter"
SSM = "ssm.amazonaws.com"
# By the source of an event: what kinds of our resources it can be about.
TYPES: Mapping[str, Collection[str]] = {
    "dynamodb.amazonaws.com": {"AWS::DynamoDB::Table"},
    "events.amazonaws.com": {"AWS::Events::Rule"},
    "iam.amazonaws.com": {"AWS::IAM::Role", "AWS::IAM::ManagedPolicy"},
    "kms.amazonaws.com": {"AWS::KMS::Key"},
    "lambda.amazonaws.com": {
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::SQS::Queue",  # a mapping to a function of somebody else's takes its messages away
    },
    "logs.amazonaws.com": {"AWS::Logs::LogGroup"},
    "monitoring.amazonaws.com": {"AWS::CloudWatch::Alarm"},
    "sns.amazonaws.com": {"AWS::SNS::Topic", "AWS::SNS::Subscription"},
    "sqs.amazonaws.com": {"AWS::SQS::Queue"},
    SSM: {PARAMETER},
}
# What the owner made: by the variable that names it, the template's parameter and the type.
GIVEN: Mapping[str, tuple[str, str]] = {
    "SLACK_WEBHOOK_PARAMETER": ("SlackWebhookParameter", PARAMETER),
    "ENCRYPTION_KEY_ARN": ("EncryptionKeyArn", "AWS::KMS::Key"),
    "PERMISSIONS_BOUNDARY_ARN": ("PermissionsBoundaryArn", "AWS::IAM::ManagedPolicy"),
}
# The request's members that name what is changed; what else a request holds is said about it.
NAMING = (
    "alarmName",
    "alarmNames",
    "eventSourceArn",
    "functionName",
    "keyId",
    "logGroupIdentifier",
    "logGroupName",
    "name",
    "names",
    "policyArn",
    "queueUrl",
    "resourceArn",
    "resourceIdentifier",
    "roleName",
    "rule",
    "sourceArn",
    "subscriptionArn",
    "tableArn",
    "tableName",
    "topicArn",
    "uUID",
)
# Some are put on another thing that the request names, and are not changed by that.
PUT_ON = {"policyArn": "roleName"}
_FUNCTION = re.compile(r"(?:.*function:)?([A-Za-z0-9_-]+)(?::[^:]*)?")


@dataclass(frozen=True, slots=True)
class Part:
    """One resource of the stack."""

    logical_id: str
    type: str
    physical_id: str

    @property
    def name(self) -> str:
        """What is left of a physical id, be it a name, an ARN or a URL."""
        return _path(self.physical_id) if self.type == PARAMETER else _last(self.physical_id)


@dataclass(frozen=True, slots=True)
class Deployers:
    """Who may change the stack: patterns of ARNs, of roles or users.

    Without any, whoever changes it by an operation of the stack.
    """

    patterns: Collection[str] = ()

    def made(self, record: Record, operating: Callable[[], bool]) -> bool:
        """Whether this call is part of a deployment. `invokedBy` is written by AWS alone; any stack
        in the account may have asked CloudFormation for it, so `operating` says whether an
        operation of the guard's own stack went on.
        """
        if self.patterns:
            known = (record.identity.issuer_arn, record.identity.arn)
            return any(fnmatchcase(arn, one) for arn in known if arn for one in self.patterns)
        if changes_stack(record):
            return True
        # No stack of the guard has a trail: whoever changes one does it by a stack of his own.
        if as_in_aws(record.event_source) == CLOUDTRAIL:
            return False
        return as_in_aws(record.identity.invoked_by) == CLOUDFORMATION and operating()


def owner_parts(env: Mapping[str, str]) -> tuple[Part, ...]:
    """What the owner made for the guard, as the template's variables name it."""
    return tuple(Part(*GIVEN[name], one) for name in GIVEN if (one := env.get(name)))


def changed_parts(record: Record, parts: Sequence[Part], stack_id: str) -> list[Part]:
    """The parts of the guard that a call changed, or tried to."""
    source = as_in_aws(record.event_source)
    if source == CLOUDTRAIL:
        named = next(_texts(record.request.get("name") or record.request.get("trailName")), "")
        return [Part("trail", TRAIL, named or "a trail that the record does not name")]
    if source == CLOUDFORMATION:
        named = record.request.get("stackName")
        ours = (stack_id, stack_id.split("/")[1])
        return [Part("the stack", "AWS::CloudFormation::Stack", ours[1])] if named in ours else []
    if record.event_name in GRANTS and record.identity.invoked_by:
        return []  # DynamoDB makes and ends its own grants, by whoever uses the table
    types = TYPES.get(source, ())
    names = set(_names(record))
    return [one for one in parts if one.type in types and one.name in names]


def named_like_ours(record: Record, settings: Settings) -> list[Part]:
    """What a call names, of what may be the guard's where it is not known which parts there are:
    the mode's parameter, and what is named as CloudFormation names the resources of our stack
    ("Name type", CloudFormation user guide).
    """
    mode = _path(settings.mode_parameter)
    types = sorted(TYPES.get(as_in_aws(record.event_source), ()))
    return [
        Part(one, types[0], one)
        for one in dict.fromkeys(_names(record))
        if types and (one.startswith(f"{settings.stack_name}-") or one == mode)
    ]


def changed_exceptions(record: Record, stack_name: str) -> list[Part]:
    """The exceptions of run time that a call added, changed or removed, or tried to.

    By whom does not matter: no deployment does that, and a stack of somebody else's may.
    """
    if as_in_aws(record.event_source) != SSM:
        return []
    inside = f"{folder(stack_name)}/".strip("/") + "/"
    names = dict.fromkeys(name for name in _names(record) if name.startswith(inside))
    return [Part(f"exception {name.removeprefix(inside)}", PARAMETER, f"/{name}") for name in names]


def may_be_ours(record: Record) -> bool:
    """Whether a call does not say what it was about: CloudTrail left its request out, or what it
    names cannot be read. `resources` of the record say it then, if anything does.
    """
    if record.event_name in GRANTS and record.identity.invoked_by:
        return False
    omitted = record.request.get("omitted") is True or "requestParameters" in record.strange
    if as_in_aws(record.event_source) == CLOUDFORMATION:
        # A change set can be named by its ARN alone, which does not say of which stack it is.
        omitted = omitted or not isinstance(record.request.get("stackName"), str)
    return omitted or any(not _readable(record.request.get(key)) for key in NAMING)


def _readable(value: object) -> bool:
    texts = cast(list[object], value) if isinstance(value, list) else [value]
    return all(one is None or isinstance(one, str) for one in texts)


def changes_stack(record: Record) -> bool:
    """An update of the stack is a deployment; its deletion is the end of the guard."""
    of_stacks = as_in_aws(record.event_source) == CLOUDFORMATION
    return of_stacks and record.event_name not in NO_DEPLOYMENT


def _names(record: Record) -> Iterator[str]:
    """What a call names, each in the form in which `Part.name` has it."""
    request = record.request
    for key in NAMING:
        if PUT_ON.get(key) not in request:
            for text in _texts(request.get(key)):
                yield from _spellings(record, key, text)
    muted = request.get("muteTargets")
    if isinstance(muted, Mapping):
        yield from _texts(cast(Mapping[str, object], muted).get("alarmNames"))
    # Where the request was left out, the record may still list what it was about.
    for one in record.resources:
        for text in _texts(one.get("ARN")):
            yield from _spellings(record, "resourceArn", text)
    # A mapping is changed by its UUID alone; the answer says whose it is.
    for text in _texts(record.response.get("functionArn")):
        yield from _spellings(record, "functionName", text)


def _texts(value: object) -> Iterator[str]:
    for one in cast(list[object], value) if isinstance(value, list) else [value]:
        if isinstance(one, str):
            yield one


def _spellings(record: Record, key: str, text: str) -> Iterator[str]:
    if as_in_aws(record.event_source) == SSM:
        yield _path(text)
        return
    of_function = key == "functionName" or ":function:" in text
    if of_function and (function := _FUNCTION.fullmatch(text)):
        yield function[1]
        return
    yield _last(text.removesuffix(":*"))  # as some calls end a log group's ARN
    if key == "subscriptionArn":  # which is its topic's, and a number
        yield _last(text.rpartition(":")[0])


def _path(text: str) -> str:
    """A parameter's whole name: folders set it apart from others of the same last name."""
    return text.rpartition(":parameter")[2].strip("/")


def _last(text: str) -> str:
    return text.rsplit(":", 1)[-1].rsplit("/", 1)[-1]
