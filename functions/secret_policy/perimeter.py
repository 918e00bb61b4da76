"""Whether a secret's resource policy keeps its value inside the perimeter; how to mend it. Pure.

The perimeter: nobody reads the value but through an approved VPC or endpoint, and AWS services that
act on the owner's behalf. What a policy must deny, and what it has to leave to services, follows
"Permissions and VPCs" in the Secrets Manager guide ("Permissions policy examples") and, in the IAM
guide, aws:SourceVpc, aws:SourceVpce, aws:PrincipalIsAWSService and aws:ViaAWSService ("AWS global
condition context keys"). Service-linked roles are none of the latter two, and go by their path.

Networks, principals and principals' tags can be approved besides (`guard.approved.lists`).

A policy is judged by what it decides, with the evaluator of endpoint policies: requests from
outside must be denied whoever makes them. What hangs on anything else counts as not denied.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import filterfalse
from typing import Any, cast

from guard.policy import Choice, Policy, PolicyError, Statement, parse
from guard.policy.document import EVERYONE
from guard.policy.evaluate import TOO_LARGE, Outcome, Request, evaluate
from guard.policy.matching import Matcher, TooLarge
from guard.policy.operators import Value
from guard.policy.reading import read
from guard.policy.sent import NEVER_SENT
from secret_policy.exceptions import NONE, Exceptions
from secret_policy.ways import inside, outside

READ_VALUE = "secretsmanager:GetSecretValue"
"""What must be denied from outside. BatchGetSecretValue needs the right to it for each secret."""
SID = "VpceGuardPerimeter"

_ALL_MAY = Statement(
    "Allow",
    Choice(frozenset([EVERYONE])),
    Choice(frozenset(["*"])),
    Choice(frozenset(["*"])),
    frozenset(),
)
NOBODYS_SERVICE = {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"}


@dataclass(frozen=True, slots=True)
class Perimeter:
    """What is inside. `vpc_ids` and `endpoint_ids` may be named by a secret's policy.

    `served_vpc_ids` are those of them that a corrected policy names: they have an endpoint, and
    keep their id when it is made anew. `extra_endpoint_ids` are approved endpoints of others.
    `exceptions` are let in from outside, by review.
    """

    account: str
    partition: str
    vpc_ids: frozenset[str] = frozenset()
    endpoint_ids: frozenset[str] = frozenset()
    served_vpc_ids: frozenset[str] = frozenset()
    extra_endpoint_ids: frozenset[str] = frozenset()
    exceptions: Exceptions = NONE

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
    matcher = matcher or Matcher()
    try:
        if own := _own(text):
            # A Deny that closes the perimeter closes it whatever else is there.
            denials = _denials(own, perimeter.exceptions)
            if next(_open(denials, secret_arn, perimeter, matcher), None) is None:
                return ()
        denials = _denials(text, perimeter.exceptions)
        return tuple(_open(denials, secret_arn, perimeter, matcher))
    except PolicyError as error:
        return (f"the policy cannot be read: {error}",)
    except TooLarge:
        return ("the policy was not compared: too large",)


def document_of(text: str) -> dict[str, Any]:
    """A policy's JSON, whatever IAM says of its elements: no key twice. Raises PolicyError."""
    read(text)
    document: Any = json.loads(text)
    if not isinstance(document, dict):
        raise PolicyError("document", "a policy is an object")
    return cast("dict[str, Any]", document)


def statements(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The statements of a document. Raises PolicyError for what has none."""
    present: Any = document.get("Statement")
    listed = cast("list[Any]", present if isinstance(present, list) else [present])
    if not all(isinstance(one, dict) for one in listed):
        raise PolicyError("document", "a statement is an object")
    return listed


def _own(text: str) -> str:
    """The policy with the guard's statement alone; empty where it has none. Raises PolicyError."""
    document = document_of(text)
    own = [one for one in statements(document) if one.get("Sid") == SID]
    return json.dumps({**document, "Statement": own}) if own else ""


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
        denials = _denials(text, NONE)
        matcher = Matcher()
        ways = inside(
            denials, perimeter.served_vpc_ids, perimeter.endpoint_ids, perimeter.extra_endpoint_ids
        )
        outcomes = [evaluate(denials, _reading(secret_arn, way), matcher).outcome for way in ways]
        return set(outcomes) == {Outcome.DENY}
    except (PolicyError, TooLarge):
        return False


def _denials(text: str, exceptions: Exceptions) -> Policy:
    """What a policy denies to all but those excepted, beside an Allow of everything else.

    Who may read at all is not asked: an identity's own policy may allow it. Raises PolicyError and
    TooLarge.
    """
    policy, lifts = parse(text), exceptions.only_approved
    denials = (
        replace(one, conditions=frozenset(filterfalse(lifts, one.conditions)))
        for one in policy.statements
        if one.effect == "Deny"
    )
    return replace(policy, statements=(_ALL_MAY, *denials))


def _reading(secret_arn: str, context: Mapping[str, Value]) -> Request:
    known = {**NEVER_SENT, **NOBODYS_SERVICE, **context}
    return Request(action=READ_VALUE, resource=secret_arn, context=known)


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
