"""DynamoDB as moto plays it, and another process that comes in between."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import boto3

from guard.table.items import Items

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUR = 3600


def later(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def item(items: Items, pk: str) -> dict[str, int]:
    found = items.client.get_item(TableName="state", Key={"pk": {"S": pk}}, ConsistentRead=True)
    return {name: int(value["N"]) for name, value in found["Item"].items() if "N" in value}


def lists_of(items: Items, pk: str) -> dict[str, set[str]]:
    found = items.client.get_item(TableName="state", Key={"pk": {"S": pk}}, ConsistentRead=True)
    return {name: set(value["SS"]) for name, value in found["Item"].items() if "SS" in value}


def another_process() -> Items:
    """The same table, through a client of its own."""
    return Items(boto3.Session().client("dynamodb", region_name="eu-west-1"), "state", "")


def before_each_update(items: Items, what: Callable[[], object], times: int = 1) -> None:
    """Have somebody else come in between our reading of the clock and our first `times` updates."""
    left = [None] * times

    def come_in(**_: object) -> None:
        if left:
            left.pop()
            what()

    items.client.meta.events.register("before-call.dynamodb.UpdateItem", come_in)
