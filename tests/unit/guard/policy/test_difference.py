"""The differences between an attached and an approved policy, in words and with their risk."""

import json
from typing import Any

import pytest

from guard.policy import Difference, PolicyError, Risk, compare, differences, overall_risk, parse

ACCOUNT = "123456789012"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-a1b2c3"
OWN = {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}
WIDER, NARROWER, SAME = Risk.WIDER, Risk.NARROWER, Risk.DIFFERENT


def s(**elements: Any) -> dict[str, Any]:
    base = {
        "Sid": "Own",
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
        "Resource": "*",
        "Condition": OWN,
    }
    return {key: value for key, value in (base | elements).items() if value is not None}


DENY = s(Sid="NoDelete", Effect="Deny", Action="secretsmanager:DeleteSecret", Condition=None)
APPROVED = [s(), DENY]
READS = "secretsmanager:DescribeSecret and secretsmanager:GetSecretValue"
OWN_TEXT = f"if aws:PrincipalAccount is {ACCOUNT}"
OWN_ENTIRE = f"{READS} for everyone on every secret, {OWN_TEXT}"


def d(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


REPORTED = [
    pytest.param(
        [*APPROVED, s(Sid="Open", Action="secretsmanager:*", Condition=None)],
        [(WIDER, "Open", "now also allows: secretsmanager:* for everyone on every secret")],
        id="a statement added",
    ),
    pytest.param(
        [s()],
        [
            (
                WIDER,
                "NoDelete",
                "no longer denies: secretsmanager:DeleteSecret for everyone on every secret",
            )
        ],
        id="a Deny taken away",
    ),
    pytest.param(
        [DENY], [(NARROWER, "Own", f"no longer allows: {OWN_ENTIRE}")], id="an Allow taken away"
    ),
    pytest.param(
        [*APPROVED, s(Sid="No", Effect="Deny", Condition=None)],
        [(NARROWER, "No", f"now also denies: {READS} for everyone on every secret")],
        id="a Deny added",
    ),
    pytest.param(
        [s(Action=["secretsmanager:GetSecretValue"]), DENY],
        [
            (
                NARROWER,
                "Own",
                "no longer allows: secretsmanager:DescribeSecret for everyone on every secret, "
                + OWN_TEXT,
            )
        ],
        id="one action less",
    ),
    pytest.param(
        [s(Action=[*s()["Action"], "sts:*"]), DENY],
        [
            (
                WIDER,
                "Own",
                f"now also allows: sts:* for everyone on every secret, {OWN_TEXT}",
            )
        ],
        id="one action more",
    ),
    pytest.param(
        [s(Condition=None), DENY],
        [
            (
                WIDER,
                "Own",
                (
                    f"allows now without asking that aws:PrincipalAccount is {ACCOUNT}:"
                    f" {READS} for everyone on every secret"
                ),
            )
        ],
        id="a condition taken away",
    ),
    pytest.param(
        [s(Condition=OWN | {"Bool": {"aws:SecureTransport": "true"}}), DENY],
        [
            (
                NARROWER,
                "Own",
                (
                    "allows now only if aws:SecureTransport is true:"
                    f" {READS} for everyone on every secret"
                ),
            )
        ],
        id="a condition added",
    ),
    pytest.param(
        [s(Condition={"StringEquals": {"aws:PrincipalAccount": [ACCOUNT, "210987654321"]}}), DENY],
        [
            (
                WIDER,
                "Own",
                (
                    f"allows now if aws:PrincipalAccount is {ACCOUNT} or 210987654321,"
                    f" not if aws:PrincipalAccount is {ACCOUNT}:"
                    f" {READS} for everyone on every secret"
                ),
            )
        ],
        id="a value added to a condition",
    ),
    pytest.param(
        [s(Condition={"StringEquals": {"aws:PrincipalAccount": []}}), DENY],
        [
            (
                NARROWER,
                "Own",
                (
                    "allows now if aws:PrincipalAccount is nothing,"
                    f" not if aws:PrincipalAccount is {ACCOUNT}:"
                    f" {READS} for everyone on every secret"
                ),
            )
        ],
        id="all values taken from a condition",
    ),
    pytest.param(
        [s(Condition={"StringEqualsIfExists": {"aws:PrincipalAccount": ACCOUNT}}), DENY],
        [
            (
                WIDER,
                "Own",
                (
                    f"allows now if aws:PrincipalAccount is {ACCOUNT}, or it is absent,"
                    f" not if aws:PrincipalAccount is {ACCOUNT}:"
                    f" {READS} for everyone on every secret"
                ),
            )
        ],
        id="a condition that forgives an absent key",
    ),
    pytest.param(
        [s(Principal={"AWS": ACCOUNT}), DENY],
        [
            (
                SAME,
                "Own",
                f"now also allows: {READS} for account {ACCOUNT} on every secret, {OWN_TEXT}",
            ),
            (NARROWER, "Own", f"no longer allows: {OWN_ENTIRE}"),
        ],
        id="everyone became an account",
    ),
    pytest.param(
        [s(Resource=SECRET), DENY],
        [
            (SAME, "Own", f"now also allows: {READS} for everyone on {SECRET}, {OWN_TEXT}"),
            (NARROWER, "Own", f"no longer allows: {OWN_ENTIRE}"),
        ],
        id="every secret became one",
    ),
    pytest.param(
        [s(), s(Sid="NoDelete", Effect="Deny", Action="secretsmanager:*", Condition=None)],
        [
            (
                NARROWER,
                "NoDelete",
                "now also denies: secretsmanager:* for everyone on every secret",
            ),
            (
                SAME,
                "NoDelete",
                "no longer denies: secretsmanager:DeleteSecret for everyone on every secret",
            ),
        ],
        id="a Deny of more",
    ),
    pytest.param(
        [s(), DENY | {"Condition": OWN}],
        [
            (
                WIDER,
                "NoDelete",
                (
                    f"denies now only if aws:PrincipalAccount is {ACCOUNT}:"
                    " secretsmanager:DeleteSecret for everyone on every secret"
                ),
            )
        ],
        id="a Deny of less",
    ),
    pytest.param(
        [*APPROVED, s(Sid="Again", Resource=SECRET)],
        [
            (
                SAME,
                "Again",
                (
                    f"now also allows: {READS} for everyone on {SECRET}, {OWN_TEXT}"
                    " (without effect: another statement says as much)"
                ),
            )
        ],
        id="a statement that another one covers",
    ),
    pytest.param(
        [s(Effect="Deny"), DENY],
        [
            (NARROWER, "Own", f"now also denies: {OWN_ENTIRE}"),
            (NARROWER, "Own", f"no longer allows: {OWN_ENTIRE}"),
        ],
        id="Allow became Deny",
    ),
    pytest.param(
        [s(), DENY | {"Effect": "Allow"}],
        [
            (
                WIDER,
                "NoDelete",
                "now also allows: secretsmanager:DeleteSecret for everyone on every secret",
            ),
            (
                WIDER,
                "NoDelete",
                "no longer denies: secretsmanager:DeleteSecret for everyone on every secret",
            ),
        ],
        id="Deny became Allow",
    ),
]


@pytest.mark.parametrize(("attached", "reported"), REPORTED)
def test_reported(attached: list[dict[str, Any]], reported: list[tuple[Risk, str, str]]):
    found = differences(parse(d(*attached)), parse(d(*APPROVED)))
    assert [(one.risk, one.statement, one.text) for one in found] == reported


def test_the_default_policy_of_aws_says_what_it_opens_first():
    default = '{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}'
    first, *rest = compare(default, parse(d(*APPROVED)))
    assert first.text == "now also allows: every action for everyone on every secret"
    assert first.risk is WIDER
    assert {one.risk for one in rest} == {WIDER, SAME}


WORDS = [
    (
        {"Principal": {"Service": "lambda.amazonaws.com"}},
        "for the AWS service lambda.amazonaws.com",
    ),
    ({"Principal": {"Federated": "accounts.google.com"}}, "for identities of accounts.google.com"),
    ({"Principal": {"CanonicalUser": "79a5"}}, "for the canonical user 79a5"),
    ({"Principal": {"AWS": "arn:aws:iam::123456789012:role/app"}}, "for arn:aws:iam::"),
    ({"Principal": None, "NotPrincipal": {"AWS": ACCOUNT}}, f"for everyone but account {ACCOUNT}"),
    ({"Action": None, "NotAction": "sts:*"}, "every action but sts:* for"),
    ({"Action": "*"}, "every action for"),
    ({"Resource": None, "NotResource": SECRET}, f"on every secret but {SECRET}"),
    ({"Action": [f"a:B{number}" for number in range(9)]}, "a:B6 and 2 more for"),
    ({"Condition": {"Null": {"aws:TokenIssueTime": "true"}}}, "if aws:TokenIssueTime is absent"),
    ({"Condition": {"Null": {"aws:TokenIssueTime": False}}}, "if aws:TokenIssueTime is present"),
    ({"Condition": {"Null": {"a:b": ["true", "false"]}}}, "if a:b is absent: false or true"),
    (
        {"Condition": {"ForAllValues:StringLike": {"aws:TagKeys": ["a*", "b*"]}}},
        "if every value of aws:TagKeys is like a* or b*",
    ),
    (
        {"Condition": {"ForAnyValue:StringNotEquals": {"aws:TagKeys": "a"}}},
        "if any value of aws:TagKeys is not a",
    ),
    (
        {"Condition": {"NotIpAddressIfExists": {"aws:SourceIp": "203.0.113.0/24"}}},
        "if aws:SourceIp is not in 203.0.113.0/24, or it is absent",
    ),
    (
        {"Condition": {"DateGreaterThan": {"aws:CurrentTime": "1893456000"}}},
        "if aws:CurrentTime is after 2030-01-01T00:00:00Z",
    ),
    (
        {"Condition": {"NumericLessThanEquals": {"a:b": "7e2"}, "Bool": {"c:d": True}}},
        "if a:b is at most 700 and c:d is true",
    ),
]


@pytest.mark.parametrize(("elements", "words"), WORDS)
def test_words(elements: dict[str, Any], words: str):
    added = s(Sid="New", Condition=elements.get("Condition")) | elements
    added = {key: value for key, value in added.items() if value is not None}
    (found,) = differences(parse(d(*APPROVED, added)), parse(d(*APPROVED)))
    assert words in found.text


def test_only_what_is_new_of_a_statement_is_reported():
    secrets = [SECRET, SECRET.replace(":db-", ":api-")]
    approved = d(s(Resource=secrets[0]), s(Resource=secrets[1]))
    attached = d(s(Action="secretsmanager:*", Resource=secrets), s(Resource=secrets))
    (found,) = differences(parse(attached), parse(approved))
    assert found.text.startswith("now also allows: secretsmanager:* for everyone on")
    assert "GetSecretValue" not in found.text


def test_rules_left_of_a_statement_are_reported_exactly():
    approved = d(s(Action="a:B", Resource=SECRET), DENY)
    attached = d(s(Action=["a:B", "a:C"], Resource=[SECRET, SECRET + "2"]), DENY)
    found = differences(parse(attached), parse(approved))
    reported = [one.text.removesuffix(f", {OWN_TEXT}") for one in found]
    assert sorted(reported) == [
        f"now also allows: a:B and a:C for everyone on {SECRET}2",
        f"now also allows: a:C for everyone on {SECRET}",
    ]


@pytest.mark.parametrize(
    ("effect", "excepted", "risk", "text"),
    [
        ("Allow", ["sts:*"], WIDER, "now also allows: secretsmanager:Put*"),
        ("Allow", ["sts:*", "secretsmanager:Put*", "kms:*"], NARROWER, "no longer allows: kms:*"),
        ("Deny", ["sts:*"], NARROWER, "now also denies: secretsmanager:Put*"),
        ("Deny", ["sts:*", "secretsmanager:Put*", "kms:*"], WIDER, "no longer denies: kms:*"),
    ],
)
def test_exceptions_widen_where_they_are_taken_away(
    effect: str, excepted: list[str], risk: Risk, text: str
):
    statement = {key: value for key, value in s(Effect=effect).items() if key != "Action"}
    approved = d(statement | {"NotAction": ["sts:*", "secretsmanager:Put*"]})
    (found,) = differences(parse(d(statement | {"NotAction": excepted})), parse(approved))
    assert found.risk is risk
    assert found.text.startswith(text)


def test_equal_policies_have_no_differences():
    assert differences(parse(d(*APPROVED)), parse(d(*reversed(APPROVED)))) == ()
    assert compare(d(*APPROVED), parse(d(*APPROVED))) == ()
    assert overall_risk(()) is None


def test_a_broken_document_is_a_difference():
    (found,) = compare('{"Statement": [', parse(d(*APPROVED)))
    assert found.risk is WIDER
    assert "cannot be read" in found.text
    assert "line 1, column 16" in found.text
    assert differences(PolicyError("here", "why"), parse(d(*APPROVED)))[0].text.endswith(
        "here: why"
    )


def test_no_document_is_a_difference():
    (found,) = compare(None, parse(d(*APPROVED)))
    assert (found.risk, found.statement) == (WIDER, "document")


@pytest.mark.parametrize(
    ("risks", "worst"),
    [
        ([SAME, NARROWER, WIDER], WIDER),
        ([SAME, NARROWER], NARROWER),
        ([SAME], SAME),
    ],
)
def test_the_overall_risk_is_the_worst(risks: list[Risk], worst: Risk):
    assert overall_risk(Difference("", risk, "") for risk in risks) is worst


def test_a_difference_is_evidence():
    assert Difference("text", WIDER, "Own").to_json() == {
        "statement": "Own",
        "difference": "text",
        "risk": "wider",
    }


def test_documents_too_large_to_take_apart_have_differences_too():
    actions = [f"secretsmanager:Action{number}" for number in range(100)]
    secrets = [f"arn:aws:secretsmanager:::secret:{number}" for number in range(60)]
    approved = parse(d(s(Action=actions, Resource=secrets)))
    attached = parse(d(s(Action=actions, Resource=[*secrets, "*"])))
    (found,) = differences(attached, approved)
    assert found.risk is WIDER
    assert "on every secret" in found.text
    (found,) = differences(approved, attached)
    assert found.risk is NARROWER
    (found,) = differences(parse(d(s(Action=actions, Resource=secrets), DENY)), approved)
    assert (found.risk, found.statement) == (NARROWER, "NoDelete")
