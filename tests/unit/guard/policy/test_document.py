"""What is not an endpoint policy is refused with the place and the reason."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.policy import MAX_CHARACTERS, PolicyError, parse

ALLOW_ALL = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


def doc(*, without: str = "", **elements: Any) -> str:
    """A document of one statement with some elements set, and one left out."""
    statement = {key: value for key, value in ALLOW_ALL.items() if key != without} | elements
    return json.dumps({"Statement": [statement]})


def condition(operator: str, values: Any, key: str = "a:b") -> str:
    return doc(Condition={operator: {key: values}})


AT = "Statement[0]"

BROKEN = [
    # Not JSON
    ("", "line 1, column 1", "not JSON"),
    ("  \n ", "line 2, column 2", "not JSON"),
    ("not json", "line 1, column 1", "not JSON"),
    ('{\n  "Statement": [\n    {"Effect": "Allow",}\n  ]\n}', "line 3, column 23", "not JSON"),
    ('{"Statement": [}', "line 1, column 16", "not JSON"),
    (doc() + "}", f"line 1, column {len(doc()) + 1}", "not JSON"),
    ("\ufeff" + doc(), "line 1, column 1", "not JSON"),
    (doc().replace('"', "'"), "line 1, column 2", "not JSON"),
    ('{"Statement": NaN}', "document", "NaN"),
    ('{"Statement": -Infinity}', "document", "-Infinity"),
    ("[" * 20_000, "document", "nested too deeply"),
    ('{"Id": "\\ud800"}', "Id", "half of a character"),
    # Keys given twice
    ('{"Version": "2012-10-17", "Version": "2008-10-17"}', "Version", "given twice"),
    (doc().replace('"Effect"', '"Effect": "Deny", "Effect"'), f"{AT}.Effect", "given twice"),
    (
        condition("StringEquals", "x").replace('"a:b"', '"a:b": "y", "a:b"'),
        f"{AT}.Condition.StringEquals.a:b",
        "given twice",
    ),
    (
        doc(Condition={"StringEquals": {"a:b": "x", "A:B": "y"}}),
        f"{AT}.Condition.StringEquals.A:B",
        "given twice",
    ),
    (
        doc(Condition={"Bool": {"a:b": "x"}, "bool": {"a:b": "y"}}),
        f"{AT}.Condition.bool.a:b",
        "given twice",
    ),
    # Another kind of document
    ("null", "document", "found null"),
    ("[]", "document", "found a list"),
    ('"text"', "document", "found a string"),
    ("{}", "document", "no Statement"),
    ('{"Version": "2012-10-17"}', "document", "no Statement"),
    ('{"Statement": []}', "Statement", "empty"),
    ('{"Statement": "Allow"}', "Statement", "found a string"),
    ('{"Statement": null}', "Statement", "found null"),
    ('{"Statement": [1]}', AT, "found a number"),
    (f'{{"Statement": [{json.dumps(ALLOW_ALL)}, true]}}', "Statement[1]", "found a boolean"),
    ('{"": []}', '""', "no such element"),
    ('{"statement": []}', "statement", "did you mean Statement?"),
    ('{"Statement": [], "Principals": "*"}', "Principals", "no such element"),
    ('{"Version": "2012-10-18", "Statement": []}', "Version", "2008-10-17 and 2012-10-17"),
    ('{"Version": 2012, "Statement": []}', "Version", "found a number"),
    ('{"Version": null, "Statement": []}', "Version", "found null"),
    ('{"Id": {}, "Statement": []}', "Id", "found an object"),
    # Statements
    (doc(without="Principal"), AT, "no Principal"),
    (doc(without="Effect"), AT, "no Effect"),
    (doc(without="Action"), AT, "no Action"),
    (doc(without="Resource"), AT, "no Resource"),
    (doc(NotPrincipal="*"), AT, "Principal and NotPrincipal exclude each other"),
    (doc(NotAction="*"), AT, "Action and NotAction exclude each other"),
    (doc(NotResource="*"), AT, "Resource and NotResource exclude each other"),
    (doc(Effects="Allow"), f"{AT}.Effects", "no such element"),
    (doc(condition={}), f"{AT}.condition", "did you mean Condition?"),
    (doc(Effect="allow"), f"{AT}.Effect", "neither Allow nor Deny"),
    (doc(Effect=True), f"{AT}.Effect", "found a boolean"),
    (doc(Sid=1), f"{AT}.Sid", "found a number"),
    (doc(Sid=None), f"{AT}.Sid", "found null"),
    # Principals
    (doc(Principal="123456789012"), f"{AT}.Principal", "neither"),
    (doc(Principal=["*"]), f"{AT}.Principal", "found a list"),
    (doc(Principal=None), f"{AT}.Principal", "found null"),
    (doc(Principal={}), f"{AT}.Principal", "nobody"),
    (doc(Principal={"AWS": []}), f"{AT}.Principal.AWS", "empty"),
    (doc(Principal={"AWS": ""}), f"{AT}.Principal.AWS", "empty"),
    (doc(Principal={"AWS": ["*", ""]}), f"{AT}.Principal.AWS[1]", "empty"),
    (doc(Principal={"AWS": 123456789012}), f"{AT}.Principal.AWS", "found a number"),
    (doc(Principal={"AWS": ["*", ["*"]]}), f"{AT}.Principal.AWS[1]", "found a list"),
    (doc(Principal={"aws": "*"}), f"{AT}.Principal.aws", "did you mean AWS?"),
    (doc(Principal={"User": "*"}), f"{AT}.Principal.User", "no such element"),
    (
        doc(without="Principal", NotPrincipal={"AWS": None}),
        f"{AT}.NotPrincipal.AWS",
        "found null",
    ),
    # Actions
    (doc(Action=[]), f"{AT}.Action", "empty"),
    (doc(Action=""), f"{AT}.Action", "empty"),
    (doc(Action="GetSecretValue"), f"{AT}.Action", "neither"),
    (doc(Action="secretsmanager:"), f"{AT}.Action", "neither"),
    (doc(Action=":GetSecretValue"), f"{AT}.Action", "neither"),
    (doc(Action=["*", 7]), f"{AT}.Action[1]", "found a number"),
    (doc(Action={"a": 1}), f"{AT}.Action", "found an object"),
    (doc(without="Action", NotAction=["a:b", "c"]), f"{AT}.NotAction[1]", "neither"),
    # Resources
    (doc(Resource=[]), f"{AT}.Resource", "empty"),
    (doc(Resource="db"), f"{AT}.Resource", "neither"),
    (doc(Resource=["*", "db"]), f"{AT}.Resource[1]", "neither"),
    (doc(Resource=False), f"{AT}.Resource", "found a boolean"),
    (doc(without="Resource", NotResource="?"), f"{AT}.NotResource", "neither"),
    # Conditions
    (doc(Condition=[]), f"{AT}.Condition", "found a list"),
    (doc(Condition=None), f"{AT}.Condition", "found null"),
    (doc(Condition={"StringEquals": "x"}), f"{AT}.Condition.StringEquals", "found a string"),
    (condition("StringEqual", "x"), f"{AT}.Condition.StringEqual", "no condition operator"),
    (condition("IfExists", "x"), f"{AT}.Condition.IfExists", "no condition operator"),
    (condition(":StringEquals", "x"), f"{AT}.Condition.:StringEquals", "no condition operator"),
    (
        condition("ForSomeValues:StringEquals", "x"),
        f"{AT}.Condition.ForSomeValues:StringEquals",
        "no condition operator",
    ),
    (condition("NullIfExists", "true"), f"{AT}.Condition.NullIfExists", "cannot end in IfExists"),
    (condition("StringEquals", "x", key=""), f'{AT}.Condition.StringEquals.""', "key is empty"),
    (condition("StringEquals", None), f"{AT}.Condition.StringEquals.a:b", "null"),
    (condition("StringEquals", ["x", None]), f"{AT}.Condition.StringEquals.a:b[1]", "null"),
    (condition("StringEquals", {"x": 1}), f"{AT}.Condition.StringEquals.a:b", "an object"),
    (condition("StringEquals", [["x"]]), f"{AT}.Condition.StringEquals.a:b[0]", "a list"),
    (condition("NumericEquals", "many"), f"{AT}.Condition.NumericEquals.a:b", "not a number"),
    (condition("NumericEquals", "1e9999"), f"{AT}.Condition.NumericEquals.a:b", "not a number"),
    (condition("NumericLessThan", [1, ""]), f"{AT}.Condition.NumericLessThan.a:b[1]", "number"),
    (condition("IpAddress", "203.0.113"), f"{AT}.Condition.IpAddress.a:b", "CIDR"),
    (condition("NotIpAddress", "10.0.0.0/33"), f"{AT}.Condition.NotIpAddress.a:b", "CIDR"),
    # A prefix length is a number: a netmask, a wildcard mask or a zone is none
    *(
        (condition("IpAddress", text), f"{AT}.Condition.IpAddress.a:b", "CIDR")
        for text in (
            *("10.0.0.0/255.0.0.0", "10.0.0.0/0.0.0.255", "0.0.0.0/0.0.0.0", "10.0.0.0/08"),
            *("10.0.0.0/", "10.0.0.0/8/8", "10.0.0.0/+8", "fe80::1%eth0/64", "::/ffff::"),
            *("10.0.0.\u0660/8", " 10.0.0.0/8", "10.0.0.0/8\n", "10.0.0.010/32", ""),
        )
    ),
    # Letters that Python folds into those of ASCII
    (doc(Action="\u212ams:*"), f"{AT}.Action", "no action has"),
    (doc(without="Action", NotAction=["a:b", "a:\u017f"]), f"{AT}.NotAction[1]", "no action has"),
    (condition("StringLi\u212ae", "x"), f"{AT}.Condition.StringLi\u212ae", "no condition operator"),
    (
        condition("ForAnyValue:\uff33tringLike", "x"),
        f"{AT}.Condition.ForAnyValue:\uff33tringLike",
        "no condition operator",
    ),
    (
        condition("StringEqualsIf\u0415xists", "x"),
        f"{AT}.Condition.StringEqualsIf\u0415xists",
        "no condition operator",
    ),
    (
        condition("StringEquals", "x", key="aws:To\u212aenIssueTime"),
        f"{AT}.Condition.StringEquals.aws:To\u212aenIssueTime",
        "ASCII",
    ),
    (
        condition("DateEquals", "2024-13-01T00:00:00Z"),
        f"{AT}.Condition.DateEquals.a:b",
        "month",
    ),
    (
        condition("DateEquals", "0001-01-01T00:00:00+14:00"),
        f"{AT}.Condition.DateEquals.a:b",
        "out of range",
    ),
]


@pytest.mark.parametrize(("text", "place", "reason"), BROKEN)
def test_a_broken_document_is_refused_with_its_place(text: str, place: str, reason: str):
    with pytest.raises(PolicyError) as error:
        parse(text)
    assert error.value.place == place
    assert reason in error.value.problem
    assert str(error.value) == f"{place}: {error.value.problem}"


def padded(characters: int) -> str:
    text = doc()
    return text + " " * (characters - len(text))


def test_the_size_is_counted_with_white_space():
    assert parse(padded(MAX_CHARACTERS)) == parse(doc())
    with pytest.raises(PolicyError, match=r"20,481 characters.* 20,480 at most") as error:
        parse(padded(MAX_CHARACTERS + 1))
    assert error.value.place == "document"


def test_the_statements_keep_their_order_and_labels():
    first = ALLOW_ALL | {"Sid": "Everything"}
    policy = parse(json.dumps({"Statement": [first, ALLOW_ALL | {"Effect": "Deny"}]}))
    assert [statement.label for statement in policy.statements] == ["Everything", "statement 2"]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
element_names = st.sampled_from(
    ["Version", "Id", "Statement", "Sid", "Effect", "Principal", "Action", "Resource", "Condition"]
)
policy_like = st.recursive(
    json_values | st.sampled_from(["*", "Allow", "Deny", "a:b", "arn:x", "2012-10-17"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(element_names, inner, max_size=6),
    max_leaves=30,
)


@given(policy_like.map(json.dumps) | st.text())
def test_whatever_is_given_is_a_policy_or_refused_with_a_place(text: str):
    try:
        assert parse(text).statements
    except PolicyError as error:
        assert error.place  # noqa: PT017  (either outcome is right, no other exception is)
        assert error.problem  # noqa: PT017


@given(st.data())
def test_any_element_replaced_by_anything_is_read_or_refused(data: st.DataObject):
    statement: dict[str, Any] = ALLOW_ALL | {"Sid": "", "Condition": {"Bool": {"a:b": "true"}}}
    statement[data.draw(st.sampled_from(sorted(statement)))] = data.draw(json_values)
    text = json.dumps({"Statement": [statement]})
    try:
        assert parse(text) == parse(text)
    except PolicyError as error:
        assert error.place.startswith(AT)  # noqa: PT017
