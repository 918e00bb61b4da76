"""What is wrong with an approved endpoint policy, before it reaches an endpoint.

It asks more than AWS does when it takes a policy: that each statement decides something, that
nothing lets everybody pass by accident, that no condition asks for what Secrets Manager never
sends, and that the limits of endpoint policies are kept
(https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html#vpc-endpoint-policy-considerations).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from itertools import pairwise
from pathlib import Path

from botocore.loaders import Loader

from guard.approved.policies import (
    NAME,
    PLACEHOLDERS,
    ApprovedPolicy,
    ApprovedPolicyError,
    Placeholders,
    fill,
    placeholders,
)
from guard.policy import MAX_CHARACTERS, Choice, Policy, PolicyError, Statement, matching, patterns
from guard.policy.conditions import Condition
from guard.policy.coverage import covers
from guard.policy.document import EVERYONE
from guard.policy.matching import Matcher, TooLarge
from guard.policy.sent import NEVER_SENT

ALLOW_ALL = "allow-all"
SERVICE = "secretsmanager"
VERSION = "2012-10-17"
UNNAMED = "statement "  # how the label of a statement without Sid begins

# As long as AWS makes them, so that what fits here fits everywhere.
SAMPLE = Placeholders(
    account_id="123456789012",
    region="ap-southeast-1",
    partition="aws-us-gov",
    org_id="o-" + "a" * 32,
)

# What a rotation function asks Secrets Manager for:
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-required-permissions-function.html
ROTATION = (
    *("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"),
    "GetRandomPassword",
)

# Global keys whose values AWS makes up: no wildcards, no numeric operators with them.
SYSTEM_IDS = frozenset(
    f"aws:{name}"
    for name in (
        *("principalaccount", "principalorgid", "resourceaccount", "resourceorgid"),
        *("sourceaccount", "sourceorgid", "sourcevpc", "sourcevpce", "userid"),
    )
)
_MOST_STEPS = 5_000_000
_ABSENT = frozenset(key.lower() for key in NEVER_SENT)
_ALWAYS_SENT = frozenset({"aws:sourcevpc", "aws:sourcevpce", "aws:vpcsourceip"})
"""Keys that every request through an endpoint has."""
_SID = re.compile(r"[A-Za-z0-9]*", re.ASCII)
_UNIQUE_ID = re.compile(r"A[A-Z0-9]{15,}", re.ASCII)
_WILDCARD = re.compile(r"[*?]+")


class Level(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with an approved policy; a warning does not fail the lint."""

    policy: str
    place: str
    text: str
    level: Level = Level.ERROR


def lint(name: str, source: str) -> list[Problem]:
    """What is wrong with an approved policy file called `name`.json with this text."""
    found: list[Problem] = []
    if not NAME.fullmatch(name):
        found.append(Problem(name, "name", "a name is lower-case words joined by hyphens"))
    unknown = sorted(placeholders(source) - set(PLACEHOLDERS))
    if unknown:
        asked = ", ".join(f"${{{placeholder}}}" for placeholder in unknown)
        return [*found, Problem(name, "document", f"unknown placeholders: {asked}")]
    try:
        approved = fill(name, source, SAMPLE)
    except ApprovedPolicyError as error:
        cause = error.__cause__
        place = cause.place if isinstance(cause, PolicyError) else "document"
        text = cause.problem if isinstance(cause, PolicyError) else str(error)
        return [*found, Problem(name, place, text)]
    found.extend(_document_problems(approved, source))
    for number, statement in enumerate(approved.policy.statements):
        place = f"Statement[{number}]"
        found.extend(Problem(name, place, text) for text in _statement_problems(statement))
    try:
        found.extend(Problem(name, *problem) for problem in _without_effect(approved.policy))
    except TooLarge:
        found.append(Problem(name, "document", "its statements were not compared: too large"))
    return found


def lint_folder(directory: Path) -> list[Problem]:
    """What is wrong with the approved policies in a folder; with anything else in it, too."""
    found: list[Problem] = []
    for path in sorted(directory.iterdir()):
        if path.suffix != ".json":
            found.append(Problem(path.name, "name", "only .json files are policies"))
            continue
        try:
            found.extend(lint(path.stem, path.read_text(encoding="utf-8")))
        except UnicodeDecodeError as error:
            found.append(Problem(path.stem, f"byte {error.start}", "this is not UTF-8"))
    return found


def _document_problems(approved: ApprovedPolicy, source: str) -> Iterator[Problem]:
    name, policy = approved.name, approved.policy
    # Our own placeholders are filled in by now: what is left are IAM's policy variables.
    if json.loads(source).get("Version") != VERSION and "${" in approved.text:
        yield Problem(name, "Version", f"write {VERSION}: without it ${{aws:...}} would be text")
    open_to_all = _lets_everything_pass(policy)
    if open_to_all and not name.startswith(ALLOW_ALL):
        text = f"this lets everything pass; name it {ALLOW_ALL}... if it is meant to"
        yield Problem(name, "document", text)
    if not open_to_all and name.startswith(ALLOW_ALL):
        yield Problem(name, "name", "this does not let everything pass, so do not name it so")
    if not any(statement.effect == "Allow" for statement in policy.statements):
        yield Problem(name, "document", "there is no Allow, so nothing passes")
    sids = [one.label for one in policy.statements if not one.label.startswith(UNNAMED)]
    for sid in sorted({sid for sid in sids if sids.count(sid) > 1}):
        yield Problem(name, "document", f"two statements have the Sid {sid}")
    if len(approved.text) > MAX_CHARACTERS * 9 // 10:
        text = f"{len(approved.text):,} of {MAX_CHARACTERS:,} characters are used"
        yield Problem(name, "document", text, Level.WARNING)
    missing = [action for action in ROTATION if not _allows(policy, f"{SERVICE}:{action}".lower())]
    if missing:
        text = f"rotation functions in the VPC also need {', '.join(missing)}"
        yield Problem(name, "document", text, Level.WARNING)


def _lets_everything_pass(policy: Policy) -> bool:
    """Whether an Allow asks nobody anything and no Deny takes something back."""
    everything = Statement(
        "Allow",
        Choice(frozenset([EVERYONE])),
        Choice(frozenset([f"{SERVICE}:*"])),
        Choice(frozenset(["*"])),
        frozenset(),
    )
    return not any(one.effect == "Deny" for one in policy.statements) and any(
        covers(replace(one, conditions=frozenset(filter(_asks, one.conditions))), everything)
        for one in policy.statements
    )


def _asks(condition: Condition) -> bool:
    """Whether a request through an endpoint could fail the condition."""
    if condition.operator == "Null" and not condition.quantifier:
        present = condition.key in _ALWAYS_SENT and "false" in condition.values
        absent = condition.key in _ABSENT and "true" in condition.values
        return not (present or absent)
    return not (condition.wildcards and not condition.negative and "*" in condition.values)


def _allows(policy: Policy, action: str) -> bool:
    return any(
        one.effect == "Allow" and _choice_meets(one.actions, Choice(frozenset([action])))
        for one in policy.statements
    )


def _statement_problems(statement: Statement) -> Iterator[str]:
    if not statement.label.startswith(UNNAMED) and not _SID.fullmatch(statement.label):
        yield f"the Sid {statement.label!r} may have letters and digits only"
    for element, choice in (
        ("NotPrincipal", statement.principals),
        ("NotAction", statement.actions),
        ("NotResource", statement.resources),
    ):
        if statement.effect == "Allow" and choice.negated:
            yield f"Allow with {element} lets pass whatever nobody thought of"
    yield from _principal_problems(statement.principals)
    for action in sorted(statement.actions.values):
        if action != "*" and not any(matching.covers(action, one) for one in _operations()):
            yield f"{action}: Secrets Manager has no such action"
    for resource in sorted(statement.resources.values):
        yield from _arn_problems(resource)
        yield from _variable_problems(resource)
        if not matching.meets(resource, f"arn:*:{SERVICE}:*"):
            yield f"{resource}: this is nothing that Secrets Manager has"
    for condition in sorted(statement.conditions, key=repr):
        for problem in _condition_problems(condition):
            yield f"{condition.operator} {condition.key}: {problem}"


def _principal_problems(principals: Choice) -> Iterator[str]:
    for principal in sorted(principals.values):
        type_, _, identity = principal.partition(":")
        if type_ != "AWS" or principal == EVERYONE:
            continue
        if _UNIQUE_ID.fullmatch(identity):
            yield f"{identity}: the id of a deleted principal matches nobody"
        elif patterns.has_wildcards(identity):
            yield f"{identity}: a principal has no wildcards; use aws:PrincipalArn in a condition"
        elif not re.fullmatch(r"\d{12}|arn:[^:]+:(iam|sts)::\d{12}:.+", identity, re.ASCII):
            yield f"{identity}: this is neither an account id nor an ARN of IAM or STS"


@cache
def _operations() -> frozenset[str]:
    """Secrets Manager's actions, in lower case, as botocore knows them."""
    model = Loader().load_service_model(SERVICE, "service-2")
    return frozenset(f"{SERVICE}:{operation}".lower() for operation in model["operations"])


def _arn_problems(arn: str) -> Iterator[str]:
    parts = arn.split(":")
    if len(parts) > 4 and patterns.has_wildcards(parts[4]) and re.search(r"\d", parts[4]):
        yield f"{arn}: the account of an ARN is an id or a wildcard, not both"


def _variable_problems(value: str) -> Iterator[str]:
    for key in sorted(_ABSENT & set(patterns.variables(value))):
        yield f"{value}: Secrets Manager does not send {key}, so that this matches nothing"


def _condition_problems(condition: Condition) -> Iterator[str]:
    if condition.key in _ABSENT:
        yield "Secrets Manager does not send this key, so it is always absent"
    for value in sorted(condition.values):
        yield from _variable_problems(value)
    if not condition.values and not condition.negative:
        yield "without a value this is never true"
    if condition.operator in ("Bool", "Null") and condition.values - {"true", "false"}:
        yield "the value is true or false"
    if condition.key in SYSTEM_IDS and condition.operator.startswith("Numeric"):
        yield "an endpoint policy may not compare ids as numbers"
    for value in sorted(condition.values) if condition.wildcards else ():
        if condition.key in SYSTEM_IDS and patterns.has_wildcards(value):
            yield f"{value}: an endpoint policy may not have wildcards in ids"
        elif condition.operator.startswith("String") and not _six_beside_wildcards(value):
            yield f"{value}: six characters in a row must stand before or after each wildcard"
        elif condition.operator.startswith("Arn"):
            yield from _arn_problems(value)


def _six_beside_wildcards(value: str) -> bool:
    texts = _WILDCARD.split(value)
    return all(max(len(before), len(after)) >= 6 for before, after in pairwise(texts))


def _without_effect(policy: Policy) -> Iterator[tuple[str, str]]:
    """Statements that could go without anything being decided otherwise."""
    numbered = list(enumerate(policy.statements))
    matcher = Matcher(_MOST_STEPS)
    for number, statement in numbered:
        place = f"Statement[{number}]"
        others = [(at, other) for at, other in numbered if at != number]
        for at, other in others:
            # Of two that say the same, the second is the one too many.
            if covers(other, statement, matcher) and not (
                covers(statement, other, matcher) and number < at
            ):
                yield place, f"without effect: Statement[{at}] says as much"
                break
        opposite = [(at, other) for at, other in others if other.effect != statement.effect]
        if statement.effect == "Allow":
            for at, other in opposite:
                if covers(replace(other, effect="Allow"), statement, matcher):
                    yield place, f"without effect: Statement[{at}] denies all of it"
                    break
        elif not any(_meet(statement, other) for _, other in opposite):
            yield place, "without effect: nothing of this is allowed"


def _meet(a: Statement, b: Statement) -> bool:
    """Whether a request may exist that both apply to. Principals and conditions are not judged."""
    return _choice_meets(a.actions, b.actions) and _choice_meets(a.resources, b.resources)


def _choice_meets(a: Choice, b: Choice) -> bool:
    if a.negated and b.negated:
        return True
    if a.negated:
        a, b = b, a
    if b.negated:
        return any(not any(matching.covers(out, one) for out in b.values) for one in a.values)
    return any(matching.meets(one, other) for one in a.values for other in b.values)
