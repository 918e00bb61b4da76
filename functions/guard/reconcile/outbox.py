"""The outbox: changes that were recorded before AWS was changed, and not yet published.

A process may die between a change and its finding. So the finding is recorded first, and marked
published after SNS has it; in between, an attempt that comes later finds it, sees by the present
state what became of the change, and publishes it late. A failure after publishing means that ops
read it twice, never that they do not read it.

An item of the state table holds what one message led to for one resource: an attribute for each
kind of change, so that one change takes the place of another in a single write.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from guard.findings.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from guard.reconcile.request import Key, Request
    from guard.reconcile.result import Change
    from guard.table.items import Item, Items, Values

KEPT = timedelta(days=14)  # as long as a message may wait in a dead-letter queue
PREFIX = "outbox#"
_KIND = "kind_"  # before the kind of a change in the name of an attribute

# Items of the version before: one for each change, and another name for each of its kinds.
OLD_PREFIX, OLD_KIND = "intent#", "intent"


@dataclass(frozen=True, slots=True)
class Entry:
    """A change that was recorded: `finding` announces it, and its `done` are the steps.

    `steps` are the same as data, where the reaction recorded them.
    """

    item: str
    kind: str
    finding: Finding
    steps: tuple[Mapping[str, Any], ...] = ()

    @property
    def key(self) -> str:
        """Names the entry."""
        return f"{self.item}/{self.kind}"

    def done(self, pending: Collection[str]) -> tuple[str, ...]:
        """The steps that the present state no longer asks for: so they were carried out."""
        return tuple(step for step in self.finding.done if step not in pending)

    def late(self, now: datetime, done: Sequence[str] | None = None) -> Finding:
        """The finding of a change that could not be published when it was made."""
        finding = self.finding
        return replace(
            finding,
            title=f"{finding.title} (reported late)",
            cause=f"{finding.cause} The change could not be published when it was made.",
            done=finding.done if done is None else tuple(done),
            last_seen=now,
        )


def item_of(key: Key, source: str) -> str:
    """The item for what a message leads to for one resource."""
    return f"{PREFIX}{key}/{source}"


def entry_of(request: Request, change: Change) -> Entry:
    """The entry that a change of this request is recorded as."""
    item = item_of(request.key, request.triggers[0].source)
    return Entry(item, change.kind, change.announcement, change.steps)


@dataclass(frozen=True, slots=True)
class Outbox:
    """The entries in the table; methods raise ClientError or BotoCoreError.

    `old_names` has what the version before put behind the name of an item for each further kind of
    change, such as `#back`.
    """

    items: Items
    old_names: tuple[str, ...] = ()

    def record(self, entry: Entry, now: datetime, *, instead_of: Entry | None = None) -> None:
        """Before anything is changed: this is what will have been done.

        `instead_of` is an entry of the same item that it replaces, in the same write.
        """
        values: Values = {_KIND + instead_of.kind: ""} if instead_of else {}
        values[_KIND + entry.kind] = json.dumps(
            {"finding": entry.finding.to_json(), "steps": list(entry.steps)}
        )
        self.items.put(entry.item, values, expires=now + KEPT)

    def replace(self, entry: Entry, finding: Finding | None, now: datetime) -> None:
        """After an attempt of which this much was done, and nothing where there is no finding."""
        if finding and finding.done:
            self.record(replace(entry, finding=finding, steps=()), now)
        else:
            self.mark_published([entry], now)

    def unpublished(self, request: Request, now: datetime) -> list[Entry]:
        """What earlier attempts recorded and did not publish; for a first delivery, without a read.

        An entry of the version before is found under its old name.
        """
        names = dict.fromkeys(request.entries)
        for one in request.triggers:
            if one.redelivered:
                names[item_of(request.key, one.source)] = None
        found: list[Entry] = []
        for name in names:
            read = self._read(name, now)
            if not read and name.startswith(PREFIX):
                old = f"{OLD_PREFIX}{request.key.id}#{name.rpartition('/')[2]}"
                read = [one for end in ("", *self.old_names) for one in self._read(old + end, now)]
            found += read
        return found

    def mark_published(self, entries: Iterable[Entry], now: datetime) -> None:
        """After ops were informed. One write for each item."""
        kinds: dict[str, dict[str, str | int]] = {}
        for one in entries:
            name = OLD_KIND if one.item.startswith(OLD_PREFIX) else _KIND + one.kind
            kinds.setdefault(one.item, {})[name] = ""
        for item, values in kinds.items():
            self.items.put(item, values, expires=now + KEPT)

    def _read(self, name: str, now: datetime) -> list[Entry]:
        """The open entries of an item."""
        item = self.items.get(name, now)
        return self.items.parsed(name, item, partial(_entries, name)) or []


def _entries(name: str, item: Item) -> list[Entry]:
    if name.startswith(OLD_PREFIX):
        text, steps = item.get(OLD_KIND), json.loads(item.get("steps", "[]"))
        read = {"finding": json.loads(text), "steps": steps} if text else None
        # What followed from a change had a name of its own, which ends in its kind.
        kind = name.rpartition("#")[2]
        return [_entry(name, kind, read)] if read else []
    return [
        _entry(name, attribute.removeprefix(_KIND), json.loads(text))
        for attribute, text in item.items()
        if attribute.startswith(_KIND) and text
    ]


def _entry(item: str, kind: str, read: Mapping[str, Any]) -> Entry:
    return Entry(item, kind, Finding.from_json(read["finding"]), tuple(read["steps"]))
