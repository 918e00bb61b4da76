"""A policy that is written to an endpoint is read back: AWS may not show it yet."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from guard.approved.policies import ApprovedPolicy
from guard.approved.rollout import DesiredPolicy
from guard.endpoint.state import AttachedPolicy
from guard.policy import parse
from guard.reconcile.request import Key, Request
from guard.reconcile.result import NotVerified, Outcome
from restore_policy.act import Actor
from restore_policy.changes import RESTORE, Restore
from restore_policy.findings import About
from tests.builders import NOON, SETTINGS
from tests.findings import bypass

ID = "vpce-1"
EVERYBODY = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
OPEN = json.dumps({"Statement": [EVERYBODY]})
APPROVED = json.dumps({"Statement": [{**EVERYBODY, "Action": "secretsmanager:GetSecretValue"}]})
REWORDED = json.dumps(
    {"Statement": [{**EVERYBODY, "Sid": "", "Action": ["secretsmanager:GetSecretValue"]}]}
)


def attached(text: str) -> AttachedPolicy:
    return AttachedPolicy(ID, "vpc-1", text, {}, NOON)


@dataclass
class Ec2:
    """Takes every policy, and shows this one; None where the endpoint is gone."""

    shows: str | None
    fails: bool = False
    written: list[str] = field(default_factory=list[str])

    def modify_vpc_endpoint(self, **asked: Any) -> None:
        self.written.append(asked["PolicyDocument"])

    def attached_policies(self, ids: list[str]) -> dict[str, AttachedPolicy]:
        if self.fails:
            raise ClientError({"Error": {"Code": "InternalError"}}, "DescribeVpcEndpoints")
        return {ID: attached(self.shows)} if self.shows is not None else {}


def restored(ec2: Ec2) -> Outcome:
    request = Request(key=Key("111122223333", "us-east-1", "endpoint", ID), triggers=())
    approved = ApprovedPolicy("own-account", APPROVED, parse(APPROVED))
    change = Restore(
        kind=RESTORE,
        announcement=bypass(done=("wrote it",)),
        about=About(SETTINGS, NOON, attached(OPEN), request),
        text=APPROVED,
        attempts=1,
        target=DesiredPolicy(approved),
        found=(),
        rollout=None,
    )
    unused: Any = None
    outcome = Actor(ec2, ec2, unused, unused).carry_out(change)  # type: ignore[arg-type]
    assert ec2.written == [APPROVED]
    assert outcome.done == ("wrote it",)
    return outcome


@pytest.mark.parametrize("shown", [APPROVED, REWORDED, None], ids=["it", "other words", "gone"])
def test_what_aws_shows_as_it_was_written_is_done(shown: str | None):
    assert restored(Ec2(shown)).failed is None


def test_what_aws_does_not_show_ends_the_attempt():
    outcome = restored(Ec2(OPEN))
    assert isinstance(outcome.failed, NotVerified)
    assert ID in str(outcome.failed)


def test_so_does_a_policy_that_cannot_be_read_back():
    assert isinstance(restored(Ec2(OPEN, fails=True)).failed, ClientError)
