"""A corrected policy is read back: it is not published as put before AWS shows it."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from guard.reconcile.request import Key, Request
from guard.reconcile.result import NotVerified, Outcome
from secret_policy.act import Correction, Put, Writer
from secret_policy.correction import corrections
from secret_policy.findings import About
from secret_policy.perimeter import Perimeter, Secret
from tests.builders import NOON, SETTINGS
from tests.findings import bypass

ACCOUNT, VPC = "111122223333", "vpc-0aaaaaaaaaaaaaaaa"
SECRET = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:prod/db-AbCdEf"
INSIDE = Perimeter(ACCOUNT, "aws", vpc_ids=frozenset({VPC}), served_vpc_ids=frozenset({VPC}))
OWNER = {
    "Effect": "Allow",
    "Principal": {"AWS": ACCOUNT},
    "Action": "secretsmanager:GetSecretValue",
    "Resource": "*",
}
OPEN = json.dumps({"Version": "2012-10-17", "Statement": [OWNER]})
WHOLE = corrections(OPEN, SECRET, INSIDE)


@dataclass
class Aws:
    """Takes every policy, and shows this one, or refuses to show it."""

    shows: str | None
    refusal: str = ""
    put: list[str] = field(default_factory=list[str])

    def put_resource_policy(self, **asked: Any) -> None:
        self.put.append(asked["ResourcePolicy"])

    def secret(self, named: str) -> Secret:
        if self.refusal:
            raise ClientError({"Error": {"Code": self.refusal}}, "GetResourcePolicy")
        return Secret(named, "prod/db", {}, self.shows)


def put(aws: Aws) -> Outcome:
    request = Request(key=Key(ACCOUNT, "eu-west-1", "secret", SECRET), triggers=())
    about = About(SETTINGS, NOON, Secret(SECRET, "prod/db", {}, OPEN), request)
    change = Correction(
        kind="correct",
        announcement=bypass(done=("put it",)),
        about=about,
        inside=INSIDE,
        policies=WHOLE,
    )
    outcome = Writer(aws, aws).put(change)  # type: ignore[arg-type]
    assert aws.put == [WHOLE[0].text]
    assert outcome.done == ("put it",)
    return outcome


def test_what_aws_shows_as_it_was_put_is_done():
    outcome = put(Aws(WHOLE[0].text))
    assert (outcome.failed, outcome.evidence) == (None, Put(WHOLE[0]))


@pytest.mark.parametrize("shown", [OPEN, None], ids=["the one before", "none"])
def test_what_aws_does_not_show_is_tried_again(shown: str | None):
    outcome = put(Aws(shown))
    assert isinstance(outcome.failed, NotVerified)
    assert SECRET in str(outcome.failed)
    assert outcome.evidence is None


def test_what_the_guard_may_not_read_back_is_said_and_what_failed_is_tried_again():
    denied = put(Aws(None, refusal="AccessDeniedException"))
    assert denied.failed is None
    assert denied.evidence.unread
    assert put(Aws(None, refusal="InternalServiceError")).failed
