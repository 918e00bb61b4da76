"""Items of the state table. No other file knows how DynamoDB spells a value.

A value is a text, a whole number, True or False, or a set of texts, which is never empty.

The table has the key `pk` and its time to live on `expires_at` (epoch seconds). DynamoDB deletes
late, "within a few days" (developer guide, "Using time to live"), so `get` reads an item whose time
is over as absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

type Value = str | int | Collection[str]
type Values = Mapping[str, Value]
type Item = dict[str, Any]

READ_AT_ONCE = 100  # keys of one BatchGetItem
RACES = 5  # that an update may lose to other processes before it is given up

_NEVER = 10**12


class StateError(Exception):
    """Every try to update an item lost a race; the message that led here must be retried."""


@dataclass(frozen=True, slots=True)
class Items:
    """The table. Each method needs the right of its name in DynamoDB, and raises ClientError.

    `place` is the account and the Region whose resources the items are about (`Settings.place`).
    """

    client: DynamoDBClient
    table: str
    place: str

    def name(self, kind: str, resource: str) -> str:
        """The name of an item about a resource: what it is, and the resource in its place."""
        return f"{kind}#{self.place}/{resource}"

    def get(self, key: str, now: datetime) -> Item:
        """The attributes of an item that has not expired; empty where there is none. GetItem."""
        answer: Any = self.client.get_item(TableName=self.table, Key=_key(key), ConsistentRead=True)
        item = _read(answer.get("Item", {}))
        return item if item.get("expires_at", _NEVER) > now.timestamp() else {}

    def read(self, keys: Iterable[str]) -> dict[str, Item]:
        """The items of these keys by key, expired or not, without those that are not there.

        BatchGetItem.
        """
        return {item["pk"]: item for item in self._batches(keys)}

    def _batches(self, keys: Iterable[str]) -> Iterator[Item]:
        for some in batched(dict.fromkeys(keys), READ_AT_ONCE, strict=False):
            asked: Any = {self.table: {"Keys": [_key(key) for key in some], "ConsistentRead": True}}
            while asked:  # DynamoDB answers with 16 MB at most, and says what is missing
                answer: Any = self.client.batch_get_item(RequestItems=asked)
                yield from map(_read, answer.get("Responses", {}).get(self.table, []))
                asked = answer.get("UnprocessedKeys")

    def query(self, index: str, when: str, values: Values) -> list[Item]:
        """What an index holds of the items for which `when` holds (over `values`). Query."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName=index,
            KeyConditionExpression=when,
            ExpressionAttributeValues=_written(values),
        )
        return [_read(item) for page in pages for item in page["Items"]]

    def put(
        self,
        key: str,
        values: Values,
        *,
        expires: datetime | None = None,
        when: str = "",
        given: Values | None = None,
    ) -> tuple[Item, bool]:
        """Set attributes, if the condition `when` holds (over `given`): the item then, and True.

        Else the item as it is, and False. Without `expires` an item is kept for good. UpdateItem.
        """
        if expires:
            values = {**values, "expires_at": int(expires.timestamp())}
        names = {f"#{number}": name for number, name in enumerate(values)}
        stated = {f":{number}": value for number, value in enumerate(values.values())}
        return self.update(
            key,
            "SET " + ", ".join(f"#{number} = :{number}" for number in range(len(values))),
            {**stated, **(given or {})},
            when=when,
            names=names,
        )

    def update(
        self,
        key: str,
        expression: str,
        values: Values,
        *,
        when: str = "",
        names: Mapping[str, str] | None = None,
        quiet: bool = False,
    ) -> tuple[Item, bool]:
        """Carry out an update expression, as `put` does. `quiet`: the item is not asked for."""
        request: dict[str, Any] = {"ConditionExpression": when} if when else {}
        if names:
            request["ExpressionAttributeNames"] = names
        if not quiet:
            request["ReturnValues"] = "ALL_NEW"
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        try:
            answer: Any = self.client.update_item(
                TableName=self.table,
                Key=_key(key),
                UpdateExpression=expression,
                ExpressionAttributeValues=_written(values),
                **request,
            )
        except self.client.exceptions.ConditionalCheckFailedException as refusal:
            return _read(refusal.response.get("Item", {})), False
        return _read(answer.get("Attributes", {})), True

    def delete(self, key: str, when: str, values: Values) -> bool:
        """Delete an item if `when` holds (over `values`); whether it did. DeleteItem."""
        try:
            self.client.delete_item(
                TableName=self.table,
                Key=_key(key),
                ConditionExpression=when,
                ExpressionAttributeValues=_written(values),
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def epoch(when: datetime) -> int:
    """A time as the table has it: whole seconds since 1970."""
    return int(when.timestamp())


def _key(key: str) -> Any:
    return {"pk": {"S": key}}


def _written(values: Values) -> Any:
    return {name: _spelled(value) for name, value in values.items()}


def _spelled(value: Value) -> dict[str, object]:
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case _:
            return {"SS": sorted(value)}


def _read(item: Mapping[str, Mapping[str, Any]]) -> Item:
    return {name: _plain(*spelled.items()) for name, spelled in item.items()}


def _plain(spelled: tuple[str, Any]) -> Any:
    match spelled:
        case "N", number:
            return int(number)
        case "SS", texts:
            return frozenset(texts)
        case _, value:
            return value
