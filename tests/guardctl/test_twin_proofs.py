"""The exhaustive proof of `guardctl twin`: nothing proposed is wrong, every mutant is caught."""

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.policy.evaluate import Outcome, Request, evaluate
from guardctl.policies import SHIPPED
from guardctl.twin import exhaustive
from guardctl.twin.exhaustive import Exhausted, TooMany
from guardctl.twin.family import MOST_CHARACTERS, Candidate, NotProposable, fill
from guardctl.twin.logged import Policies, read
from guardctl.twin.meaning import Meaning
from guardctl.twin.scope import Kind, Scope

FAMILY = (SHIPPED / "own-account.json").read_text()
ACCOUNT, OTHER_ACCOUNT = "111122223333", "444455556666"
VPCS = tuple(f"vpc-{number:017x}" for number in range(1, 200))
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ci-*"
PLAIN = Scope(
    kind=Kind.RCP, vpcs={"eu-west-1": frozenset(VPCS[:2]), "us-east-1": frozenset(VPCS[2:4])}
)
RICH = replace(
    PLAIN,
    networks=frozenset({"203.0.113.0/24", "2001:db8::/32"}),
    principals=frozenset({ROLE}),
    tags=frozenset({"break-glass=yes", "network!=inside"}),
    only_tagged="vpce-guard:perimeter",
)
ENDPOINT = Scope(kind=Kind.ENDPOINT, accounts=frozenset({ACCOUNT, OTHER_ACCOUNT}))
SCOPES = {
    "secret": replace(PLAIN, kind=Kind.SECRET),
    "rcp": PLAIN,
    "scp": replace(PLAIN, kind=Kind.SCP),
    "endpoint": ENDPOINT,
    "rich secret": replace(RICH, kind=Kind.SECRET, only_tagged=""),
    "rich rcp": RICH,
    "rich scp": replace(RICH, kind=Kind.SCP, only_tagged=""),
}


def proofs(scope: Scope, candidates: tuple[Candidate, ...]) -> Iterator[Exhausted]:
    for region, policy in Policies.of(scope.kind, candidates).regions.items():
        yield exhaustive.prove(policy, Meaning(scope, region))


def wrong(scope: Scope, candidates: tuple[Candidate, ...]) -> bool:
    """Whether anything is: it ends with the first context that is."""
    policies = Policies.of(scope.kind, candidates).regions
    return any(
        one is not None
        for region, policy in policies.items()
        for one in exhaustive.tries(policy, Meaning(scope, region))
    )


@pytest.mark.parametrize("name", SCOPES)
def test_nothing_is_wrong_in_what_is_proposed(name: str):
    scope = SCOPES[name]
    for one in proofs(scope, fill(scope, FAMILY)):
        assert (one.count, one.wrong) == (0, [])
        assert one.contexts >= 24


# Mutants

type Json = dict[str, Any]
NEGATIVE = ("StringNotEquals", "ArnNotLike", "NotIpAddress")


def mutants(statements: list[Json], kind: Kind) -> Iterator[tuple[str, list[Json]]]:
    for number, statement in enumerate(statements):
        rest = statements[:number] + statements[number + 1 :]
        if rest:
            yield f"without {statement['Sid']}", rest
        for name, other in changed(statement, kind):
            yield f"{statement['Sid']}: {name}", [*rest, other]


def changed(statement: Json, kind: Kind) -> Iterator[tuple[str, Json]]:
    other = "Allow" if statement["Effect"] == "Deny" else "Deny"
    yield "effect", {**statement, "Effect": other}
    for action in ("secretsmanager:DescribeSecret", "secretsmanager:Get*", "s3:*", "*"):
        yield f"action {action}", {**statement, "Action": action}
    for action in statement["Action"] if isinstance(statement["Action"], list) else []:
        less = [one for one in statement["Action"] if one != action]
        yield f"without {action}", {**statement, "Action": less}
    some = "arn:aws:secretsmanager:*:*:secret:some/*"
    yield "resource", {**statement, "Resource": some}
    if kind is not Kind.SCP:
        yield "principal", {**statement, "Principal": {"AWS": OTHER_ACCOUNT}}
    for name, block in conditions(statement["Condition"]):
        if block:
            yield name, {**statement, "Condition": block}


def conditions(block: Json) -> Iterator[tuple[str, Json]]:
    for operator, keys in block.items():
        for renamed in operators(operator):
            less = {one: value for one, value in block.items() if one != operator}
            yield f"{operator} as {renamed}", {**less, renamed: {**less.get(renamed, {}), **keys}}
        for key, values in keys.items():
            yield f"without {key}", _with(block, operator, key, None)
            for name, others in valued(operator, key, values):
                yield f"{key} {name}", _with(block, operator, key, others)
    stranger = {"StringNotEqualsIfExists": {**block.get("StringNotEqualsIfExists", {})}}
    stranger["StringNotEqualsIfExists"]["aws:PrincipalOrgID"] = "o-a1b2c3d4e5"
    yield "another organization", {**block, **stranger}
    yield "any endpoint", {**block, "Null": {**block.get("Null", {}), "aws:SourceVpce": "true"}}


def operators(operator: str) -> Iterator[str]:
    """Other operators, without those that mean the same: a negative one holds of an absent key."""
    base = operator.removesuffix("IfExists")
    if base == "Null":
        return
    if base not in NEGATIVE:
        yield base if base != operator else f"{base}IfExists"
    match base:
        case "Bool":
            yield "StringNotEquals"
        case "NotIpAddress":
            yield "IpAddress"
        case _:
            opposite = base.replace("Not", "") if "Not" in base else base.replace("E", "NotE")
            yield opposite
            yield f"{opposite}IfExists"


def valued(operator: str, key: str, values: Any) -> Iterator[tuple[str, Any]]:
    if values in ("true", "false"):
        yield "turned", "true" if values == "false" else "false"
        if "Null" not in operator:
            yield "both", ["true", "false"]
        return
    listed = values if isinstance(values, list) else [values]
    for one in listed:
        if len(listed) > 1:
            yield f"less {one}", [other for other in listed if other != one]
    another = {
        "aws:SourceVpc": VPCS[100],
        "aws:SourceIp": "203.0.112.0/24",
        "aws:RequestedRegion": "ap-south-1",
        "aws:PrincipalArn": f"arn:aws:iam::{OTHER_ACCOUNT}:role/ci-*",
    }.get(key, "another")
    yield "more", [*listed, another]
    yield "another", another
    if key == "aws:PrincipalArn":
        yield "wider", [*listed, f"arn:aws:iam::{ACCOUNT}:role/c*"]
        yield "all", "*"
    if key == "aws:SourceIp":
        yield "wider", ["203.0.112.0/23", "2001:db8::/32"]
        yield "narrower", ["203.0.113.0/25", "2001:db8::/32"]


def _with(block: Json, operator: str, key: str, values: Any) -> Json:
    found = copy.deepcopy(block)
    if values is None:
        del found[operator][key]
        if not found[operator]:
            del found[operator]
    else:
        found[operator][key] = values
    return found


def all_mutants(scope: Scope) -> Iterator[tuple[str, tuple[Candidate, ...]]]:
    candidates = fill(scope, FAMILY)
    for number, one in enumerate(candidates):
        document = json.loads(one.text)
        for name, statements in mutants(document["Statement"], scope.kind):
            text = json.dumps({**document, "Statement": statements})
            others = (*candidates[:number], *candidates[number + 1 :])
            yield name, (*others, replace(one, text=text))


@pytest.mark.parametrize("name", SCOPES)
def test_every_mutant_is_caught(name: str):
    scope = SCOPES[name]
    caught = {mutant: wrong(scope, candidates) for mutant, candidates in all_mutants(scope)}
    assert len(caught) > 15
    assert [mutant for mutant, is_caught in caught.items() if not is_caught] == []


@pytest.mark.parametrize(
    ("key", "operator"),
    [
        ("aws:PrincipalIsAWSService", "Bool"),
        ("aws:ViaAWSService", "Bool"),
        ("aws:RequestedRegion", "StringEqualsIfExists"),
    ],
)
def test_a_mutant_that_differs_where_a_key_is_absent_is_caught_there(key: str, operator: str):
    (one,) = fill(PLAIN, FAMILY)
    document = json.loads(one.text)
    for statement in document["Statement"]:
        condition = statement["Condition"]
        before = next(name for name, keys in condition.items() if key in keys)
        condition[operator] = {key: condition[before].pop(key)}
    (found,) = proofs(PLAIN, (replace(one, text=json.dumps(document)),))
    assert found.count
    assert {wrong.context[key.lower()] for wrong in found.wrong} == {None}


def test_what_neither_spells_out_is_tried_too():
    """Denied only where there is no VPC at all, so any other one passes."""
    scope = of_vpcs(2, "eu-west-1")
    (one,) = fill(scope, FAMILY)
    document = json.loads(one.text)
    document["Statement"][0]["Condition"]["Null"] = {"aws:SourceVpc": "true"}
    (found,) = proofs(scope, (replace(one, text=json.dumps(document)),))
    assert found.count == 1
    assert found.wrong[0].context["aws:sourcevpc"] not in (None, *VPCS[:2])


def test_a_hole_between_two_networks_is_found():
    ends = frozenset({"203.0.113.0/26", "203.0.113.192/26"})
    scope = replace(of_vpcs(2, "eu-west-1"), networks=ends)
    (one,) = fill(scope, FAMILY)
    document = json.loads(one.text)
    document["Statement"][0]["Condition"]["NotIpAddressIfExists"]["aws:SourceIp"] = "203.0.113.0/24"
    assert not wrong(scope, (one,))
    assert wrong(scope, (replace(one, text=json.dumps(document)),))


def test_what_means_the_same_is_no_mutant():
    (one,) = fill(PLAIN, FAMILY)
    same = one.text.replace("NotEqualsIfExists", "NotEquals").replace(
        "ArnNotLikeIfExists", "ArnNotEquals"
    )
    assert same != one.text
    assert not wrong(PLAIN, (replace(one, text=same),))


@pytest.mark.parametrize("value", ["${aws:PrincipalTag/vpc}", f"{VPCS[0]}${{aws:username}}"])
def test_what_cannot_be_listed_is_not_said_to_be_proven(value: str):
    (one,) = fill(PLAIN, FAMILY)
    text = one.text.replace(VPCS[0], value)
    with pytest.raises(TooMany, match="policy variables"):
        wrong(PLAIN, (replace(one, text=text),))


def test_too_many_contexts_are_not_tried(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exhaustive, "MOST_CONTEXTS", 63)
    with pytest.raises(TooMany, match="it distinguishes 144 contexts"):
        wrong(PLAIN, fill(PLAIN, FAMILY))


# Any scope, any request

addresses = st.sampled_from(["203.0.112.255", "203.0.113.0", "203.0.113.77", "2001:db8::1"])
values: dict[str, st.SearchStrategy[str | None]] = {
    "aws:RequestedRegion": st.sampled_from([None, "eu-west-1", "us-east-1", "ap-south-1"]),
    "aws:SourceVpc": st.sampled_from([None, *VPCS[:6]]),
    "aws:SourceIp": st.none() | addresses,
    "aws:PrincipalIsAWSService": st.sampled_from([None, "true", "false"]),
    "aws:ViaAWSService": st.sampled_from([None, "true", "false"]),
    "aws:PrincipalArn": st.sampled_from(
        [
            None,
            f"arn:aws:iam::{ACCOUNT}:role/ci-1",
            f"arn:aws:iam::{ACCOUNT}:role/c",
            f"arn:aws:iam::{OTHER_ACCOUNT}:role/ci-1",
            f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/x/y",
        ]
    ),
    "aws:PrincipalTag/break-glass": st.sampled_from([None, "yes", "no"]),
    "aws:PrincipalTag/network": st.sampled_from([None, "inside", "out"]),
    "aws:ResourceTag/vpce-guard:perimeter": st.sampled_from([None, "", "x"]),
}
contexts = st.fixed_dictionaries(values)
RICH_MUTANTS = list(all_mutants(RICH))


def right(context: dict[str, str | None]) -> bool:
    """Whether a value may be read from RICH, in the plainest words."""
    arn, region = context["aws:PrincipalArn"] or "", context["aws:RequestedRegion"] or ""
    return (
        region not in RICH.vpcs
        or context["aws:ResourceTag/vpce-guard:perimeter"] is None
        or context["aws:SourceVpc"] in RICH.vpcs[region]
        or "true" in (context["aws:PrincipalIsAWSService"], context["aws:ViaAWSService"])
        or arn.startswith((f"arn:aws:iam::{ACCOUNT}:role/ci-", "arn:aws:iam::x:role/aws-service"))
        or ":role/aws-service-role/" in arn
        or (context["aws:SourceIp"] or "").startswith(("203.0.113.", "2001:db8:"))
        or context["aws:PrincipalTag/break-glass"] == "yes"
        or context["aws:PrincipalTag/network"] != "inside"
    )


def asked(context: dict[str, str | None]) -> Request:
    return Request(action="secretsmanager:GetSecretValue", context=context, complete=True)


@given(contexts)
def test_any_request_is_decided_as_it_must_be(context: dict[str, str | None]):
    (policy,) = Policies.of(RICH.kind, fill(RICH, FAMILY)).regions.values()
    expected = Outcome.ALLOW if right(context) else Outcome.DENY
    assert evaluate(policy, asked(context)).outcome is expected


@given(st.sampled_from(RICH_MUTANTS), contexts)
def test_no_request_is_wrong_in_what_was_proven(mutant: Any, context: dict[str, str | None]):
    """What is wrong for any request at all is wrong in one of the contexts that were tried."""
    _, candidates = mutant
    (policy,) = Policies.of(RICH.kind, candidates).regions.values()
    expected = Outcome.ALLOW if right(context) else Outcome.DENY
    if evaluate(policy, asked(context)).outcome is not expected:
        assert wrong(RICH, candidates)


# Sizes


def of_vpcs(number: int, *regions: str, kind: Kind = Kind.RCP) -> Scope:
    return Scope(kind=kind, vpcs=dict.fromkeys(regions, frozenset(VPCS[:number])))


@pytest.mark.parametrize("kind", [Kind.RCP, Kind.SCP])
def test_a_policy_keeps_the_size_that_aws_allows(kind: Kind):
    scope = of_vpcs(150, "eu-west-1", kind=kind)
    (one,) = fill(scope, FAMILY)
    assert 3_600 < len(one.text) <= MOST_CHARACTERS[kind] == 5_120
    assert not wrong(scope, (one,))


def test_what_one_policy_cannot_hold_is_several_that_act_together():
    scope = of_vpcs(90, "eu-west-1", "eu-west-3", "us-east-1", "us-west-2")
    found = fill(scope, FAMILY)
    assert [one.name for one in found] == ["rcp-1", "rcp-2", "rcp-3", "rcp-4"]
    assert all(len(one.text) <= MOST_CHARACTERS[Kind.RCP] for one in found)
    assert not wrong(scope, found)
    assert wrong(scope, found[:3])
    # Three small Regions fit into one.
    assert len(fill(of_vpcs(40, "eu-west-1", "eu-west-3", "us-east-1"), FAMILY)) == 1


def test_a_region_that_no_policy_can_hold_is_not_proposed():
    with pytest.raises(NotProposable, match="5,120 are allowed; propose one for fewer accounts"):
        fill(of_vpcs(199, "eu-west-1"), FAMILY)


def test_the_text_is_readable_while_it_may_be():
    assert "\n  " in fill(of_vpcs(20, "eu-west-1"), FAMILY)[0].text
    assert "\n" not in fill(of_vpcs(150, "eu-west-1"), FAMILY)[0].text


def test_there_is_no_policy_of_nothing():
    with pytest.raises(NotProposable, match="no Region"):
        fill(Scope(kind=Kind.RCP), FAMILY)
    with pytest.raises(NotProposable, match="name your accounts"):
        fill(Scope(kind=Kind.ENDPOINT), FAMILY)


def test_a_scope_is_kept_whole():
    for scope in SCOPES.values():
        assert Scope.from_json(json.loads(json.dumps(scope.to_json()))) == scope


def test_a_service_control_policy_is_read_without_a_principal():
    statement = {"Effect": "Deny", "Action": "secretsmanager:*", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": statement})
    policy = read(text, Kind.SCP)
    assert evaluate(policy, asked({})).outcome is Outcome.DENY
