"""What the guard remembers of a VPC, and of changes that it has begun and not yet told.

Both are items of the state table. Of a VPC: until when its builders have time to bring an endpoint
of their own, when it was torn down and when it was used again, its place in the queue for EC2's
endpoint calls. Of a change: the finding that will tell it, written down before AWS is changed, so
that a process that dies in between does not take it along. Read only where something is to be done.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from guard.findings.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from aws_lambda_powertools import Logger
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT = timedelta(days=90)
"""How long a VPC is remembered after the last look that wanted to change it: the sweep wants to
every few hours, so an item outlives its VPC and nothing else."""

INTENT_KEPT = timedelta(days=14)  # as long as a message may wait in a dead-letter queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """One VPC; epoch seconds, 0 for never.

    `paid_month` is the calendar month (202611) in which its endpoint was last counted into the
    monthly budget, `slot_at` when its turn at EC2 comes.
    """

    grace_until: int = 0
    torn_down: int = 0
    used_at: int = 0
    paid_month: int = 0
    slot_at: int = 0

    @property
    def stood_down(self) -> bool:
        """Whether the guard leaves the VPC to whoever tears it down."""
        return self.torn_down > self.used_at


@dataclass(frozen=True, slots=True)
class Intent:
    """A change that was begun: `finding` would have told it, and its `done` are the steps.

    `steps` are the same as data, where it takes more than their words to see what became of them.
    """

    key: str
    finding: Finding
    steps: tuple[Mapping[str, Any], ...] = ()

    def done(self, still_to_do: Collection[str]) -> tuple[str, ...]:
        """The steps that the present state no longer asks for: so they were carried out."""
        return tuple(step for step in self.finding.done if step not in still_to_do)


def late(finding: Finding, done: Sequence[str], now: datetime) -> Finding:
    """The finding of a change that could not be published at once: the try was cut short, or AWS
    put off what was left of it.
    """
    return replace(
        finding,
        title=f"{finding.title} (reported late)",
        cause=f"{finding.cause} The change could not be published when it was made.",
        done=tuple(done),
        last_seen=now,
    )


@dataclass(frozen=True, slots=True)
class Memory:
    """The table. Needs dynamodb:GetItem and dynamodb:UpdateItem; methods raise ClientError."""

    client: DynamoDBClient
    table: str

    def recall(self, vpc_id: str) -> Remembered:
        item = self._get(f"vpc#{vpc_id}")
        known = {one.name for one in fields(Remembered)}
        return Remembered(**{k: int(v["N"]) for k, v in item.items() if k in known})

    def note(self, vpc_id: str, now: datetime, **values: int) -> None:
        """Remember these of `Remembered`, and the VPC for another while."""
        numbers = {name: {"N": str(value)} for name, value in values.items()}
        self._set(f"vpc#{vpc_id}", now + KEPT, numbers)

    def note_use(self, vpc_id: str, used_at: int, now: datetime) -> None:
        """Remember that the VPC was used then, unless a later use is known already."""
        self._set(
            f"vpc#{vpc_id}",
            now + KEPT,
            {"used_at": {"N": str(used_at)}},
            when="attribute_not_exists(used_at) OR used_at < :used_at",
        )

    def declare(
        self,
        key: str,
        finding: Finding,
        now: datetime,
        steps: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Before AWS is changed: this is what will have been done."""
        values = {"intent": {"S": json.dumps(finding.to_json())}}
        if steps:
            values["steps"] = {"S": json.dumps(steps)}
        self._set(f"intent#{key}", now + INTENT_KEPT, values)

    def correct(self, key: str, finding: Finding, now: datetime) -> None:
        """After a change of which this much was done, which may be nothing."""
        if finding.done:
            self.declare(key, finding, now)
        else:
            self.settle(key, now)

    def settle(self, key: str, now: datetime) -> None:
        """After ops were told: there is nothing left to tell. Time to live does the deleting."""
        self._set(f"intent#{key}", now, {"intent": {"S": ""}})

    def settle_all(self, keys: Iterable[str], now: datetime, logger: Logger) -> None:
        """Settle several. What stays open, because the table fails, is at worst told twice."""
        for key in dict.fromkeys(keys):
            try:
                self.settle(key, now)
            except (ClientError, BotoCoreError) as error:
                logger.warning("told, but open", extra={"intent": key, "error": repr(error)})

    def begun(self, keys: Iterable[str]) -> list[Intent]:
        """Those of the changes that were declared and not settled, in the order of the keys."""
        found: list[Intent] = []
        for key in dict.fromkeys(keys):
            item = self._get(f"intent#{key}")
            if text := item.get("intent", {}).get("S", ""):
                steps = json.loads(item.get("steps", {}).get("S", "[]"))
                found.append(Intent(key, Finding.from_json(json.loads(text)), tuple(steps)))
        return found

    def _get(self, key: str) -> dict[str, Any]:
        answer: Any = self.client.get_item(
            TableName=self.table, Key={"pk": {"S": key}}, ConsistentRead=True
        )
        return answer.get("Item", {})

    def _set(self, key: str, expires: datetime, values: dict[str, Any], when: str = "") -> None:
        """Set attributes; nothing where the condition `when` does not hold."""
        values = {**values, "expires_at": {"N": str(int(expires.timestamp()))}}
        condition: Any = {"ConditionExpression": when} if when else {}
        with suppress(self.client.exceptions.ConditionalCheckFailedException):
            self.client.update_item(
                TableName=self.table,
                Key={"pk": {"S": key}},
                UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in values),
                ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
                **condition,
            )
