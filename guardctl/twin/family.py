"""Fill a family of policies: one shape for each kind, and nothing free-form. Pure.

A statement for each Region, as the ids of VPCs are unique within one alone. A VPC is named and not
its endpoint, whose id changes when it is made anew; aws:VpceOrgID and its like are not sent by
Secrets Manager (`guard.policy.sent`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from guard.policy import MAX_CHARACTERS
from guardctl.twin.scope import READS, Kind, Scope
from secret_policy.correction import closing
from secret_policy.exceptions import Exceptions
from secret_policy.perimeter import SID, Perimeter

VERSION = "2012-10-17"
MOST_CHARACTERS = {
    Kind.SECRET: MAX_CHARACTERS,
    Kind.RCP: 5_120,
    Kind.SCP: 5_120,
    Kind.ENDPOINT: MAX_CHARACTERS,
}
"""As AWS Organizations, Secrets Manager and Amazon VPC count them, white space included."""


class NotProposable(ValueError):
    """There is no policy of the family; the message says why."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One policy: its text, and the Region that it is for, empty for all of its statements'."""

    name: str
    text: str
    region: str = ""


def fill(scope: Scope, family: str) -> tuple[Candidate, ...]:
    """The policies for a scope. `family` is the text of the endpoint policy that is filled.

    Raises NotProposable.
    """
    if scope.kind is Kind.ENDPOINT:
        return (_endpoint(scope, family),)
    if not scope.vpcs:
        raise NotProposable("no Region has a request, or a VPC with an endpoint")
    statements = {region: _statement(scope, region) for region in sorted(scope.vpcs)}
    if scope.kind is Kind.SECRET:
        return tuple(
            Candidate(f"secret-{region}", _fitting([one], scope.kind, region), region)
            for region, one in statements.items()
        )
    bound = [_bound(one, region, scope) for region, one in statements.items()]
    return tuple(
        Candidate(f"{scope.kind}-{number}", _fitting(some, scope.kind, ""))
        for number, some in enumerate(_packed(bound, MOST_CHARACTERS[scope.kind]), start=1)
    )


def _statement(scope: Scope, region: str) -> dict[str, Any]:
    """The statement of a secret's own policy (`secret_policy.correction`), for one Region."""
    perimeter = Perimeter(
        account="*",
        partition=scope.partition,
        served_vpc_ids=scope.vpcs[region],
        exceptions=Exceptions(scope.networks, scope.principals, scope.tags),
    )
    statement = closing(perimeter)
    asked = {operator: keys for operator, keys in statement["Condition"].items() if keys}
    return {**statement, "Condition": asked}


def _bound(statement: dict[str, Any], region: str, scope: Scope) -> dict[str, Any]:
    """The statement within its Region, as one of several of a policy."""
    condition = dict(statement["Condition"])
    condition["StringEquals"] = {
        "aws:RequestedRegion": region,
        **condition.get("StringEquals", {}),
    }
    if scope.only_tagged:
        condition["Null"] = {f"aws:ResourceTag/{scope.only_tagged}": "false"}
    actions = [f"secretsmanager:{name}" for name in READS[scope.kind]]
    bound = {
        **statement,
        "Sid": f"{SID}{''.join(map(str.capitalize, region.split('-')))}",
        "Action": actions if len(actions) > 1 else actions[0],
        "Condition": condition,
    }
    if scope.kind is Kind.SCP:
        del bound["Principal"]  # there is no such element
    return bound


def _packed(statements: Sequence[dict[str, Any]], most: int) -> list[list[dict[str, Any]]]:
    """The statements in as few policies as hold them in their order: each denies by itself."""
    packed: list[list[dict[str, Any]]] = []
    for one in statements:
        if packed and len(_short([*packed[-1], one])) <= most:
            packed[-1].append(one)
        else:
            packed.append([one])
    return packed


def _fitting(statements: list[dict[str, Any]], kind: Kind, region: str) -> str:
    """The policy's text, readable where it may be so long. Raises NotProposable."""
    most = MOST_CHARACTERS[kind]
    whole = json.dumps({"Version": VERSION, "Statement": statements}, indent=2)
    text = whole if len(whole) <= most else _short(statements)
    if len(text) > most:
        where = f" for {region}" if region else ""
        todo = "propose one for fewer accounts: it is attached to an account or OU"
        raise NotProposable(f"it has {len(text):,} characters{where}, {most:,} are allowed; {todo}")
    return text


def _short(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": VERSION, "Statement": statements}, separators=(",", ":"))


def _endpoint(scope: Scope, family: str) -> Candidate:
    """The approved policy `own-account`, for all the accounts."""
    if not scope.accounts:
        raise NotProposable("name your accounts: --account ID")
    accounts = json.dumps(sorted(scope.known_accounts))
    statements = json.loads(family.replace('"${AccountId}"', accounts))["Statement"]
    return Candidate("endpoint", _fitting(statements, scope.kind, ""))
