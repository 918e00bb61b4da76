"""Whom a secret's resource policy lets read its value. Pure.

The policy alone is judged, by what it decides: see "Determining whether a request is allowed or
denied" in the IAM user guide. Principals of the secret's own account are not asked about, since
their own policies may allow the same; anybody else needs this policy.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from guard.policy import Policy, PolicyError, parse
from guard.policy.evaluate import Outcome, Request, evaluate

READS = ("secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue")

_NOBODY = "000000000000"  # an account that no policy means
_ACCOUNT = re.compile(r"AWS:(?:arn:[a-z-]+:(?:iam|sts)::)?(\d{12})", re.ASCII)
# What a stranger's request surely lacks or is not; all else about it is unknown.
_STRANGE = {
    "aws:PrincipalIsAWSService": "false",
    "aws:ViaAWSService": "false",
    "aws:PrincipalOrgID": None,
    "aws:PrincipalOrgPaths": None,
    "aws:SourceAccount": None,
    "aws:SourceArn": None,
}


@dataclass(frozen=True, slots=True)
class Strangers:
    """Who from outside may read: surely, and perhaps, in words. `unreadable` says why not known."""

    surely: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()
    unreadable: str = ""


def strangers(text: object, secret_arn: str, own_accounts: Collection[str]) -> Strangers:
    """Who outside `own_accounts` may read the secret's value by this policy.

    Takes the policy as it stands in the record; never raises.
    """
    if not isinstance(text, str):
        return Strangers(unreadable="the record does not hold the policy")
    try:
        policy = parse(text)
    except PolicyError as error:
        return Strangers(unreadable=f"the policy cannot be read: {error}")
    resource = secret_arn if secret_arn.startswith("arn:") else None
    surely: list[str] = []
    perhaps: list[str] = []
    for who, principals, context in _asking(policy, own_accounts):
        outcomes = {
            evaluate(
                policy,
                Request(action=read, resource=resource, principals=principals, context=context),
            ).outcome
            for read in READS
        }
        if Outcome.ALLOW in outcomes:
            surely.append(who)
        elif Outcome.UNKNOWN in outcomes:
            perhaps.append(who)
    if surely[:1] == [EVERYBODY]:
        return Strangers(surely=(EVERYBODY,))  # whoever is named besides is one of them
    return Strangers(tuple(surely), tuple(perhaps))


EVERYBODY = "everybody"


def _asking(
    policy: Policy, own_accounts: Collection[str]
) -> Iterator[tuple[str, frozenset[str], dict[str, str | None]]]:
    """Those who might read: anybody at all, and whoever else the policy names."""
    nobody = f"AWS:{_NOBODY}", f"AWS:arn:aws:iam::{_NOBODY}:role/stranger"
    yield EVERYBODY, frozenset(nobody), {**_STRANGE, "aws:PrincipalAccount": _NOBODY}
    named = {
        name
        for statement in policy.statements
        if statement.effect == "Allow" and not statement.principals.negated
        for name in statement.principals.values
    }
    for name in sorted(named):
        account = _ACCOUNT.match(name)
        if account and account[1] not in own_accounts:
            asks = frozenset({name, f"AWS:{account[1]}"})
            context = {**_STRANGE, "aws:PrincipalAccount": account[1]}
            del context["aws:PrincipalOrgID"], context["aws:PrincipalOrgPaths"]  # may be a sister
            yield name.removeprefix("AWS:"), asks, context
