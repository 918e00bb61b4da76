"""A look at a VPC that the guard asks itself for: when, and what the look before it knew. Pure.

The message is an envelope of `guard.reconcile.request`; this is its `detail`. It carries who and
what set the work off, because the events that said so are long deleted when it arrives.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from guard.reconcile.batch import is_count
from guard.reconcile.requeue import LONGEST_DELAY

CARRIED = 10  # of each kind: enough to find the cause by, and far below SQS's 256 KiB

_TEXTS = ("reasons", "who", "event_ids", "secrets", "intents", "left_out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """One look to come.

    `attempt` counts the looks at one unfinished change and `throttled` the times that AWS refused
    one for pace. `not_before` (epoch seconds) is when to look; a message that is handed out earlier
    waits. `removing` asks to go on removing what is ours. `intents` are the keys of changes
    begun and not yet published. `left_out` are subnets in which AWS refused an interface, each with
    AWS's words.
    """

    vpc_id: str
    reason: str
    attempt: int = 0
    throttled: int = 0
    not_before: int = 0
    removing: bool = False
    reasons: tuple[str, ...] = ()
    who: tuple[str, ...] = ()
    event_ids: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    intents: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def delay(self, now: float) -> int:
        """Seconds to give to SQS; for what is left then, the message waits in the queue."""
        return int(min(max(self.not_before - now, 0), LONGEST_DELAY))

    def to_detail(self) -> dict[str, Any]:
        """The message's `detail`: what differs from the defaults, in JSON's own types."""
        detail: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name in _TEXTS:
                value = list(dict.fromkeys(value))[:CARRIED]
            if value or one.name in ("vpc_id", "reason"):
                detail[_spelled(one.name)] = value
        return detail

    @classmethod
    def from_detail(cls, detail: Mapping[str, Any]) -> Self:
        """Read what `to_detail` wrote, or a sweep or a person.

        Raises ValueError for a detail without a `vpcId`, or with a member of another type.
        """
        known = {_spelled(one.name): one.name for one in fields(cls)}
        read: dict[str, Any] = {"reason": "sweep"}
        read |= {known[key]: value for key, value in detail.items() if key in known}
        for name in _TEXTS:
            read[name] = tuple(read.get(name, ()))
        later = cls(**read) if isinstance(read.get("vpc_id"), str) else None
        if later is None or not _is_sound(later):
            raise ValueError("a reconcile request needs a vpcId, and its numbers must be numbers")
        return later


def _is_sound(later: Later) -> bool:
    numbers = (later.attempt, later.throttled, later.not_before)
    texts = (later.reason, *(text for name in _TEXTS for text in getattr(later, name)))
    return all(map(is_count, numbers)) and all(type(text) is str for text in texts)


def _spelled(name: str) -> str:
    """vpc_id → vpcId, as in the rest of an envelope."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
