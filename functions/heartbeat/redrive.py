"""Put dead letters back once what they failed by may be over, so that no outage needs a person.

How long an outage lasts nobody knows beforehand, and what is down may be a service that nothing
here calls. So a message is put back after an hour, and, each time that it comes back, after twice
as long: five times in more than a day. What still fails then is not the outage's, and stays.

IAM actions: see `heartbeat.app`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools import Logger

from guard import alone
from guard.findings.finding import Severity
from guard.reconcile.batch import is_count
from heartbeat.letters import read

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

    from heartbeat.letters import Letter

PUT_BACK = "vpce-guard-put-back"  # in a message: how often the heartbeat has put it back
MOST = 5
LONGEST = timedelta(hours=12)
HIDDEN_SECONDS = 30  # of what is received: longer than it takes to put it back, and gone by a retry
AT_ONCE = 10
SPENT_SECONDS = 20  # of the function's time; what is left waits for the next heartbeat

logger = Logger(child=True)


@dataclass(frozen=True, slots=True)
class Homes:
    """Where messages of a dead-letter queue belong: `high` for what is urgent, all else `usual`.

    Empty for the rules' queue, whose letters name their target.
    """

    usual: str = ""
    high: str = ""


@dataclass(frozen=True, slots=True)
class Redrive:
    """`homes` are by the URL of a dead-letter queue, and `invoked` the functions that are invoked
    again. Needs sqs:ReceiveMessage and sqs:DeleteMessage of the dead-letter queues, sqs:SendMessage
    of the others, and lambda:InvokeFunction.
    """

    sqs: SQSClient
    functions: LambdaClient
    homes: Mapping[str, Homes]
    invoked: frozenset[str]
    own_name: str

    def put_back(self, url: str, now: datetime) -> int:
        """Put back what is due, the gravest first; how many. Raises ClientError."""
        due = [
            one
            for one in self._received(url)
            if (count := times(one)) is not None and now - one.sent >= wait(count)
        ]
        due.sort(key=gravity)
        done = alone.each(
            due,
            lambda one: self._give(url, one),
            lambda one, error: logger.warning(
                "not put back", extra={"message_id": one.id, "why": repr(error)}
            ),
        )
        return sum(done)

    def _received(self, url: str) -> list[Letter]:
        """Each message once. They stay in the queue, hidden for a while."""
        found: dict[str, Letter] = {}
        ends = monotonic() + SPENT_SECONDS
        while monotonic() < ends:
            answer: Any = self.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=AT_ONCE,
                VisibilityTimeout=HIDDEN_SECONDS,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            new = {one["MessageId"]: read(one) for one in answer.get("Messages", [])}
            if not new.keys() - found.keys():
                break
            found |= new
        return list(found.values())

    def _give(self, url: str, letter: Letter) -> bool:
        """Whether it was put back. It is deleted only after AWS has taken it again."""
        body, name = _marked(letter), letter.target.rsplit(":", 1)[-1]
        if home := self._home(url, letter, name):
            self.sqs.send_message(QueueUrl=home, MessageBody=body)
        elif name == self.own_name:
            pass  # what that invocation was to do, this one does
        elif name in self.invoked:
            self.functions.invoke(FunctionName=name, InvocationType="Event", Payload=body.encode())
        else:
            return False
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=letter.receipt)
        return True

    def _home(self, url: str, letter: Letter, target: str) -> str:
        """The queue that a letter belongs to; "" for none of the guard's."""
        if target:
            queues = (one.usual for one in self.homes.values())
            return next((one for one in queues if one.rsplit("/", 1)[-1] == target), "")
        homes = self.homes.get(url, Homes())
        return homes.high if homes.high and gravity(letter) == 0 else homes.usual


def wait(count: int) -> timedelta:
    """How old a message must be that was put back so often."""
    return min(timedelta(hours=2**count), LONGEST)


def times(letter: Letter) -> int | None:
    """How often a letter was put back; None for one that stays for a person."""
    content = _content(letter)
    count = content.get(PUT_BACK, 0)
    whole = isinstance(content.get("detail"), dict) or content.keys() & {"schema", "AlarmName"}
    return count if whole and is_count(count) and count < MOST else None


def gravity(letter: Letter) -> int:
    """0 for a high finding and an alarm, and more for what is less; records come in between."""
    content = _content(letter)
    if "AlarmName" in content:
        return 0
    ranks = [one.value for one in reversed(Severity)]
    severity = content.get("severity")
    return ranks.index(severity) if severity in ranks else 1


def _content(letter: Letter) -> dict[str, Any]:
    try:
        value: object = json.loads(letter.payload)
    except (ValueError, RecursionError):
        return {}
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _marked(letter: Letter) -> str:
    content = _content(letter)
    return json.dumps({**content, PUT_BACK: content.get(PUT_BACK, 0) + 1})
