"""The evaluator, the comparison and the judgement of secrets against a model made another way.

The model makes patterns regular expressions and tries every request of a small world. What
AWS leaves open, it tries both ways: whether a `*` that ends a part of an ARN takes colons.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from guard.policy import parse
from guard.policy.coverage import covers
from guard.policy.evaluate import Outcome, Request, evaluate
from secret_policy.perimeter import Perimeter, gaps, shuts_everybody_out

type Context = Mapping[str, tuple[str, ...] | None]
type Json = dict[str, Any]


# The model


def regex(pattern: str, *, star: str = ".*", one: str = ".") -> str:
    return "".join({"*": star, "?": one}.get(c, re.escape(c)) for c in pattern)


def matches(pattern: str, text: str) -> bool:
    return re.fullmatch(regex(pattern), text, re.DOTALL) is not None


def arn_matches(pattern: str, arn: str, *, reaching: bool) -> bool:
    parts = pattern.split(":", 5)
    if reaching and len(parts) < 6:
        return matches(pattern, arn)
    found: list[str] = []
    for number, part in enumerate(parts):
        if number == 5:
            found.append(regex(part))
        elif part.endswith("*") and (reaching or number == len(parts) - 1):
            found.append(regex(part[:-1], star="[^:]*", one="[^:]") + ".*")
        else:
            found.append(regex(part, star="[^:]*", one="[^:]"))
    return re.fullmatch(":".join(found), arn, re.DOTALL) is not None


def holds(operator: str, expected: list[str], values: tuple[str, ...] | None) -> bool:
    prefix, _, name = operator.rpartition(":")
    if name == "Null":
        return ("false" if values else "true") in expected
    base = name.removesuffix("IfExists")
    if not values:
        if prefix:
            return prefix == "ForAllValues"
        return name.endswith("IfExists") or "Not" in base

    def passes(value: str) -> bool:
        same = matches if base.endswith("Like") else str.__eq__
        return any(same(one, value) for one in expected) != ("Not" in base)

    return any(map(passes, values)) if prefix == "ForAnyValue" else all(map(passes, values))


def applies(statement: Json, action: str, resource: str, context: Context, reaching: bool) -> bool:
    named = "Resource" if "Resource" in statement else "NotResource"
    fits = any(
        one == "*" or arn_matches(one, resource, reaching=reaching) for one in statement[named]
    )
    return (
        any(matches(one, action) for one in statement["Action"])
        and fits == (named == "Resource")
        and all(
            holds(operator, expected, context.get(key))
            for operator, keys in statement["Condition"].items()
            for key, expected in keys.items()
        )
    )


def decision(
    statements: list[Json], action: str, resource: str, context: Context, reaching: bool
) -> Outcome:
    effects = {
        one["Effect"] for one in statements if applies(one, action, resource, context, reaching)
    }
    return Outcome.ALLOW if effects == {"Allow"} else Outcome.DENY


# The world

KEY = "k:k"
ACTIONS = ("s:a", "s:ab")
RESOURCES = ("arn:a:b:c:d:e", "arn:a:b:c:d:a:e", "arn:a:b:b:b:b", "arn:a:bb:c::e")
VALUES = (None, (), ("a",), ("b",), ("ab",), ("a", "b"), ("ab", "c"))

part = st.sampled_from(["a", "b", "*", "?", "a*", "*b", "b?", "b*", "a*b", "c", "d", "e", "*e"])
arn = st.lists(part, min_size=1, max_size=6).map(lambda parts: ":".join(["arn", *parts]))
texts = st.lists(
    st.sampled_from(["a", "b", "ab", "*", "a*", "?", "*b", "a?"]), min_size=1, max_size=3
)


@st.composite
def conditions(draw: st.DrawFn, keys: tuple[str, ...] = (KEY,), values: Any = texts) -> Json:
    block: Json = {}
    for _ in range(draw(st.integers(0, 2))):
        key = draw(st.sampled_from(keys))
        if draw(st.integers(0, 4)) == 0:
            block.setdefault("Null", {})[key] = [draw(st.sampled_from(["true", "false"]))]
            continue
        operator = (
            draw(st.sampled_from(["", "", "ForAnyValue:", "ForAllValues:"]))
            + draw(
                st.sampled_from(["StringEquals", "StringLike", "StringNotEquals", "StringNotLike"])
            )
            + draw(st.sampled_from(["", "IfExists"]))
        )
        block.setdefault(operator, {})[key] = draw(values)
    return block


@st.composite
def statements(draw: st.DrawFn, effects: tuple[str, ...] = ("Allow", "Allow", "Deny")) -> Json:
    return {
        "Effect": draw(st.sampled_from(effects)),
        "Principal": "*",
        "Action": draw(
            st.lists(st.sampled_from(["s:a", "s:*", "s:a?", "*"]), min_size=1, max_size=2)
        ),
        draw(st.sampled_from(["Resource", "Resource", "NotResource"])): draw(
            st.lists(arn | st.just("*"), min_size=1, max_size=2)
        ),
        "Condition": draw(conditions()),
    }


def text(some: list[Json]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": some})


def requests() -> Iterator[tuple[str, str, Context]]:
    for action, resource, values in product(ACTIONS, RESOURCES, VALUES):
        yield action, resource, {KEY: values}


@given(st.lists(statements(), min_size=1, max_size=3))
def test_a_decision_is_that_of_the_model_however_aws_reads_stars(some: list[Json]):
    policy = parse(text(some))
    for action, resource, context in requests():
        request = Request(action=action, resource=resource, context=context, complete=True)
        found = evaluate(policy, request)
        readings = {
            decision(some, action, resource, context, reaching) for reaching in (True, False)
        }
        if found.outcome is not Outcome.UNKNOWN:
            assert readings == {found.outcome}, (action, resource, context)
        else:
            several = len(context[KEY] or ()) > 1  # not documented without a set operator
            assert found.unknown <= {"resource", *([KEY] if several else [])}
            assert len(readings) == 2 or "resource" not in found.unknown or len(some) > 1 or several


@given(st.lists(statements(), min_size=1, max_size=3), st.sampled_from(VALUES))
def test_what_is_not_known_leaves_every_answer_open(some: list[Json], values: Any):
    """Where the resource, the key or both are not known, a decision holds whatever they are."""
    policy = parse(text(some))
    for resource, context in (
        (None, {KEY: values}),
        (RESOURCES[0], {}),
        (RESOURCES[0][:-1] + "?", {KEY: values}),
        (None, {}),
    ):
        request = Request(action="s:a", resource=resource, context=context)
        found = evaluate(policy, request).outcome
        if found is Outcome.UNKNOWN:
            continue
        for one, several, reaching in product(RESOURCES, VALUES, (True, False)):
            if (resource is None or matches(resource, one)) and (not context or several == values):
                assert decision(some, "s:a", one, {KEY: several}, reaching) == found


@given(statements(("Allow",)), statements(("Allow",)))
def test_what_covers_applies_wherever_the_other_does(wide: Json, narrow: Json):
    one, other = parse(text([wide, narrow])).statements
    if covers(one, other):
        for (action, resource, context), reaching in product(requests(), (True, False)):
            if applies(narrow, action, resource, context, reaching):
                assert applies(wide, action, resource, context, reaching)


# Secrets

SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:a-AbCdEf"
READ = "secretsmanager:GetSecretValue"
VPCS = ("vpc-a", "vpc-b", "vpc-ab", "vpc-c", "vpc-z", "vpc-*")
ENDPOINTS = ("vpce-a", "vpce-b", "vpce-z", "vpce-*")
OWN = Perimeter(
    account="111122223333",
    partition="aws",
    vpc_ids=frozenset({"vpc-a", "vpc-c"}),
    endpoint_ids=frozenset({"vpce-a"}),
    served_vpc_ids=frozenset({"vpc-a"}),
)
ids = st.lists(
    st.sampled_from([*VPCS, *ENDPOINTS, "vpc-a*", "vpc?-b", "*", "vpce-?", "true"]),
    min_size=1,
    max_size=4,
)


@st.composite
def denials(draw: st.DrawFn) -> Json:
    where = draw(conditions(("aws:SourceVpc", "aws:SourceVpce", "aws:VpceAccount"), ids))
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": [draw(st.sampled_from([READ, READ, "secretsmanager:*", "secretsmanager:Put*"]))],
        "Resource": [
            draw(
                st.sampled_from(["*", "*", SECRET, SECRET[:-1] + "?", "arn:aws:*:secret:a-AbCdEf"])
            )
        ],
        "Condition": where,
    }


def reads(some: list[Json], vpc: str | None, endpoint: str | None) -> bool:
    """Whether the model finds a reading by which a request that is allowed else is let pass."""
    context = {
        key: (id_,) if id_ else None
        for key, id_ in (("aws:SourceVpc", vpc), ("aws:SourceVpce", endpoint))
    }
    everything = {"Effect": "Allow", "Action": ["*"], "Resource": ["*"], "Condition": {}}
    return any(
        decision([everything, *some], READ, SECRET, context, reaching) is Outcome.ALLOW
        for reaching in (True, False)
    )


@given(st.lists(denials(), min_size=1, max_size=3))
def test_a_policy_without_gaps_lets_nobody_in_from_outside(some: list[Json]):
    whole = gaps(text(some), SECRET, OWN) == ()
    strange = [one for one in VPCS if one not in OWN.vpc_ids]
    ways = [(None, None), *product(strange, [one for one in ENDPOINTS if one != "vpce-a"])]
    if whole:
        assert not any(reads(some, *way) for way in ways)
    if shuts_everybody_out(text(some), SECRET, OWN):
        assert not reads(some, "vpc-a", "vpce-a")


@given(st.lists(denials(), min_size=1, max_size=3))
def test_a_gap_that_is_certain_is_one(some: list[Json]):
    found = gaps(text(some), SECRET, OWN)
    if "a request over the internet is not denied" in found:
        assert reads(some, None, None)
    if "a request through a VPC endpoint of somebody else is not denied" in found:
        assert reads(some, "vpc-other", "vpce-other")
