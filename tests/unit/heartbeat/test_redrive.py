"""Which dead letters are put back, when, in which order, and where."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from guard.reconcile.batch import HOPS, INSTEAD_OF
from heartbeat.redrive import LONGEST, MOST, PUT_BACK, Homes, Redrive, wait

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DLQ, USUAL, URGENT = (f"https://sqs.example/1/{one}" for one in ("dead", "usual", "urgent"))
HOMES = {DLQ: Homes(USUAL, URGENT), "rules": Homes()}
LAMBDA = "arn:aws:lambda:eu-west-1:111122223333:function"


@dataclass
class Aws:
    """SQS with one dead-letter queue, and Lambda."""

    letters: list[dict[str, Any]]
    sent: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    deleted: list[str] = field(default_factory=list[str])
    refuses: str = "nothing"

    def receive_message(self, *, QueueUrl: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        return {"Messages": self.letters[:10]}

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803
        if self.refuses in MessageBody:
            raise RuntimeError("down")
        self.sent.append((QueueUrl, json.loads(MessageBody)))

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> None:  # noqa: N803
        assert InvocationType == "Event"
        self.sent.append((FunctionName, json.loads(Payload)))

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> None:  # noqa: N803
        self.deleted.append(ReceiptHandle)


def letter(name: str, body: Any, age: timedelta = 2 * HOUR, **target: str) -> dict[str, Any]:
    return {
        "MessageId": name,
        "ReceiptHandle": name,
        "Body": body if isinstance(body, str) else json.dumps(body),
        "Attributes": {"SentTimestamp": str(int((NOW - age).timestamp() * 1000))},
        "MessageAttributes": {key: {"StringValue": value} for key, value in target.items()},
    }


def finding(severity: str) -> dict[str, Any]:
    return {"schema": "vpce-guard/finding/1", "severity": severity}


def put_back(*letters: dict[str, Any], url: str = DLQ, refuses: str = "nothing") -> Aws:
    aws = Aws(list(letters), refuses=refuses)
    client: Any = aws
    redrive = Redrive(client, client, HOMES, frozenset({"sweep"}), "heartbeat")
    assert redrive.put_back(url, NOW) == len(aws.deleted)
    return aws


def test_what_waited_an_hour_goes_back_and_is_marked():
    aws = put_back(letter("a", {"detail": {"x": 1}}), letter("b", {"detail": {}}, age=HOUR / 2))
    assert aws.sent == [(USUAL, {"detail": {"x": 1}, PUT_BACK: 1, INSTEAD_OF: "a"})]
    assert aws.deleted == ["a"]


def test_it_stands_for_the_first_that_failed_and_begins_a_chain_of_its_own():
    """What that one changed and could not publish is found under its id."""
    aws = put_back(letter("b", {"detail": {}, INSTEAD_OF: "a", HOPS: 15}))
    assert aws.sent == [(USUAL, {"detail": {}, PUT_BACK: 1, INSTEAD_OF: "a"})]


@pytest.mark.parametrize(("count", "hours"), [(0, 1), (1, 2), (2, 4), (3, 8), (4, 12)])
def test_each_time_it_waits_longer(count: int, hours: int):
    assert wait(count) == hours * HOUR
    body = {"detail": {}, PUT_BACK: count}
    assert put_back(letter("a", body, age=hours * HOUR)).deleted == ["a"]
    assert put_back(letter("a", body, age=hours * HOUR - timedelta(minutes=1))).deleted == []


def test_together_the_waits_outlast_a_day():
    assert sum((wait(n) for n in range(MOST)), timedelta()) > timedelta(hours=26)
    assert wait(MOST) == LONGEST


@pytest.mark.parametrize(
    "body",
    [
        {"detail": {}, PUT_BACK: MOST},
        {"detail": {}, PUT_BACK: "1"},
        {"detail": {}, PUT_BACK: -1},
        {"detail": 5},
        {},
        "[]",
        "no json",
        "[" * 3000,
    ],
)
def test_what_failed_for_good_or_cannot_be_read_stays_for_a_person(body: Any):
    aws = put_back(letter("a", body, age=100 * HOUR))
    assert (aws.sent, aws.deleted) == ([], [])


def test_the_gravest_goes_first_and_what_is_high_by_the_urgent_queue():
    names = ("low", "high", "info", "medium")
    alarm = {"AlarmName": "x", "NewStateValue": "ALARM"}
    aws = put_back(*(letter(one, finding(one)) for one in names), letter("alarm", alarm))
    assert aws.deleted == ["high", "alarm", "medium", "low", "info"]
    assert [home for home, _ in aws.sent] == [URGENT, URGENT, USUAL, USUAL, USUAL]


def test_one_that_cannot_be_sent_stays_and_harms_no_other():
    letters = [letter(one, {"detail": {"is": one}}) for one in ("a", "b", "c")]
    assert put_back(*letters, refuses='"b"').deleted == ["a", "c"]


def test_what_a_rule_could_not_deliver_goes_to_its_target_if_that_is_the_guards():
    ours, theirs = ("arn:aws:sqs:eu-west-1:111122223333:" + one for one in ("usual", "theirs"))
    reason = {"ERROR_CODE": "SDK_CLIENT_ERROR"}
    aws = put_back(
        letter("a", {"detail": {}}, TARGET_ARN=ours, **reason),
        letter("b", {"detail": {}}, TARGET_ARN=theirs, **reason),
        letter("c", {"detail": {}}, TARGET_ARN=f"{LAMBDA}:sweep", **reason),
        letter("d", {"detail": {}}, TARGET_ARN=f"{LAMBDA}:theirs", **reason),
        letter("e", {"detail": {}}, TARGET_ARN=f"{LAMBDA}:heartbeat", **reason),
        letter("f", {"detail": {}}),
        url="rules",
    )
    assert [home for home, _ in aws.sent] == [USUAL, "sweep"]
    assert aws.deleted == ["a", "c", "e"]  # what a heartbeat was to do, the next one does


def test_a_failed_invocation_is_made_again():
    body = {
        "requestContext": {"functionArn": f"{LAMBDA}:sweep:$LATEST"},
        "requestPayload": {"detail": {}, "id": "e-1"},
        "responsePayload": {"errorType": "ClientError"},
    }
    aws = put_back(letter("a", body), url="rules")
    assert aws.sent == [("sweep", {"detail": {}, "id": "e-1", PUT_BACK: 1})]
