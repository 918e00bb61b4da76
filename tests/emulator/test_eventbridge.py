"""The matcher against AWS's documented examples, and what PutRule refuses."""

import json

import pytest

from emulator.eventbridge import InvalidPattern, matches, state_admits, validate

IP = "192.0.2.17"

CASES = [
    # The literals: eb-create-pattern-operators
    ({"a": ["x"]}, {"a": "x"}, True),
    ({"a": ["x"]}, {"a": "X"}, False),
    ({"a": [""]}, {"a": ""}, True),
    ({"a": [None]}, {"a": None}, True),
    ({"a": [None]}, {}, False),
    ({"a": [True]}, {"a": True}, True),
    ({"a": [0]}, {"a": False}, False),
    ({"a": [5]}, {"a": 5}, True),
    ({"a": [5]}, {"a": 5.0}, False),
    ({"a": ["5"]}, {"a": 5}, False),
    # prefix, suffix, case
    ({"time": [{"prefix": "2017-10-02"}]}, {"time": "2017-10-02T18:43:48Z"}, True),
    ({"s": [{"prefix": {"equals-ignore-case": "EventB"}}]}, {"s": "EVENTBridge"}, True),
    ({"s": [{"prefix": "EventB"}]}, {"s": "eventbridge"}, False),
    ({"f": [{"suffix": ".png"}]}, {"f": "a.png"}, True),
    ({"f": [{"suffix": {"equals-ignore-case": ".png"}}]}, {"f": "a.PnG"}, True),
    ({"f": [{"suffix": ".png"}]}, {"f": "a.jpg"}, False),
    ({"d": [{"equals-ignore-case": "EC2 Terminated"}]}, {"d": "ec2 TERMINATED"}, True),
    # anything-but
    ({"s": [{"anything-but": "x"}]}, {"s": "y"}, True),
    ({"s": [{"anything-but": "x"}]}, {"s": "x"}, False),
    ({"s": [{"anything-but": "x"}]}, {}, False),
    ({"s": [{"anything-but": ["stopped", "overloaded"]}]}, {"s": "stopped"}, False),
    ({"n": [{"anything-but": [100, 200]}]}, {"n": 300}, True),
    ({"n": [{"anything-but": 100}]}, {"n": 100}, False),
    ({"s": [{"anything-but": {"equals-ignore-case": ["INIT", "fin"]}}]}, {"s": "Fin"}, False),
    ({"s": [{"anything-but": {"prefix": "init"}}]}, {"s": "initial"}, False),
    ({"s": [{"anything-but": {"prefix": ["a", "b"]}}]}, {"s": "c"}, True),
    ({"s": [{"anything-but": {"suffix": ".txt"}}]}, {"s": "a.txt"}, False),
    ({"s": [{"anything-but": {"suffix": [".txt", ".rtf"]}}]}, {"s": "a.png"}, True),
    ({"s": [{"anything-but": {"wildcard": "*/init/*"}}]}, {"s": "a/init/b"}, False),
    ({"s": [{"anything-but": {"wildcard": ["*a", "*b"]}}]}, {"s": "c"}, True),
    # numeric
    ({"c": [{"numeric": [">", 0, "<=", 5]}]}, {"c": 5}, True),
    ({"c": [{"numeric": [">", 0, "<=", 5]}]}, {"c": 0}, False),
    ({"c": [{"numeric": ["<", 10]}]}, {"c": "5"}, False),
    ({"c": [{"numeric": ["=", 3.018e2]}]}, {"c": 301.8}, True),
    ({"c": [{"numeric": [">", 0]}]}, {"c": True}, False),
    # cidr
    ({"ip": [{"cidr": "192.0.2.0/24"}]}, {"ip": IP}, True),
    ({"ip": [{"cidr": "10.0.0.0/8"}]}, {"ip": IP}, False),
    ({"ip": [{"cidr": "2001:db8::/32"}]}, {"ip": "2001:db8::1"}, True),
    ({"ip": [{"cidr": "10.0.0.0/8"}]}, {"ip": "secretsmanager.amazonaws.com"}, False),
    # exists: leaves only
    ({"a": {"b": [{"exists": True}]}}, {"a": {"b": "x"}}, True),
    ({"a": {"b": [{"exists": True}]}}, {"a": {"b": {}}}, False),
    ({"a": {"b": [{"exists": True}]}}, {"a": {"b": {"c": 1}}}, False),
    ({"a": {"b": [{"exists": False}]}}, {"a": {"b": {"c": 1}}}, True),
    ({"a": {"b": [{"exists": False}]}}, {"a": {"b": "x"}}, False),
    ({"a": {"b": [{"exists": False}]}}, {"a": {"c": 1}}, True),
    ({"a": {"b": [{"exists": False}]}}, {}, True),
    ({"a": [{"exists": True}]}, {"a": None}, True),
    ({"a": [{"exists": False}, "x"]}, {"a": "x"}, True),
    ({"a": [{"exists": False}, "x"]}, {"a": "y"}, False),
    # wildcard
    ({"b": [{"wildcard": "dir/*.png"}]}, {"b": "dir/sub/a.png"}, True),
    ({"b": [{"wildcard": "dir/*.png"}]}, {"b": "dir/a.jpg"}, False),
    ({"b": [{"wildcard": "*and*"}]}, {"b": "sand"}, True),
    ({"b": [{"wildcard": "a\\*b"}]}, {"b": "a*b"}, True),
    ({"b": [{"wildcard": "a\\*b"}]}, {"b": "axb"}, False),
    ({"b": [{"wildcard": "a\\\\*"}]}, {"b": "a\\z"}, True),
    # arrays
    ({"a": ["x", "y"]}, {"a": ["y", "z"]}, True),
    ({"a": ["x"]}, {"a": ["y", "z"]}, False),
    ({"a": ["x"]}, {"a": []}, False),
    ({"a": [{"exists": True}]}, {"a": []}, False),
    ({"a": [{"anything-but": "x"}]}, {"a": ["x", "y"]}, True),
    ({"r": {"t": ["b"]}}, {"r": [{"t": "a"}, {"t": "b"}]}, True),
    ({"r": {"t": ["a"], "n": [2]}}, {"r": [{"t": "a", "n": 1}, {"t": "b", "n": 2}]}, False),
    ({"r": {"t": ["a"], "n": [1]}}, {"r": [{"t": "a", "n": 1}, {"t": "b", "n": 2}]}, True),
    ({"r": {"t": ["a"]}}, {"r": "a"}, False),
    # $or
    ({"$or": [{"a": ["x"]}, {"b": [1]}]}, {"b": 1}, True),
    ({"$or": [{"a": ["x"]}, {"b": [1]}]}, {"b": 2}, False),
    ({"s": ["m"], "$or": [{"a": ["x"]}, {"b": [1]}]}, {"s": "n", "b": 1}, False),
    (
        {"d": {"$or": [{"c": [{"numeric": [">", 0]}]}, {"e": {"f": [{"exists": False}]}}]}},
        {"d": {"c": 0}},
        True,
    ),
    # several fields are all needed
    ({"a": ["x"], "b": ["y"]}, {"a": "x"}, False),
]


@pytest.mark.parametrize(
    ("pattern", "event", "expected"), CASES, ids=lambda value: repr(value)[:60]
)
def test_matches(pattern, event, expected):
    assert matches(pattern, event) is expected


REFUSED = [
    {},
    {"a": "x"},
    {"a": []},
    {"a": [["x"]]},
    {"a": [{"like": "x"}]},
    {"a": [{"prefix": 5}]},
    {"a": [{"prefix": {"wildcard": "x"}}]},
    {"a": [{"prefix": "x", "suffix": "y"}]},
    {"a": [{"numeric": []}]},
    {"a": [{"numeric": ["<"]}]},
    {"a": [{"numeric": ["!=", 5]}]},
    {"a": [{"numeric": [">", "5"]}]},
    {"a": [{"numeric": [">", 5, "<", 2]}]},
    {"a": [{"numeric": ["<", 5, ">", 2]}]},
    {"a": [{"numeric": [">", 6_000_000_000]}]},
    {"a": [{"cidr": "10.0.0.0/99"}]},
    {"a": [{"exists": "true"}]},
    {"a": [{"anything-but": []}]},
    {"a": [{"anything-but": {"cidr": "10.0.0.0/8"}}]},
    {"a": [{"anything-but": [None]}]},
    {"a": [{"wildcard": "a**b"}]},
    {"a": [{"wildcard": "a\\b"}]},
    {"$or": [{"a": ["x"]}]},
    {"$or": "x"},
    {"a": ["x" * 2048]},
]


@pytest.mark.parametrize("pattern", REFUSED, ids=lambda value: repr(value)[:60])
def test_refused_as_put_rule_would(pattern):
    with pytest.raises(InvalidPattern):
        validate(pattern)


def test_a_pattern_of_exactly_the_quota_is_accepted():
    validate(json.dumps({"a": ["x" * (2048 - 10)]}))
    with pytest.raises(InvalidPattern, match="2049"):
        validate(json.dumps({"a": ["x" * (2048 - 9)]}))


def api_call(**detail):
    return {"detail-type": "AWS API Call via CloudTrail", "detail": detail}


ALL = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"


@pytest.mark.parametrize(
    ("state", "event", "seen"),
    [
        ("ENABLED", api_call(eventName="CreateVpc", readOnly=False), True),
        ("ENABLED", api_call(eventName="GetSecretValue", readOnly=True), False),
        ("ENABLED", api_call(eventName="ValidateResourcePolicy", readOnly=True), False),
        ("ENABLED", api_call(eventName="DescribeSecret"), False),
        ("ENABLED", {"detail-type": "GetSomething", "detail": {"readOnly": True}}, True),
        ("ENABLED", api_call(eventName="GetX", readOnly=True, eventCategory="Data"), True),
        (ALL, api_call(eventName="GetSecretValue", readOnly=True), True),
        ("DISABLED", api_call(eventName="CreateVpc", readOnly=False), False),
    ],
)
def test_the_state_decides_what_a_rule_is_shown(state, event, seen):
    assert state_admits(state, event) is seen


def test_an_unknown_state_is_an_error():
    with pytest.raises(ValueError, match="OFF"):
        state_admits("OFF", {})
