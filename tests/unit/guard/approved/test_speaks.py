"""Which refused request speaks against the version of a policy that refused it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from guard.approved.rollouts import speaks
from guard.cloudtrail.record import Identity, Record

OWN, THEIRS = "111122223333", "444455556666"
SECRET = f"arn:aws:secretsmanager:eu-west-1:{OWN}:secret:prod/db-AbCdEf"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
EVERYTHING = policy(ALLOW)
READS_ALONE = policy({**ALLOW, "Action": "secretsmanager:GetSecretValue"})
NOT_DELETE = policy(ALLOW, {**ALLOW, "Effect": "Deny", "Action": "secretsmanager:DeleteSecret"})
OF_THE_ACCOUNT = policy({**ALLOW, "Condition": {"StringEquals": {"aws:PrincipalAccount": OWN}}})
BY_TAG = policy({**ALLOW, "Condition": {"StringEquals": {"aws:PrincipalTag/team": "red"}}})


def call(name: str = "GetSecretValue", account: str = OWN) -> Record:
    role = f"arn:aws:iam::{account}:role/app"
    return Record(
        event_id="e-1",
        event_name=name,
        event_source="secretsmanager.amazonaws.com",
        event_time=datetime(2026, 9, 14, 9, 30, tzinfo=UTC),
        identity=Identity(
            type="AssumedRole",
            arn=f"arn:aws:sts::{account}:assumed-role/app/i",
            issuer_arn=role,
            account_id=account,
        ),
        request={"secretId": SECRET},
        error_code="VpceAccessDenied",
        vpc_endpoint_id="vpce-1",
    )


@pytest.mark.parametrize(
    ("before", "record"),
    [
        (EVERYTHING, call()),
        (OF_THE_ACCOUNT, call()),
        (READS_ALONE, call()),
        (NOT_DELETE, call()),
        (BY_TAG, call()),  # CloudTrail does not say which tags a principal has
        ("", call()),  # noted by the version before, which kept no policy
        ("{", call()),
    ],
)
def test_what_the_policy_before_let_pass_does(before: str, record: Record):
    assert speaks(record, before, {OWN})


@pytest.mark.parametrize(
    ("before", "record"),
    [
        (READS_ALONE, call("DeleteSecret")),
        (NOT_DELETE, call("DeleteSecret")),
        (EVERYTHING, call(account=THEIRS)),
        (EVERYTHING, replace(call(), identity=Identity(type="Unknown"))),
        ("", call(account=THEIRS)),
    ],
    ids=["never allowed", "denied before", "a stranger", "nobody", "a stranger, nothing kept"],
)
def test_what_nobody_could_and_what_a_stranger_asks_does_not(before: str, record: Record):
    assert not speaks(record, before, {OWN})


def test_a_principal_of_an_approved_account_does():
    assert speaks(call(account=THEIRS), EVERYTHING, {OWN, THEIRS})
