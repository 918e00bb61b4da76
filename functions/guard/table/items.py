"""Items of the state table. No other file knows how DynamoDB spells a value.

A value is a text, a whole number, True or False, or a set of texts, which is never empty.

The table has the key `pk` and its time to live on `expires_at` (epoch seconds). DynamoDB deletes
late, "within a few days" (developer guide, "Using time to live"), so `get` reads an item whose time
is over as absent.

An item that cannot be read is set aside: what it holds goes into the log and with the
digest to people, and its attributes are removed. To every reader it is absent from then on.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import batched
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from guard import alone
from guard.aws.errors import code_of
from guard.findings.text import cut
from guard.table.sound import LATEST, plain, unsound

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

type Value = str | int | Collection[str]
type Values = Mapping[str, Value]
type Item = dict[str, Any]

READ_AT_ONCE = 100  # keys of one BatchGetItem
RACES = 5  # that an update may lose to other processes before it is given up

LONGEST_KEY = 1_000
"""Bytes of a key as it is spelled; of a longer one the rest is a digest. DynamoDB takes 2,048."""
SET_ASIDE = "set_aside"  # in the body of a deferred finding: the key of the item that it is about

_NEVER = 10**12
_NOBODY = "attribute_exists(pk) AND attribute_not_exists(pk)"  # holds of no item: so it is shown
_CONTENT = 2_000  # characters of what is set aside
_REMOVED_AT_ONCE = 200  # attributes: an expression has 4 KB

logger = Logger(child=True)


class StateError(Exception):
    """Every try to update an item lost a race; the message that led here must be retried."""


class ItemUnreadable(StateError):
    """An item cannot be read, and whoever reads it may not set it aside."""


@dataclass(frozen=True, slots=True)
class Items:
    """The table. Each method needs the right of its name in DynamoDB, and raises ClientError.

    `place` is the account and the Region whose resources the items are about (`Settings.place`).
    Without `sets_aside` an item that cannot be read raises ItemUnreadable.
    """

    client: DynamoDBClient
    table: str
    place: str
    sets_aside: bool = True

    def name(self, kind: str, resource: str) -> str:
        """The name of an item about a resource: what it is, and the resource in its place."""
        return f"{kind}#{self.place}/{resource}"

    def get(self, key: str, now: datetime) -> Item:
        """The attributes of an item that has not expired; empty where there is none. GetItem."""
        answer: Any = self.client.get_item(TableName=self.table, Key=_key(key), ConsistentRead=True)
        item = self._sound(key, answer.get("Item", {}))
        return item if item.get("expires_at", _NEVER) > now.timestamp() else {}

    def shown(self, key: str) -> Item:
        """The attributes of an item, expired or not, for whoever may not GetItem. UpdateItem."""
        return self.update(key, "REMOVE body", {}, when=_NOBODY)[0]

    def parsed[T](self, key: str, item: Item, parse: Callable[[Item], T]) -> T | None:
        """What `parse` makes of an item; None where there is none. One that it cannot read, for
        whatever reason, is set aside: nobody reads it again.
        """
        read = alone.each(
            [item] if item else [], parse, lambda one, error: self._set_aside(key, one, repr(error))
        )
        return read[0] if read else None

    def read(self, keys: Iterable[str]) -> dict[str, Item]:
        """The items of these keys by key, expired or not, without those that are not there.

        BatchGetItem.
        """
        asked = {bounded(key): key for key in keys}
        found = ((asked[one["pk"]["S"]], one) for one in self._batches(asked))
        return {key: item for key, one in found if (item := self._sound(key, one))}

    def _batches(self, keys: Iterable[str]) -> Iterator[Any]:
        for some in batched(dict.fromkeys(keys), READ_AT_ONCE, strict=False):
            asked: Any = {self.table: {"Keys": [_key(key) for key in some], "ConsistentRead": True}}
            while asked:  # DynamoDB answers with 16 MB at most, and says what is missing
                answer: Any = self.client.batch_get_item(RequestItems=asked)
                yield from answer.get("Responses", {}).get(self.table, [])
                asked = answer.get("UnprocessedKeys")

    def query(self, index: str, when: str, values: Values) -> list[Item]:
        """What an index holds of the items for which `when` holds (over `values`). Query."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName=index,
            KeyConditionExpression=when,
            ExpressionAttributeValues=_written(values),
        )
        return [plain(item) for page in pages for item in page["Items"]]

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
        """Carry out an update expression, as `put` does. `quiet`: the item is not asked for.

        An item that is not as the guard writes it is set aside first.
        """
        request: dict[str, Any] = {"ConditionExpression": when} if when else {}
        if names:
            request["ExpressionAttributeNames"] = names
        if values:
            request["ExpressionAttributeValues"] = _written(values)
        for _ in range(2):
            try:
                spelled, done = self._update(key, expression, request, quiet=quiet)
            except ClientError as error:  # such as a number to be added to a text
                if code_of(error) != "ValidationException":
                    raise
                spelled, done = self._update(key, "REMOVE body", {"ConditionExpression": _NOBODY})
                if not unsound(key, plain(spelled)):
                    raise
            if not (why := unsound(key, item := plain(spelled))):
                return item, done
            self._set_aside(key, item, why)
        raise StateError(f"{key} is spoiled as often as it is set aside")

    def _update(
        self, key: str, expression: str, request: Mapping[str, Any], *, quiet: bool = False
    ) -> tuple[Any, bool]:
        asked = {"ReturnValues": "ALL_NEW", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        try:
            more: Any = dict(request) if quiet else {**request, **asked}
            answer: Any = self.client.update_item(
                TableName=self.table, Key=_key(key), UpdateExpression=expression, **more
            )
        except self.client.exceptions.ConditionalCheckFailedException as refusal:
            return refusal.response.get("Item", {}), False
        return answer.get("Attributes", {}), True

    def _sound(self, key: str, spelled: Mapping[str, Any]) -> Item:
        """The attributes of an item without its key; empty for one that is set aside."""
        item = plain(spelled)
        item.pop("pk", None)
        if why := unsound(key, item):
            self._set_aside(key, item, why)
            return {}
        return item

    def _set_aside(self, key: str, item: Item, why: str) -> None:
        """Remove what an item holds, and have the digest publish it. Raises ItemUnreadable."""
        if not self.sets_aside:
            raise ItemUnreadable(f"the item {key} of the state table cannot be read: {why}")
        from guard.table.deferred import DIGEST, Deferred  # which stands on this file

        content = cut(json.dumps(item, default=str), _CONTENT)
        body = {SET_ASIDE: cut(key, _CONTENT), "why": why, "content": content}
        logger.error("an item of the table is set aside", extra={"item": body})
        for some in batched(sorted(item.keys() - {"pk"}), _REMOVED_AT_ONCE, strict=False):
            names = {f"#{number}": name for number, name in enumerate(some)}
            self.update(key, f"REMOVE {', '.join(names)}", {}, names=names, quiet=True)
        id_ = hashlib.sha256(f"{key}\0{content}".encode(errors="replace")).hexdigest()[:24]
        Deferred(self, DIGEST).add(f"{SET_ASIDE}-{id_}", json.dumps(body), datetime.now(UTC))

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
    """A time as the table has it: whole seconds since 1970, and before 9999.

    A record may claim any time; one that is out of these bounds is given the nearest within.
    """
    return min(max(int(when.timestamp()), 0), LATEST)


def bounded(key: str) -> str:
    """A key as the table has it: texts of other people's in it may have any length."""
    known = key.encode(errors="replace")
    if len(known) <= LONGEST_KEY:
        return known.decode()
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
    return f"{known[: LONGEST_KEY - 100].decode(errors='ignore')}#{digest}"


def _key(key: str) -> Any:
    return {"pk": {"S": bounded(key)}}


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
