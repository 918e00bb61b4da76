"""What DynamoDB makes of an item whose attributes are of another type than an expression takes.

A comparison of two types is false, and no error ("Comparison operator and function reference" in
the developer guide: the operands must be of the same type). moto compares them as Python does.
"""

from typing import Any

from moto.dynamodb.comparisons import (
    OpGreaterThan,
    OpGreaterThanOrEqual,
    OpLessThan,
    OpLessThanOrEqual,
)

from .patching import Patches

patches = Patches()


def _expr(moto: Any, comparison: Any, item: Any) -> bool:
    try:
        return moto(comparison, item)
    except TypeError:
        return False


for _comparison in (OpGreaterThan, OpGreaterThanOrEqual, OpLessThan, OpLessThanOrEqual):
    patches.method(_comparison, "expr")(_expr)
