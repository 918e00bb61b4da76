"""What is opted out: a garbled item is set aside like any other, and the report goes on."""

from typing import Any

import pytest

from guard.table.items import Items
from guard.table.opt_outs import NOTHING, OptOut, OptOuts

KEY = "opted-out#111122223333/eu-west-1/all"


@pytest.fixture
def opt_outs(dynamodb: Any) -> OptOuts:
    return OptOuts(Items(dynamodb, "state", "111122223333/eu-west-1"))


def test_what_was_written_is_read(opt_outs: OptOuts) -> None:
    found = [OptOut("vpc-1", "", "alice"), OptOut("vpc-2", "x", "bob", "no subnets")]
    opt_outs.write(found)
    assert opt_outs.read() == (2, sorted(found))


def test_nothing_is_nothing(opt_outs: OptOuts) -> None:
    assert opt_outs.read() == (0, [])
    opt_outs.write([])
    assert opt_outs.read() == (0, [])


@pytest.mark.parametrize(
    "item",
    [
        {"tally": {"N": "1"}, "listed": {"SS": ["no json"]}},
        {"tally": {"N": "1"}, "listed": {"SS": ["[" * 3000]}},
        {"tally": {"N": "1"}, "listed": {"SS": ['{"resource": 5}']}},
        {"tally": {"N": "1"}, "listed": {"SS": ['{"other": "x"}']}},
        {"tally": {"N": "1"}, "listed": {"SS": ["[]"]}},
        {"tally": {"S": "many"}, "listed": {"SS": [NOTHING]}},
        {"tally": {"N": "1"}, "listed": {"S": "text"}},
    ],
)
def test_a_garbled_item_is_set_aside_and_read_no_more(opt_outs: OptOuts, item: Any) -> None:
    opt_outs.items.client.put_item(TableName="state", Item={"pk": {"S": KEY}, **item})
    assert opt_outs.read() == (0, [])
    left = opt_outs.items.client.get_item(TableName="state", Key={"pk": {"S": KEY}})
    assert set(left.get("Item", {})) <= {"pk"}
