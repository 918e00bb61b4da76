"""The opt-out tag, whose value may name the last day on which it holds. Pure."""

import re
from collections.abc import Mapping
from datetime import date

_DAY = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)", re.ASCII)


def last_day(value: str) -> date | None:
    """The first date in a tag's value; None where there is none: it holds without end."""
    for found in _DAY.finditer(value):
        try:
            return date.fromisoformat(found[0])
        except ValueError:
            continue
    return None


def in_force(tags: Mapping[str, str], key: str, today: date) -> dict[str, str]:
    """The tags, without the opt-out tag once its last day (UTC) is over."""
    ends = last_day(tags[key]) if key in tags else None
    return {name: value for name, value in tags.items() if name != key or not ends or today <= ends}
