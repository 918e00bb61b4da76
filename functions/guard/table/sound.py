"""What an attribute of the state table may be, by its name: the guard writes nothing else. Pure.

Whoever may write to the table can write anything there. What DynamoDB holds is read here without
an error, and `unsound` says why a reader could not use it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST = 2**53  # that other languages' numbers hold exactly
LATEST = 253_370_764_799  # epoch seconds, of the end of 9998: Python's times end a year later

_TIMES = frozenset(
    {
        *("applied_at", "asked_at", "at", "away_at", "back_at", "claimed_until", "ends"),
        *("expires_at", "first_seen"),
        *("grace_until", "kept_since", "last_seen", "latest", "next_look", "past_first"),
        *("past_last", "since", "summary_at", "torn_down", "used_at"),
    }
)
_NUMBERS = frozenset(
    {
        *("claimant", "claimed", "excepted", "last_number", "paid_month", "past_tally"),
        *("past_told", "seen", "slot_at", "suppressed", "tally", "told"),
    }
)
_TEXTS = frozenset(
    {
        *(
            "address",
            "before",
            "body",
            "candidate",
            "day",
            "denied",
            "denied_in",
            "endpoint_id",
            "intent",
        ),
        *("last_key", "phase", "previous", "reason", "stable", "steps", "summary", "ts", "why"),
    }
)
_SETS = frozenset({"claimed_news", "graver", "ids", "listed", "novel"})
_PLAIN = (bool, int, str, frozenset)
# Slack's threads name a time in words.
_OF_THREADS = {"first_seen": str}


def plain(spelled: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values of an item as DynamoDB spells it. Never raises: a number that is not whole, and
    what the guard never writes, are given as values that no reader takes.
    """
    return {name: _value(*one.items()) for name, one in spelled.items()}


def unsound(key: str, item: Mapping[str, Any]) -> str:
    """Why an item cannot be used; empty where each attribute is what the guard writes."""
    for name, value in item.items():
        if not _is_sound(key, name, value):
            return f"its attribute {name[:100]!r} holds {str(value)[:100]!r}"
    return ""


def _is_sound(key: str, name: str, value: object) -> bool:
    if key.startswith("slack#") and name in _OF_THREADS:
        return isinstance(value, _OF_THREADS[name])
    if name in _TIMES:
        return type(value) is int and 0 <= value <= LATEST
    if name in _NUMBERS or name.startswith("found "):
        return type(value) is int and 0 <= value < LARGEST
    if name in _TEXTS or name.startswith("kind_"):
        return isinstance(value, str)
    if name in _SETS or name.startswith("seen_"):
        return isinstance(value, frozenset)
    return isinstance(value, _PLAIN)


def _value(spelled: tuple[str, Any], *_: object) -> Any:
    match spelled:
        case "N", number:
            try:
                value = Decimal(number)
                return int(value) if value == value.to_integral_value() else value
            except ArithmeticError:
                return None
        case "SS", texts:
            return frozenset(texts)
        case (("S" | "BOOL"), value):
            return value
        case _:
            return None
