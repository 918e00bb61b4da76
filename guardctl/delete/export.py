"""The history of all endpoints' policies, out of the table that goes with the stack.

Needs dynamodb:Scan on the stack's table.
"""

import json
from pathlib import Path
from typing import Any

from guard.approved.history import Change


def read_history(dynamodb: Any, table: str) -> list[Change]:
    """Every change that is kept, by endpoint and number. Raises ClientError.

    DynamoDB deletes late what has expired, so a little more may be found than `guardctl history`
    shows.
    """
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="begins_with(pk, :history) AND attribute_exists(#change)",
        ExpressionAttributeNames={"#change": "change"},
        ExpressionAttributeValues={":history": {"S": "history#"}},
    )
    changes = [
        Change.from_json(json.loads(item["change"]["S"]))
        for page in pages
        for item in page["Items"]
    ]
    return sorted(changes, key=lambda one: (one.endpoint_id, one.number))


def write_history(path: Path, changes: list[Change]) -> None:
    """One JSON document, as `guardctl history --format json` prints. Raises OSError.

    A file that exists is not overwritten: it may be the history of an earlier stack.
    """
    with path.open("x", encoding="utf-8") as file:
        json.dump([change.to_json() for change in changes], file, indent=2)
        file.write("\n")
