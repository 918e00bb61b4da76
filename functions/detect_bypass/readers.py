"""Whom a secret's resource policy lets read its value, or let itself read it. Pure.

The policy alone is judged, by what it decides: see "Determining whether a request is allowed or
denied" in the IAM user guide. Principals of the secret's own account are not asked about, since
their own policies may allow the same; anybody else needs this policy. Who else there is, the policy
says: in its principals, and in its conditions on who asks ("AWS global condition context keys").
What a stranger chooses freely, such as the tags of a role of its own, excludes none.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from ipaddress import ip_network
from itertools import islice

from detect_bypass.judge.spelling import OPEN_SUFFIX
from guard.policy import Policy, PolicyError, parse
from guard.policy.conditions import Condition
from guard.policy.document import EVERYONE, Statement
from guard.policy.evaluate import Outcome, Request, evaluate
from guard.policy.matching import Matcher
from guard.policy.operators import Value

READS = ("secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue")
SETS = ("secretsmanager:PutResourcePolicy",)  # whoever may can let itself read
_WAYS = ((READS, ""), (SETS, " (by setting the policy)"))
EVERYBODY = "everybody"

_ASKED = 50  # strangers of one policy
_TOO_WIDE = 8  # bits: in a network with a shorter prefix anybody can have an address
_NOBODY = "000000000000"  # an account that no policy means
_ACCOUNT_ID = re.compile(r"(?<!\d)\d{12}(?!\d)", re.ASCII)
_ORGANIZATION_ID = re.compile(r"o-[a-z0-9]{10,32}", re.ASCII)

_ACCOUNT, _ARN = "aws:principalaccount", "aws:principalarn"
_ORGANIZATION, _PATHS = "aws:principalorgid", "aws:principalorgpaths"
# What a stranger's request surely has, lacks or is not; all else about it is unknown.
_STRANGE: dict[str, Value] = {
    "aws:principalisawsservice": "false",
    "aws:viaawsservice": "false",
    "aws:sourceaccount": None,
    "aws:sourcearn": None,
    "aws:securetransport": "true",
    "aws:multifactorauthpresent": "true",
}
# What the stranger, or the administrator of its account, writes as it likes.
_FREE = re.compile(
    r"aws:(principaltag/.*|username|userid|useragent|referer|sourceidentity|principaltype)"
    r"|secretsmanager:versionstage",
    re.ASCII,
)
_ANY_VPC = {"aws:sourcevpc": ("*", "vpc-*"), "aws:sourcevpce": ("*", "vpce-*")}


@dataclass(frozen=True, slots=True)
class Strangers:
    """Who from outside may read: surely, and perhaps, in words. `unreadable` says why not known,
    `unasked` how many there are whom nobody asked about.
    """

    surely: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()
    unreadable: str = ""
    unasked: int = 0


@dataclass(frozen=True, slots=True)
class _Stranger:
    """Somebody who asks: in words, by its names as a principal, and what is known of it.

    `perhaps_ours`: of an organization that may be ours.
    """

    name: str
    principals: frozenset[str]
    known: dict[str, Value] = field(default_factory=dict[str, Value])
    perhaps_ours: bool = False


def strangers(
    text: object, secret_arn: str, own_accounts: Collection[str], organization: str = ""
) -> Strangers:
    """Who outside `own_accounts` and `organization` may read the secret's value by this policy.

    Takes the policy as it stands in the record. Where our organization is not given, nobody knows
    whether one that the policy names is ours. Never raises.
    """
    if not isinstance(text, str):
        return Strangers(unreadable="the record does not hold the policy")
    try:
        policy = parse(text)
    except PolicyError as error:
        return Strangers(unreadable=f"the policy cannot be read: {error}")
    resources, matcher, chosen = _resources(policy, secret_arn), Matcher(), _chosen(policy)
    surely: list[str] = []
    perhaps: list[str] = []
    asking = _asking(policy, own_accounts, organization)
    for one in islice(asking, _ASKED):
        known = {**_STRANGE, **_of_secret(resources[0]), **chosen, **one.known}
        found = {
            f"{one.name}{how}": {
                evaluate(
                    policy,
                    Request(
                        action=action, resource=resource, principals=one.principals, context=known
                    ),
                    matcher,
                ).outcome
                for action in actions
                for resource in resources
            }
            for actions, how in _WAYS
        }
        may = [name for name, outcomes in found.items() if outcomes != {Outcome.DENY}]
        does = [name for name in may if Outcome.ALLOW in found[name]]
        if does and not one.perhaps_ours:
            surely.append(does[0])
        elif may:
            perhaps.append(may[0])
    if surely and surely[0].startswith(EVERYBODY):
        return Strangers(surely=(surely[0],))  # whoever is named besides is one of them
    if more := sum(1 for _ in asking):
        perhaps.append(f"{more:,} others whom nobody asked about")
    return Strangers(tuple(surely), tuple(perhaps), unasked=more)


def _resources(policy: Policy, arn: str) -> list[str | None]:
    """The secret's ARN: with the suffix that the policy names, where the caller named none.

    A last word of the name may be the suffix.
    """
    if not arn.endswith(OPEN_SUFFIX):
        return [arn if arn.startswith("arn:") else None]
    start = arn.removesuffix(OPEN_SUFFIX)
    spelled = {one for statement in policy.statements for one in statement.resources.values}
    own = [one for one in spelled if one.startswith(f"{start}-") and len(one) == len(arn)]
    literal = next((one for one in own if not {*"*?"} & {*one}), arn)
    return [literal, start] if start[-len(OPEN_SUFFIX)] == "-" else [literal]


def _of_secret(arn: str | None) -> dict[str, Value]:
    """What whoever reads the secret asks for, by its ARN."""
    _, _, _, region, account, *_ = [*(arn or "").split(":"), *[""] * 5]
    return {"aws:requestedregion": region, "aws:resourceaccount": account} if account else {}


def _asking(policy: Policy, own: Collection[str], organization: str) -> Iterator[_Stranger]:
    """Those who might read: anybody at all, and whoever else the policy names."""
    nobody = _Stranger(
        EVERYBODY,
        frozenset({f"AWS:{_NOBODY}", f"AWS:arn:aws:iam::{_NOBODY}:role/stranger"}),
        {_ACCOUNT: _NOBODY, _ARN: f"arn:aws:iam::{_NOBODY}:role/stranger"},
    )
    yield _Stranger(
        nobody.name, nobody.principals, {**nobody.known, _ORGANIZATION: None, _PATHS: None}
    )
    named = [_stranger(name) for name in _named(policy) if _account_in(name) not in own]
    yield from named
    paths = _named_by(policy, _PATHS)
    organizations = {*_named_by(policy, _ORGANIZATION), *(one.partition("/")[0] for one in paths)}
    for one in sorted(organizations - {organization}):
        of_it = tuple(_example(path) for path in paths if path.startswith(one)) or None
        member: dict[str, Value] = {_ORGANIZATION: _example(one), _PATHS: of_it}
        ours = not organization and bool(_ORGANIZATION_ID.fullmatch(one))
        for who in (nobody, *named):
            name = "anybody" if who is nobody else who.name
            known = {**who.known, **member}
            yield _Stranger(f"{name} of organization {one}", who.principals, known, ours)


def _stranger(name: str) -> _Stranger:
    """A principal that the policy names, in the form of `Statement.principals`."""
    kind, _, id_ = name.partition(":")
    example = _example(id_)
    account = _account_in(name) or (_NOBODY if ":" in id_ else example)
    if kind != "AWS":
        return _Stranger(f"whoever signs in by {id_}", frozenset({name}))
    known: dict[str, Value] = {_ACCOUNT: account}
    if id_ != account and ":assumed-role/" not in id_:
        known[_ARN] = example
    return _Stranger(id_, frozenset({f"AWS:{example}", f"AWS:{account}"}), known)


def _named(policy: Policy) -> list[str]:
    """The principals that an Allow names or a Deny excepts, as such or in a condition."""
    names = {
        name
        for statement in policy.statements
        if (statement.effect == "Deny") == statement.principals.negated and _is_of_reads(statement)
        for name in statement.principals.values
        if name != EVERYONE and not name.startswith("Service:")
    }
    return sorted(
        names | {f"AWS:{one}" for key in (_ACCOUNT, _ARN) for one in _named_by(policy, key)}
    )


def _is_of_reads(statement: Statement) -> bool:
    """Whether it can decide a read: whom it names for nothing else takes no place of others."""
    actions = statement.actions
    ways = (*READS, *SETS)
    matched = (fnmatchcase(way.lower(), one) for way in ways for one in actions.values)
    return statement.effect == "Deny" or actions.negated or any(matched)


def _account_in(name: str) -> str:
    found = _ACCOUNT_ID.search(name)
    return found[0] if found else ""


def _named_by(policy: Policy, key: str) -> set[str]:
    """The values of a condition key with which an Allow applies, or a Deny does not."""
    return {
        value if condition.operator != "Null" else "*"
        for statement, condition in _conditions(policy)
        if condition.key == key and _helps(statement, condition) and _is_of_reads(statement)
        for value in condition.values
    }


def _conditions(policy: Policy) -> Iterator[tuple[Statement, Condition]]:
    for statement in policy.statements:
        for condition in sorted(statement.conditions, key=repr):
            yield statement, condition


def _helps(statement: Statement, condition: Condition) -> bool:
    """Whether who meets it is let in, or not kept out; of Null, who has the key at all."""
    if condition.operator == "Null":
        return condition.values == {"false" if statement.effect == "Allow" else "true"}
    return (statement.effect == "Deny") == condition.negative


def _chosen(policy: Policy) -> dict[str, Value]:
    """What a stranger has under the keys that it chooses freely, so that it is let in."""
    chosen: dict[str, Value] = {}
    # Null last: it takes any value.
    some = sorted(_conditions(policy), key=lambda pair: pair[1].operator == "Null")
    for statement, condition in some:
        key, values = condition.key, sorted(condition.values)
        if _FREE.fullmatch(key):
            chosen.setdefault(key, None)
            if not _helps(statement, condition):
                values = []
        elif not _helps(statement, condition):
            continue
        elif key == "aws:sourceip":
            wide = (net for net in map(ip_network, values) if net.prefixlen < _TOO_WIDE)
            values = [str(net.network_address + 1) for net in wide]
        elif key in _ANY_VPC:
            values = [one for one in values if one in _ANY_VPC[key]]
        else:
            continue
        if values and chosen.get(key) is None:
            chosen[key] = _example(values[0])
    return chosen


def _example(pattern: str) -> str:
    """A text that the pattern matches."""
    return pattern.replace("*", "x").replace("?", "x")
