"""Single items of the state table: read one, write some of its attributes, each with its end.

The table has the key `pk` and its time to live on `expires_at` (epoch seconds). DynamoDB deletes
late, "within a few days" (developer guide, "Using time to live"), so an item whose time is over is
read as absent here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

type Values = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Items:
    """The table. Needs dynamodb:GetItem and dynamodb:UpdateItem; methods raise ClientError.

    `place` is the account and the Region whose resources the items are about (`Settings.place`).
    """

    client: DynamoDBClient
    table: str
    place: str

    def name(self, kind: str, resource: str) -> str:
        """The name of an item about a resource: what it is, and the resource in its place."""
        return f"{kind}#{self.place}/{resource}"

    def get(self, key: str, now: datetime) -> Values:
        """The attributes of an item that has not expired; empty where there is none."""
        answer: Any = self.client.get_item(
            TableName=self.table, Key={"pk": {"S": key}}, ConsistentRead=True
        )
        item = _read(answer.get("Item", {}))
        return item if int(item.get("expires_at", _NEVER)) > now.timestamp() else {}

    def put(
        self,
        key: str,
        values: Values,
        *,
        expires: datetime | None = None,
        when: str = "",
        given: Values | None = None,
    ) -> tuple[Values, bool]:
        """Set attributes, if the condition `when` holds (over `given`): the item then, and True.

        Else the item as it is, and False. Without `expires` an item is kept for good.
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
        names: dict[str, str] | None = None,
    ) -> tuple[Values, bool]:
        """Carry out an update expression, as `put` does."""
        request: dict[str, Any] = {"ConditionExpression": when} if when else {}
        if names:
            request["ExpressionAttributeNames"] = names
        try:
            answer: Any = self.client.update_item(
                TableName=self.table,
                Key={"pk": {"S": key}},
                UpdateExpression=expression,
                ExpressionAttributeValues={name: _written(one) for name, one in values.items()},
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **request,
            )
        except self.client.exceptions.ConditionalCheckFailedException as refusal:
            return _read(refusal.response.get("Item", {})), False
        return _read(answer.get("Attributes", {})), True


_NEVER = 10**12


def _written(value: str | int) -> Any:
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


def _read(item: Any) -> Values:
    return {
        name: int(value["N"]) if "N" in value else str(value["S"])
        for name, value in item.items()
        if "N" in value or "S" in value
    }
