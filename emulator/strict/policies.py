"""Policy documents as EC2 and Secrets Manager read them.

moto keeps whatever text it is given. AWS parses it, refuses what is not a resource policy, and EC2
gives back a text of its own making: the same document in another layout.

The grammar is IAM's (reference_policies_grammar); the size and the rules on wildcards are those of
"Control access to VPC endpoints using endpoint policies" (vpc-endpoints-access).
"""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

_VERSIONS = ("2008-10-17", "2012-10-17")
_DOCUMENT_KEYS = {"Version", "Id", "Statement"}
_STATEMENT_KEYS = {
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
    *("Resource", "NotResource", "Condition"),
}
_PRINCIPAL_KINDS = {"AWS", "Service", "Federated", "CanonicalUser"}
_ACTION = re.compile(r"\*|[a-z0-9-]+:[A-Za-z0-9*?]+")

#: Global condition keys whose values AWS makes up; a wildcard in one of them means nothing.
_SYSTEM_IDS = {
    key.lower()
    for key in (
        *("aws:PrincipalAccount", "aws:PrincipalOrgID", "aws:ResourceAccount", "aws:ResourceOrgID"),
        *("aws:SourceAccount", "aws:SourceOrgID", "aws:SourceVpc", "aws:SourceVpce", "aws:userid"),
    )
}

DEFAULT_DOCUMENT = {
    "Statement": [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]
}


class MalformedPolicy(ValueError):
    """The text is not a policy AWS would take; says where, when it is not even JSON."""


def parse(text: str) -> dict[str, Any]:
    """The document in `text`, checked against the grammar of resource policies.

    Raises MalformedPolicy with what is wrong.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise MalformedPolicy(f"Syntax error at position ({error.lineno},{error.colno})") from error
    problem = next(_problems(document), None)
    if problem:
        raise MalformedPolicy(problem)
    return document


def rewritten(document: dict[str, Any]) -> str:
    """The text EC2 gives back: keys in order, indented by two."""
    return json.dumps(document, indent=2, sort_keys=True)


def _problems(document: Any) -> Iterator[str]:
    if not isinstance(document, dict):
        yield "a policy is a JSON object"
        return
    if unknown := set(document) - _DOCUMENT_KEYS:
        yield f"unknown element {min(unknown)}"
    if document.get("Version", _VERSIONS[0]) not in _VERSIONS:
        yield "unknown Version"
    statements = _as_list(document.get("Statement", []))
    if not statements:
        yield "no Statement"
    for statement in statements:
        yield from _statement_problems(statement)


def _statement_problems(statement: Any) -> Iterator[str]:
    if not isinstance(statement, dict):
        yield "a statement is a JSON object"
        return
    if unknown := set(statement) - _STATEMENT_KEYS:
        yield f"unknown element {min(unknown)}"
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield "Effect must be Allow or Deny"
    for element in ("Principal", "Action", "Resource"):
        if (element in statement) == (f"Not{element}" in statement):
            yield f"exactly one of {element} and Not{element} is needed"
    yield from _principal_problems(statement.get("Principal", statement.get("NotPrincipal")))
    actions = _as_list(statement.get("Action", statement.get("NotAction", [])))
    if not all(isinstance(action, str) and _ACTION.fullmatch(action) for action in actions):
        yield "an action is service:Name"
    resources = _as_list(statement.get("Resource", statement.get("NotResource", [])))
    if not all(isinstance(name, str) and (name == "*" or _is_arn(name)) for name in resources):
        yield "a resource is an ARN or *"
    yield from _condition_problems(statement.get("Condition", {}))


def _principal_problems(principal: Any) -> Iterator[str]:
    if principal in (None, "*"):
        return
    if not isinstance(principal, dict) or not principal or set(principal) - _PRINCIPAL_KINDS:
        yield "a principal is * or an object of known kinds"
        return
    for kind, names in principal.items():
        if not all(isinstance(name, str) and name for name in _as_list(names)):
            yield f"an empty principal of kind {kind}"


def _condition_problems(condition: Any) -> Iterator[str]:
    if not isinstance(condition, dict):
        yield "a condition is an object"
        return
    for operator, tests in condition.items():
        if not isinstance(tests, dict):
            yield f"{operator} needs an object of keys"
            continue
        for values in tests.values():
            if not all(isinstance(value, str | bool | int) for value in _as_list(values)):
                yield f"{operator} needs strings"


def endpoint_problem(document: dict[str, Any]) -> str | None:
    """What the rules on wildcards in endpoint policies have against a well-formed document."""
    for statement in _as_list(document["Statement"]):
        for operator, tests in statement.get("Condition", {}).items():
            for key, values in tests.items():
                if problem := _wildcard_problem(operator, key, [str(v) for v in _as_list(values)]):
                    return problem
        for name in _as_list(statement.get("Resource", statement.get("NotResource", []))):
            if _mixes_account_and_wildcard(name):
                return f"the account in {name} is neither an id nor a wildcard"
    return None


def _wildcard_problem(operator: str, key: str, values: list[str]) -> str | None:
    comparison = operator.rpartition(":")[2]
    wild = [value for value in values if set(value) & set("*?")]
    if key.lower() in _SYSTEM_IDS and (wild or comparison.startswith("Numeric")):
        return f"{key} takes neither wildcards nor numeric operators"
    if comparison.startswith(("StringLike", "StringNotLike")):
        for value in wild:
            if not _enough_around_wildcards(value):
                return f"{value} needs six characters beside each wildcard"
    if comparison.startswith("Arn") and any(map(_mixes_account_and_wildcard, values)):
        return "the account in an ARN is neither an id nor a wildcard"
    return None


def _enough_around_wildcards(value: str) -> bool:
    runs = re.split(r"[*?]", value)
    return all(len(before) >= 6 or len(after) >= 6 for before, after in itertools.pairwise(runs))


def _mixes_account_and_wildcard(name: str) -> bool:
    parts = name.split(":", 5)
    account = parts[4] if len(parts) == 6 else ""
    return bool(set(account) & set("*?")) and account != "*"


def _is_arn(name: str) -> bool:
    return name.startswith("arn:") and name.count(":") >= 5


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def is_public(document: dict[str, Any]) -> bool:
    """Whether a statement allows anybody, unconditionally: the plain case of AWS's own check."""
    return any(
        statement["Effect"] == "Allow"
        and not statement.get("Condition")
        and ("NotPrincipal" in statement or _names_anybody(statement["Principal"]))
        for statement in _as_list(document["Statement"])
    )


def _names_anybody(principal: Any) -> bool:
    return principal == "*" or "*" in _as_list(principal.get("AWS", []))
