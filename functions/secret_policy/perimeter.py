"""Whether a secret's resource policy keeps its value inside the perimeter; how to mend it. Pure.

The perimeter: nobody reads the value but through an approved VPC or endpoint, and AWS services that
act on the owner's behalf. What a policy must deny, and what it has to leave to services, follows
"Permissions and VPCs" in the Secrets Manager guide ("Permissions policy examples") and, in the IAM
guide, aws:SourceVpc, aws:SourceVpce, aws:PrincipalIsAWSService and aws:ViaAWSService ("AWS global
condition context keys"). Service-linked roles are none of the latter two, and go by their path.

A policy is judged by what it decides, with the evaluator of endpoint policies: requests from
outside must be denied whoever makes them. What hangs on anything else counts as not denied.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from guard.policy import MAX_CHARACTERS, Choice, Policy, PolicyError, Statement, parse
from guard.policy.document import EVERYONE
from guard.policy.evaluate import TOO_LARGE, Outcome, Request, evaluate
from guard.policy.matching import Matcher, TooLarge, arn_covers
from guard.policy.operators import Value
from guard.policy.sent import NEVER_SENT
from secret_policy.ways import inside, outside

READ_VALUE = "secretsmanager:GetSecretValue"
"""What must be denied from outside. BatchGetSecretValue needs the right to it for each secret."""
SID = "VpceGuardPerimeter"
VERSION = "2012-10-17"

_SERVICE_LINKED = "arn:*:iam::*:role/aws-service-role/*"
_ALL_MAY = Statement(
    "Allow",
    Choice(frozenset([EVERYONE])),
    Choice(frozenset(["*"])),
    Choice(frozenset(["*"])),
    frozenset(),
)
_NOBODYS_SERVICE = {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"}


@dataclass(frozen=True, slots=True)
class Perimeter:
    """What is inside. `vpc_ids` and `endpoint_ids` may be named by a secret's policy.

    `served_vpc_ids` are those of them that a corrected policy names: they have an endpoint, and
    keep their id when it is made anew. `extra_endpoint_ids` are approved endpoints of others.
    """

    account: str
    partition: str
    vpc_ids: frozenset[str] = frozenset()
    endpoint_ids: frozenset[str] = frozenset()
    served_vpc_ids: frozenset[str] = frozenset()
    extra_endpoint_ids: frozenset[str] = frozenset()

    @property
    def empty(self) -> bool:
        """Whether nothing is inside: a policy by it would let nobody read the value."""
        return not self.served_vpc_ids and not self.extra_endpoint_ids


@dataclass(frozen=True, slots=True)
class Secret:
    """What AWS says of one secret: DescribeSecret, and the text of GetResourcePolicy."""

    arn: str
    name: str
    tags: Mapping[str, str]
    policy: str | None = None
    rotation_function: str = ""
    owning_service: str = ""
    primary_region: str = ""
    replica_regions: Sequence[str] = ()

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]

    @property
    def is_replica(self) -> bool:
        return bool(self.primary_region) and self.primary_region != self.region


@dataclass(frozen=True, slots=True)
class Bound:
    """Which secrets are bound to the perimeter: all, or those with a tag of this key."""

    tag: str
    everything: bool
    opt_out_tag: str

    def holds(self, tags: Mapping[str, str]) -> bool:
        """Whether a secret with these tags is bound."""
        return self.opt_out_tag not in tags and (self.everything or self.tag in tags)

    def loosened_by(self, request: Mapping[str, Any]) -> bool:
        """Whether a TagResource or UntagResource takes a secret out: by its recorded parameters."""
        removed: Any = request.get("tagKeys")
        added: Any = request.get("tags")
        if isinstance(removed, list) and not self.everything and self.tag in removed:
            return True
        put = cast("list[Any]", added) if isinstance(added, list) else []
        return any(_is_of(self.opt_out_tag, tag) for tag in put)


def _is_of(key: str, tag: Any) -> bool:
    return isinstance(tag, dict) and cast("dict[str, Any]", tag).get("key") == key


class NotCorrectable(ValueError):
    """There is no corrected policy; the message says why."""


def gaps(
    text: str | None, secret_arn: str, perimeter: Perimeter, matcher: Matcher | None = None
) -> tuple[str, ...]:
    """The ways from outside by which the policy lets somebody read the value; none if it is whole.

    Takes the policy's text, None where the secret has none; `matcher` counts the steps. Raises
    nothing: a document that cannot be read, or takes too many of them, denies nothing that anybody
    could rely on.
    """
    if text is None:
        return ("the secret has no resource policy",)
    try:
        denials = _denials(text)
    except PolicyError as error:
        return (f"the policy cannot be read: {error}",)
    try:
        return tuple(_open(denials, secret_arn, perimeter, matcher or Matcher()))
    except TooLarge:
        return ("the policy was not compared: too large",)


def _open(
    denials: Policy, secret_arn: str, perimeter: Perimeter, matcher: Matcher
) -> Iterator[str]:
    let_in: set[str] = set()
    for way in outside(denials, perimeter.vpc_ids, perimeter.endpoint_ids):
        if len(way.named) == 2 and let_in & set(way.named):
            continue
        decision = evaluate(denials, _reading(secret_arn, way.context), matcher)
        if TOO_LARGE in decision.unknown:
            raise TooLarge
        if decision.outcome is not Outcome.DENY:
            let_in |= set(way.named)
        if decision.outcome is Outcome.UNKNOWN:
            names = " or ".join(sorted(decision.unknown))
            yield f"{way.text} is perhaps not denied: that hangs on {names}"
        elif decision.outcome is Outcome.ALLOW:
            yield f"{way.text} is not denied"


def shuts_everybody_out(text: str | None, secret_arn: str, perimeter: Perimeter) -> bool:
    """Whether the policy is sure to deny reading the value to all who are inside the perimeter.

    False where nothing is inside. Raises nothing.
    """
    if text is None or perimeter.empty:
        return False
    try:
        denials = _denials(text)
        matcher = Matcher()
        ways = inside(
            denials, perimeter.served_vpc_ids, perimeter.endpoint_ids, perimeter.extra_endpoint_ids
        )
        return all(
            evaluate(denials, _reading(secret_arn, way), matcher).outcome is Outcome.DENY
            for way in ways
        )
    except (PolicyError, TooLarge):
        return False


def _denials(text: str) -> Policy:
    """What a policy denies to all but service-linked roles, beside an Allow of everything else.

    Who may read at all is not asked: an identity's own policy may allow it. Raises PolicyError.
    """
    policy = parse(text)
    denials = (_for_no_service(one) for one in policy.statements if one.effect == "Deny")
    return replace(policy, statements=(_ALL_MAY, *denials))


def _reading(secret_arn: str, context: Mapping[str, Value]) -> Request:
    known = {**NEVER_SENT, **_NOBODYS_SERVICE, **context}
    return Request(action=READ_VALUE, resource=secret_arn, context=known)


def _for_no_service(statement: Statement) -> Statement:
    """The statement as it is for callers that are no service-linked roles."""
    others = frozenset(
        condition
        for condition in statement.conditions
        if not (
            condition.key == "aws:principalarn"
            and condition.negative
            and not condition.quantifier
            and condition.arns
            and all(arn_covers(_SERVICE_LINKED, value) for value in condition.values)
        )
    )
    return replace(statement, conditions=others)


def corrected(text: str | None, secret_arn: str, perimeter: Perimeter) -> str:
    """The policy with all its statements, and one that closes the perimeter, in place of ours.

    Raises NotCorrectable where nothing is inside the perimeter, the present policy cannot be read,
    or the whole would be too large.
    """
    if perimeter.empty:
        raise NotCorrectable(
            "no VPC has an endpoint for Secrets Manager, and none is approved: nobody could read it"
        )
    document: dict[str, Any] = {"Version": VERSION, "Statement": []}
    if text is not None:
        try:
            parse(text)
        except PolicyError as error:
            raise NotCorrectable(f"the present policy cannot be read: {error}") from error
        document = json.loads(text)
    present = document["Statement"]
    statements = cast("list[dict[str, Any]]", present if isinstance(present, list) else [present])
    kept = [one for one in statements if one.get("Sid") != SID]
    document["Statement"] = [*kept, _closing(perimeter)]
    whole = json.dumps(document, indent=2, ensure_ascii=False)
    if len(whole) > MAX_CHARACTERS:
        whole = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    if len(whole) > MAX_CHARACTERS:
        raise NotCorrectable(f"with the perimeter it has {len(whole):,} characters, too many")
    if left := gaps(whole, secret_arn, perimeter):
        raise NotCorrectable(f"with the perimeter it is still open: {left[0]}")
    return whole


def _closing(perimeter: Perimeter) -> dict[str, Any]:
    outside: dict[str, list[str]] = {}
    if perimeter.served_vpc_ids:
        outside["aws:SourceVpc"] = sorted(perimeter.served_vpc_ids)
    if perimeter.extra_endpoint_ids:
        outside["aws:SourceVpce"] = sorted(perimeter.extra_endpoint_ids)
    linked = f"arn:{perimeter.partition}:iam::{perimeter.account}:role/aws-service-role/*"
    return {
        "Sid": SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": READ_VALUE,
        "Resource": "*",
        "Condition": {
            "StringNotEqualsIfExists": outside,
            "BoolIfExists": dict(_NOBODYS_SERVICE),
            "ArnNotLikeIfExists": {"aws:PrincipalArn": linked},
        },
    }


def warnings(secret: Secret) -> tuple[str, ...]:
    """What AWS warns of before such a policy is attached, as far as it concerns the secret."""
    found: list[str] = []
    if secret.rotation_function:
        found.append(
            f"its rotation function {secret.rotation_function.rpartition(':')[2]} must run in one"
            " of the VPCs named, or rotation fails"
        )
    if secret.owning_service:
        found.append(f"{secret.owning_service} rotates it: try a rotation after the change")
    if secret.is_replica:
        found.append(
            f"it is a replica: AWS copies its policy from {secret.primary_region}, so change it"
            " there"
        )
    if secret.replica_regions:
        found.append(
            "AWS copies the policy to the replicas in"
            f" {', '.join(sorted(secret.replica_regions))}: readers there need their VPCs named too"
        )
    found.append(
        "AWS services that read it with a role of yours (ECS tasks, CodeBuild, Glue and others) are"
        " refused unless they run in one of the VPCs named; so are people in the console"
    )
    return tuple(found)
