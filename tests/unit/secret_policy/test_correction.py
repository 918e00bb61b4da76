"""The worst tampering is corrected too: what lets everybody in, is too large, or cannot be read."""

import json
from typing import Any

import pytest

from guard.policy import MAX_CHARACTERS
from secret_policy import correction
from secret_policy.correction import NotCorrectable, corrected, corrections
from secret_policy.perimeter import SID, Perimeter, gaps

ACCOUNT, VPC = "111122223333", "vpc-0aaaaaaaaaaaaaaaa"
SECRET = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:prod/db-AbCdEf"
INSIDE = Perimeter(ACCOUNT, "aws", vpc_ids=frozenset({VPC}), served_vpc_ids=frozenset({VPC}))
READ = "secretsmanager:GetSecretValue"
OWNER = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": READ, "Resource": "*"}
PUBLIC = {**OWNER, "Sid": "Everybody", "Principal": "*"}
MEMBERS = {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
ORGANIZATION = {**PUBLIC, "Sid": "Org", "Condition": MEMBERS}


def policy(*statements: Any, **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})


def kept(text: str) -> list[Any]:
    return [one for one in json.loads(text)["Statement"] if one.get("Sid") != SID]


def test_what_lets_everybody_in_is_left_out_only_if_need_be_and_the_unconditional_first():
    found = corrections(policy(OWNER, PUBLIC, ORGANIZATION), SECRET, INSIDE)
    assert [kept(one.text) for one in found] == [
        [OWNER, PUBLIC, ORGANIZATION],
        [OWNER, ORGANIZATION],
        [OWNER],
    ]
    assert [one.without for one in found] == [(), ("Everybody",), ("Everybody", "Org")]
    assert all(gaps(one.text, SECRET, INSIDE) == () for one in found)


@pytest.mark.parametrize(
    "principal",
    [{"Principal": {"AWS": "*"}}, {"Principal": {"AWS": [ACCOUNT, "*"]}},
     {"NotPrincipal": {"AWS": ACCOUNT}}],
    ids=str,
)  # fmt: skip
def test_everybody_is_named_in_several_ways(principal: dict[str, Any]):
    public = {key: value for key, value in PUBLIC.items() if key != "Principal"} | principal
    assert [kept(one.text) for one in corrections(policy(public), SECRET, INSIDE)] == [[public], []]


def test_a_policy_without_anybodys_statement_has_one_correction():
    denial = {**PUBLIC, "Effect": "Deny", "Action": "secretsmanager:DeleteSecret"}
    assert len(corrections(policy(OWNER, denial), SECRET, INSIDE)) == 1


@pytest.mark.parametrize(
    ("words", "statement"),
    [
        ("cannot be read", {**OWNER, "Condition": {"StringEquals": {"aws:\u017fourceVpc": VPC}}}),
        ("cannot be read", {**OWNER, "Condition": {"SomeNewOperator": {"aws:SourceVpc": VPC}}}),
        ("too large", {**PUBLIC, "Effect": "Deny", "Condition": {
            "StringNotEquals": {"aws:SourceVpc": [f"vpc-{n:x}" for n in range(500)]}}}),
    ],
)  # fmt: skip
def test_what_the_guard_cannot_judge_is_closed_all_the_same(words: str, statement: dict[str, Any]):
    before = policy(OWNER, statement)
    assert words in gaps(before, SECRET, INSIDE)[0]
    whole = corrected(before, SECRET, INSIDE)
    assert kept(whole) == [OWNER, statement]
    assert gaps(whole, SECRET, INSIDE) == ()
    assert corrected(whole, SECRET, INSIDE) == whole


def test_numbers_and_what_iam_does_not_know_are_kept_as_they_are():
    limit = {**OWNER, "Condition": {"NumericLessThan": {"secretsmanager:RecoveryWindowInDays": 8}}}
    assert kept(corrected(policy(limit), SECRET, INSIDE)) == [limit]


def test_padding_with_what_lets_everybody_in_does_not_keep_a_policy_open():
    padded = {
        **PUBLIC,
        "Resource": [f"arn:aws:secretsmanager:*:*:secret:{n:0410}" for n in range(45)],
    }
    before = policy(OWNER, padded)
    assert MAX_CHARACTERS - 300 < len(before) < MAX_CHARACTERS
    (left,) = corrections(before, SECRET, INSIDE)
    assert kept(left.text) == [OWNER]


@pytest.mark.parametrize(
    "text", ["[]", '{"Version": "2012-10-17"}', '{"Statement": [5]}', '{"Id": "a", "Id": "b"}']
)
def test_what_is_no_policy_at_all_is_not_written_over(text: str):
    assert "cannot be read" in gaps(text, SECRET, INSIDE)[0]
    with pytest.raises(NotCorrectable, match="cannot be read"):
        corrected(text, SECRET, INSIDE)


def test_the_guards_statement_weakened_beside_another_denial_is_still_judged_as_a_whole():
    own = json.loads(corrected(None, SECRET, INSIDE))["Statement"][0]
    weak = {**own, "Action": "secretsmanager:PutSecretValue"}
    denial = {**own, "Sid": "ByOwner"}
    assert gaps(policy(weak), SECRET, INSIDE)
    assert gaps(policy(weak, denial), SECRET, INSIDE) == ()


def test_a_correction_that_leaves_the_secret_open_is_not_written(monkeypatch):
    """Whatever the statement of the guard's comes to: it is judged before it is put."""
    monkeypatch.setattr(correction, "closing", lambda _: {**OWNER, "Sid": SID})
    with pytest.raises(NotCorrectable, match="still open"):
        corrected(policy(OWNER), SECRET, INSIDE)
