"""What holds of every endpoint policy: rewriting keeps it equal, any change is seen."""

import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from guard.policy import Risk, differences, overall_risk, parse

ACCOUNTS = ["123456789012", "210987654321", "333333333333"]
PRINCIPALS: list[Any] = [
    *ACCOUNTS,
    "*",
    "arn:aws:iam::123456789012:role/app",
    "arn:aws:iam::123456789012:user/Ann",
    "AIDAIOSFODNN7EXAMPLE1",
]
ACTIONS = [
    "secretsmanager:GetSecretValue",
    "secretsmanager:DescribeSecret",
    "secretsmanager:PutSecretValue",
    "secretsmanager:Get*",
    "secretsmanager:*",
    "sts:GetCallerIdentity",
]
RESOURCES = [
    "*",
    *(
        f"arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}"
        for name in ("db-a1b2c3", "db-??????", "api-*", "${aws:PrincipalTag/team}-??????")
    ),
]
NUMBERS = ["7", "30", "-1", "2.5"]
CONDITIONS = [
    ("StringEquals", "aws:PrincipalAccount", ACCOUNTS),
    ("StringNotEqualsIfExists", "aws:ResourceAccount", ACCOUNTS),
    ("StringLike", "aws:PrincipalTag/team", ["finance*", "hr", "${aws:username}", "?x"]),
    ("StringEqualsIgnoreCase", "aws:PrincipalTag/site", ["Berlin", "paris"]),
    ("ForAllValues:StringEquals", "aws:TagKeys", ["team", "site", "cost"]),
    ("ForAnyValue:StringNotLike", "aws:TagKeys", ["team*", "site*"]),
    ("Bool", "aws:SecureTransport", ["true", "false"]),
    ("Null", "aws:TokenIssueTime", ["true", "false"]),
    ("NumericLessThan", "secretsmanager:RecoveryWindowInDays", NUMBERS),
    ("DateGreaterThan", "aws:CurrentTime", ["2030-01-01T00:00:00Z", "2031-06-01T12:30:00Z"]),
    ("IpAddress", "aws:VpcSourceIp", ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]),
    ("ArnLike", "aws:PrincipalArn", ["arn:aws:iam::*:role/app", "arn:aws:iam::*:user/?"]),
]


def some(values: list[Any], least: int = 1) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=3, unique=True)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    block: dict[str, Any] = {}
    for operator, key, values in draw(
        st.lists(st.sampled_from(CONDITIONS), max_size=2, unique_by=lambda one: one[0])
    ):
        block[operator] = {key: draw(some(values))}
    return block


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    """A statement in its long form: everything is a list, every element is there."""
    principal = draw(st.sampled_from(["Principal", "Principal", "NotPrincipal"]))
    return {
        "Sid": draw(st.sampled_from(["", "A", "B"])),
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        principal: {"AWS": draw(some(PRINCIPALS))},
        draw(st.sampled_from(["Action", "Action", "NotAction"])): draw(some(ACTIONS)),
        draw(st.sampled_from(["Resource", "Resource", "NotResource"])): draw(some(RESOURCES)),
        "Condition": draw(conditions()),
    }


documents = st.lists(statements(), min_size=1, max_size=3)


def text(document: list[dict[str, Any]], version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": document})


# Rewriting that keeps the meaning


@st.composite
def rewritten(draw: st.DrawFn, document: list[dict[str, Any]]) -> str:
    found = [draw(_statement(statement)) for statement in draw(st.permutations(document))]
    found += draw(st.lists(st.sampled_from(found), max_size=1))
    whole: dict[str, Any] = {"Version": "2012-10-17", "Statement": found}
    if len(found) == 1 and draw(st.booleans()):
        whole["Statement"] = found[0]
    if "${" not in json.dumps(found):
        whole["Version"] = draw(st.sampled_from(["2008-10-17", "2012-10-17"]))
        if draw(st.booleans()):
            del whole["Version"]
    if draw(st.booleans()):
        whole["Id"] = draw(st.text(alphabet="abc", max_size=3))
    shuffled = dict(draw(st.permutations(list(whole.items()))))
    return json.dumps(shuffled, indent=draw(st.sampled_from([None, 0, 2])))


@st.composite
def _statement(draw: st.DrawFn, statement: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for element, value in draw(st.permutations(list(statement.items()))):
        if element == "Sid":
            value = draw(st.sampled_from([None, "", "Other"]))
        elif element == "Condition":
            value = draw(_condition_block(value))
        elif element.endswith("Principal"):
            value = draw(_principal(value["AWS"]))
        elif element.endswith("Action"):
            value = draw(_list([draw(_any_case(action)) for action in value]))
        elif element.endswith("Resource"):
            value = draw(_list(value))
        if value is not None:
            found[element] = value
    return found


@st.composite
def _list(draw: st.DrawFn, values: list[Any]) -> Any:
    found = draw(st.permutations(values)) + draw(st.lists(st.sampled_from(values), max_size=2))
    return found[0] if len(found) == 1 and draw(st.booleans()) else found


@st.composite
def _any_case(draw: st.DrawFn, word: str) -> str:
    return draw(st.sampled_from([word, word.lower(), word.upper(), word.swapcase()]))


@st.composite
def _principal(draw: st.DrawFn, values: list[str]) -> Any:
    found = [
        draw(st.sampled_from([value, f"arn:{partition}:iam::{value}:root"]))
        if value.isdigit()
        else value
        for value in values
        for partition in [draw(st.sampled_from(["aws", "aws-cn"]))]
    ]
    if found == ["*"] and draw(st.booleans()):
        return "*"
    return {"AWS": draw(_list(found))}


@st.composite
def _condition_block(draw: st.DrawFn, block: dict[str, Any]) -> dict[str, Any] | None:
    if not block and draw(st.booleans()):
        return None
    found: dict[str, Any] = {}
    for operator, keys in draw(st.permutations(list(block.items()))):
        ((key, values),) = keys.items()
        spelled = [draw(_value(operator, value)) for value in values]
        if operator == "ArnLike":
            operator = draw(st.sampled_from(["ArnLike", "ArnEquals"]))
        found[draw(_any_case(operator))] = {draw(_any_case(key)): draw(_list(spelled))}
    return found


@st.composite
def _value(draw: st.DrawFn, operator: str, value: str) -> Any:
    if operator in ("Bool", "Null"):
        return draw(st.sampled_from([value, value == "true"]))
    if operator.startswith("Numeric"):
        return draw(st.sampled_from([value, float(value), f"{float(value)}00"]))
    if operator == "StringEqualsIgnoreCase":
        return draw(_any_case(value))
    if operator == "StringEquals" and value.isdigit():
        return draw(st.sampled_from([value, int(value)]))
    if operator.startswith("Date"):
        return draw(st.sampled_from([value, value.replace("Z", "+00:00")]))
    if value == "192.0.2.1/32":
        return draw(st.sampled_from([value, "192.0.2.1"]))
    return value


@given(st.data(), documents)
def test_rewriting_keeps_the_meaning(data: st.DataObject, document: list[dict[str, Any]]):
    policy = parse(text(document))
    again = parse(data.draw(rewritten(document)))
    assert policy == again
    assert hash(policy) == hash(again)
    assert differences(again, policy) == ()


@given(documents)
def test_serialising_anew_as_aws_does_keeps_the_meaning(document: list[dict[str, Any]]):
    """As DescribeVpcEndpoints hands it back: keys sorted, spaced, lists of one as strings."""

    def as_aws(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: as_aws(item) for key, item in sorted(value.items())}
        if isinstance(value, list):
            return as_aws(value[0]) if len(value) == 1 else [as_aws(item) for item in value]
        return value

    handed_back = json.dumps(
        {"Version": "2012-10-17", "Statement": as_aws(document)}, indent=2, separators=(", ", ": ")
    )
    assert parse(handed_back) == parse(text(document))


@given(documents)
def test_splitting_statements_keeps_the_meaning(document: list[dict[str, Any]]):
    split = [
        {**statement, "Action": [action]} if "Action" in statement else statement
        for statement in document
        for action in statement.get("Action", [None])
    ]
    assert parse(text(split)) == parse(text(document))


# Changes that are seen: each sets an element to something the document has nowhere else


def _new_effect(statement: dict[str, Any]) -> dict[str, Any]:
    return {**statement, "Effect": {"Allow": "Deny", "Deny": "Allow"}[statement["Effect"]]}


def _more_in(name: str, value: Any) -> Any:
    def change(statement: dict[str, Any]) -> dict[str, Any]:
        element = name if name in statement else f"Not{name}"
        return {**statement, element: [*statement[element], value]}

    return change


def _other_in(name: str, value: Any) -> Any:
    def change(statement: dict[str, Any]) -> dict[str, Any]:
        element = name if name in statement else f"Not{name}"
        return {**statement, element: [value, *statement[element][1:]]}

    return change


def _principal_more(statement: dict[str, Any]) -> dict[str, Any]:
    element = "Principal" if "Principal" in statement else "NotPrincipal"
    return {**statement, element: {"AWS": [*statement[element]["AWS"], "999999999999"]}}


def _service_more(statement: dict[str, Any]) -> dict[str, Any]:
    element = "Principal" if "Principal" in statement else "NotPrincipal"
    return {**statement, element: {**statement[element], "Service": "ecs.amazonaws.com"}}


def _opposite(name: str) -> Any:
    def change(statement: dict[str, Any]) -> dict[str, Any]:
        there, then = (name, f"Not{name}") if name in statement else (f"Not{name}", name)
        return {then if key == there else key: value for key, value in statement.items()}

    return change


def _condition_more(statement: dict[str, Any]) -> dict[str, Any]:
    more = {"StringEquals": {**statement["Condition"].get("StringEquals", {}), "new:key": "x"}}
    return {**statement, "Condition": {**statement["Condition"], **more}}


def _condition_less(statement: dict[str, Any]) -> dict[str, Any]:
    return {**statement, "Condition": dict(list(statement["Condition"].items())[1:])}


def _condition_value_more(statement: dict[str, Any]) -> dict[str, Any]:
    block = {
        operator: {
            key: [*values, {"N": "99", "I": "198.51.100.9"}.get(operator[0], "other")]
            for key, values in keys.items()
        }
        for operator, keys in statement["Condition"].items()
        if operator != "Null"
    }
    return {**statement, "Condition": {**statement["Condition"], **block}}


def _condition_key(statement: dict[str, Any]) -> dict[str, Any]:
    block = {
        operator: {f"{key}2": values for key, values in keys.items()}
        for operator, keys in statement["Condition"].items()
    }
    return {**statement, "Condition": block}


def _condition_operator(statement: dict[str, Any]) -> dict[str, Any]:
    block = {
        operator.removesuffix("IfExists")
        if operator.endswith("IfExists")
        else f"{operator}IfExists"
        if operator != "Null"
        else "Bool": keys
        for operator, keys in statement["Condition"].items()
    }
    return {**statement, "Condition": block}


CHANGES = [
    _new_effect,
    _more_in("Action", "new:Action"),
    _other_in("Action", "new:Action"),
    _more_in("Resource", "arn:aws:new:::one"),
    _other_in("Resource", "arn:aws:new:::one"),
    _principal_more,
    _service_more,
    _opposite("Principal"),
    _opposite("Action"),
    _opposite("Resource"),
    _condition_more,
    _condition_less,
    _condition_value_more,
    _condition_key,
    _condition_operator,
]


@given(documents, st.sampled_from(CHANGES), st.integers(0, 2))
def test_any_change_of_an_element_is_seen(document: list[dict[str, Any]], change: Any, number: int):
    statement = document[number % len(document)]
    changed = [change(one) if one is statement else one for one in document]
    assume(changed != document)
    # A change can make a statement the equal of another, or leave rules that another one has.
    assume(len(document) == 1 or change not in (_new_effect, _condition_less))
    before, after = parse(text(document)), parse(text(changed))
    assert before != after
    found = differences(after, before)
    assert found
    assert all(one.text and one.statement for one in found)
    assert overall_risk(found) in Risk


@given(documents, documents)
def test_differences_are_empty_exactly_for_equal_policies(
    one: list[dict[str, Any]], other: list[dict[str, Any]]
):
    attached, approved = parse(text(one)), parse(text(other))
    assert (differences(attached, approved) == ()) == (attached == approved)
    assert (differences(approved, attached) == ()) == (attached == approved)


@given(documents, statements())
def test_an_allow_added_is_never_narrower_and_a_deny_never_wider(
    document: list[dict[str, Any]], added: dict[str, Any]
):
    found = differences(parse(text([*document, added])), parse(text(document)))
    impossible = Risk.NARROWER if added["Effect"] == "Allow" else Risk.WIDER
    assert impossible not in {one.risk for one in found}


@given(documents)
def test_variables_make_the_version_count(document: list[dict[str, Any]]):
    same = parse(text(document)) == parse(text(document, "2008-10-17"))
    assert same == ("${" not in json.dumps(document))
