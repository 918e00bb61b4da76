"""When one pattern, condition or statement surely reaches as far as another: yes is certain."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.policy import parse
from guard.policy.coverage import covers
from guard.policy.matching import TooLarge, arn_covers, meets
from guard.policy.matching import covers as pattern_covers

ACCOUNT = "123456789012"
ROLE = "arn:aws:iam::123456789012:role/app"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-a1b2c3"


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ("*", "anything", True),
        ("*", "${aws:username}", True),
        ("a*", "abc", True),
        ("a*", "a", True),
        ("a*", "a*b", True),
        ("a*b", "a*", False),
        ("a*c", "a*b*c", True),
        ("a?", "ab", True),
        ("a?", "a?", True),
        ("a?", "a*", False),
        ("a?", "a", False),
        ("a?*", "a*", False),
        ("a*", "a?*", True),
        ("ab", "a?", False),
        ("ab", "AB", False),
        ("a*", "a${aws:username}", True),
        ("a?", "a${aws:username}", False),
        ("a${aws:username}", "a${aws:username}", True),
        ("a${aws:username}*", "a${aws:username}b", True),
        ("a${aws:username}", "ab", False),
        ("a${*}", "ab", False),
        ("a${*}", "a*", False),
        ("*a*a*a", "aaba", True),
        ("*a*b*", "ba", False),
    ],
)
def test_patterns(wide: str, narrow: str, covered: bool):
    assert pattern_covers(wide, narrow) is covered


def test_patterns_of_many_stars_are_compared_within_their_steps():
    assert pattern_covers("*a" * 17, "a" * 17)
    assert not pattern_covers("*a" * 17 + "b", "a" * 17)
    with pytest.raises(TooLarge):
        pattern_covers("*a" * 5_000 + "b", "a" * 10_000)
    with pytest.raises(TooLarge):
        meets("*a" * 5_000 + "b", "*a" * 5_000)


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ("*", SECRET, True),
        (SECRET, SECRET, True),
        ("arn:aws:secretsmanager:*:*:secret:*", SECRET, True),
        ("arn:aws:secretsmanager:*:*:*", SECRET, True),
        ("arn:aws:secretsmanager:*:secret:db-a1b2c3", SECRET, False),
        ("arn:aws:secretsmanager:*", SECRET, False),
        ("arn:aws:*:*:*:*", "arn:aws:iam::*:role/*", True),
        ("arn:aws:iam::*:role/app", ROLE, True),
        ("arn:aws:iam:::role/app", ROLE, False),
        (SECRET, "*", False),
        ("arn:*:*:*:*:*", "*", False),
        ("arn:a:b:c:d:e*", "arn:a:b:c:d:e:f", True),
        ("arn:a:b:c:d:${aws:username}", "arn:a:b:c:d:${aws:username}", True),
    ],
)
def test_arns(wide: str, narrow: str, covered: bool):
    assert arn_covers(wide, narrow) is covered


@pytest.mark.parametrize(
    ("a", "b", "met"),
    [
        ("abc", "abc", True),
        ("abc", "abd", False),
        ("a*", "*b", True),
        ("a*", "b*", False),
        ("a?c", "ab?", True),
        ("a?", "a", False),
        ("*", "", True),
        ("a*b*c", "abc", True),
        ("${aws:username}", "anything", True),
        ("a${aws:username}", "b", False),
    ],
)
def test_patterns_that_meet(a: str, b: str, met: bool):
    assert meets(a, b) is met
    assert meets(b, a) is met


words = st.text(alphabet="ab*?", max_size=5)


@given(words, words)
def test_what_is_covered_is_met(wide: str, narrow: str):
    if pattern_covers(wide, narrow):
        assert meets(wide, narrow)


@given(words, words, words)
def test_covering_goes_on(a: str, b: str, c: str):
    if pattern_covers(a, b) and pattern_covers(b, c):
        assert pattern_covers(a, c)


def statement(**elements: Any):
    base = {"Effect": "Allow", "Principal": "*", "Action": "a:B", "Resource": "*"} | elements
    left = {key: value for key, value in base.items() if value is not None}
    return parse(json.dumps({"Version": "2012-10-17", "Statement": left})).statements[0]


def asking(operator: str, key: str, *values: str) -> dict[str, Any]:
    return {"Condition": {operator: {key: list(values)}}}


ANYBODY_BUT = {"Effect": "Deny", "Principal": None}
ANY_ACTION_BUT = {"Action": None}

STATEMENTS = [
    ({}, {}, True),
    ({}, {"Effect": "Deny"}, False),
    ({"Action": "a:*"}, {"Action": ["a:B", "a:C*"]}, True),
    ({"Action": "a:B"}, {"Action": ["a:B", "a:C"]}, False),
    ({"Action": ["a:C", "a:B"]}, {}, True),
    ({}, {"Resource": SECRET}, True),
    ({"Resource": SECRET}, {}, False),
    ({"Resource": "arn:aws:secretsmanager:*:secret:db-a1b2c3"}, {"Resource": SECRET}, False),
    # Principals
    ({}, {"Principal": {"AWS": ROLE}}, True),
    ({}, {"Principal": {"Service": "ecs.amazonaws.com"}}, True),
    ({"Principal": {"AWS": ACCOUNT}}, {"Principal": {"AWS": ROLE}}, True),
    ({"Principal": {"AWS": "999999999999"}}, {"Principal": {"AWS": ROLE}}, False),
    ({"Principal": {"AWS": ACCOUNT}}, {"Principal": {"AWS": "AIDAIOSFODNN7EXAMPLE1"}}, False),
    ({"Principal": {"AWS": ACCOUNT}}, {"Principal": {"Federated": ROLE}}, False),
    ({"Principal": {"AWS": ACCOUNT}}, {}, False),
    ({"Principal": {"AWS": ROLE}}, {"Principal": {"AWS": ACCOUNT}}, False),
    (
        ANYBODY_BUT | {"NotPrincipal": {"AWS": ROLE}},
        ANYBODY_BUT | {"NotPrincipal": {"AWS": [ROLE, ACCOUNT]}},
        True,
    ),
    (
        ANYBODY_BUT | {"NotPrincipal": {"AWS": [ROLE, ACCOUNT]}},
        ANYBODY_BUT | {"NotPrincipal": {"AWS": "999999999999"}},
        False,
    ),
    (
        ANYBODY_BUT | {"NotPrincipal": {"AWS": ROLE}},
        {"Effect": "Deny", "Principal": {"AWS": "999999999999"}},
        False,
    ),
    ({"Effect": "Deny"}, ANYBODY_BUT | {"NotPrincipal": {"AWS": ROLE}}, True),
    # NotAction and NotResource
    (ANY_ACTION_BUT | {"NotAction": "c:*"}, {"Action": "a:*"}, True),
    (ANY_ACTION_BUT | {"NotAction": "a:B"}, {"Action": "a:*"}, False),
    (ANY_ACTION_BUT | {"NotAction": "a:B*"}, {"Action": "a:C"}, True),
    (ANY_ACTION_BUT | {"NotAction": "a:*"}, ANY_ACTION_BUT | {"NotAction": ["a:*", "c:D"]}, True),
    (ANY_ACTION_BUT | {"NotAction": ["a:*", "c:D"]}, ANY_ACTION_BUT | {"NotAction": "a:*"}, False),
    ({"Action": "*"}, ANY_ACTION_BUT | {"NotAction": "a:*"}, True),
    ({"Action": "a:*"}, ANY_ACTION_BUT | {"NotAction": "c:*"}, False),
    ({"Resource": None, "NotResource": "arn:*${aws:username}"}, {"Resource": SECRET}, False),
    # Conditions
    ({}, asking("StringEquals", "k:k", "a"), True),
    (asking("StringEquals", "k:k", "a"), {}, False),
    (asking("StringEquals", "k:k", "a", "b"), asking("StringEquals", "k:k", "a"), True),
    (asking("StringEquals", "k:k", "a"), asking("StringEquals", "k:k", "a", "b"), False),
    (asking("StringNotEquals", "k:k", "a"), asking("StringNotEquals", "k:k", "a", "b"), True),
    (asking("StringNotEquals", "k:k", "a", "b"), asking("StringNotEquals", "k:k", "a"), False),
    (asking("StringLike", "k:k", "a*"), asking("StringLike", "k:k", "ab?"), True),
    (asking("StringNotLike", "k:k", "ab?"), asking("StringNotLike", "k:k", "a*"), True),
    (asking("StringEquals", "k:k", "a*"), asking("StringEquals", "k:k", "ab"), False),
    (asking("StringEqualsIfExists", "k:k", "a"), asking("StringEquals", "k:k", "a"), True),
    (asking("StringEquals", "k:k", "a"), asking("StringEqualsIfExists", "k:k", "a"), False),
    (asking("StringEquals", "k:k", "a"), asking("StringEquals", "k:other", "a"), False),
    (asking("ForAllValues:StringLike", "k:k", "a*"), asking("StringLike", "k:k", "a*"), False),
    (asking("ArnLike", "k:k", "arn:*:role/app"), asking("ArnLike", "k:k", ROLE), False),
    (asking("ArnLike", "k:k", "arn:aws:iam::*:role/*"), asking("ArnLike", "k:k", ROLE), True),
    (asking("StringLike", "k:k", "arn:*:role/app"), asking("StringLike", "k:k", ROLE), True),
]


@pytest.mark.parametrize(("wide", "narrow", "covered"), STATEMENTS)
def test_statements(wide: dict[str, Any], narrow: dict[str, Any], covered: bool):
    assert covers(statement(**wide), statement(**narrow)) is covered
