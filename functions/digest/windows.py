"""Windows of alerts that are over: found, summed up, and forgotten once that was published."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from digest.findings import Over
from guard.findings.finding import iso
from guard.findings.summary import SUMMED_UP, attribute, checked, summed_up_title
from guard.table.counts import SUMMARIES, SUMMARY, finding_key
from guard.table.figures import READER_KEPT
from guard.table.items import epoch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guard.table.items import Item, Items

_NUMBERS = ("tally", "told", "first", "last")
_LISTS = tuple(map(attribute, SUMMED_UP))
_PAST = tuple(f"past_{name}" for name in _NUMBERS)
# All of a window that is over; what remains is the fingerprint's `novel`.
_WINDOW = (
    *("ends", "summary", "summary_at", "body", "tally", "told", "first_seen", "last_seen"),
    *("claimed", "claimant", "claimed_until", "claimed_news", "graver"),
)

logger = Logger(child=True)


@dataclass(frozen=True, slots=True)
class Closed:
    """A fingerprint of which a window is over, and what to publish of it; None if all was.

    `whole`: its latest window is over too.
    """

    over: Over | None
    whole: bool
    fingerprint: str
    item: Item


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows in the table; methods raise ClientError.

    Needs dynamodb:Query (the index), dynamodb:BatchGetItem, dynamodb:UpdateItem and
    dynamodb:DeleteItem.
    """

    items: Items

    def over(self, now: datetime) -> list[Closed]:
        """What was published and is over. The index may be a moment old; the items are not."""
        when = "summary = :due AND summary_at <= :now"
        found = self.items.query(SUMMARIES, when, {":due": SUMMARY, ":now": epoch(now)})
        read = self.items.read(item["pk"] for item in found)
        closed = (
            self.items.parsed(key, item, partial(_closed, key, now)) for key, item in read.items()
        )
        return [one for one in closed if one]

    def forget(self, closed: Iterable[Closed]) -> None:
        """Forget windows that are over, unless the item has changed meanwhile: then the next run
        sees it again.
        """
        for one in closed:
            if not self._forget(one):
                extra = {"fingerprint": one.fingerprint}
                logger.info("a window has changed meanwhile", extra=extra)

    def _forget(self, one: Closed) -> bool:
        item, key = one.item, finding_key(one.fingerprint)
        ends = item.get("ends", 0)
        if one.whole and "novel" in item:  # what was published once is not new in a later window
            return self.items.update(
                key,
                f"SET expires_at = :kept REMOVE {', '.join((*_WINDOW, *_PAST, *_LISTS))}",
                {":ends": ends, ":kept": ends + READER_KEPT},
                when="ends = :ends",
                quiet=True,
            )[1]
        if one.whole:
            return self.items.delete(key, "ends = :ends", {":ends": ends})
        if "past_tally" not in item:
            return True
        return self.items.update(  # a new window has opened: only the ended ones are forgotten
            key,
            f"SET summary_at = ends REMOVE {', '.join((*_PAST, *_LISTS))}",
            {":ends": ends, ":past": item["past_tally"]},
            when="past_tally = :past AND ends = :ends",
            quiet=True,
        )[1]


def _closed(key: str, now: datetime, item: Item) -> Closed:
    return Closed(_summed_up(key, item, now), _is_over(item, now), _fingerprint(key), item)


def _summed_up(key: str, item: Item, now: datetime) -> Over | None:
    """The windows of one fingerprint that are over, as one; None if all of it was published."""
    if "body" not in item:
        return None
    tally, published, first, last = (item.get(name, 0) for name in _PAST)
    if _is_over(item, now):
        tally, published = tally + item.get("tally", 0), published + item.get("told", 0)
        first, last = first or item.get("first_seen", 0), item.get("last_seen", 0)
    named = {"fingerprint": _fingerprint(key)}  # the key counts, whatever the body says
    numbers = {"count": tally, "first_seen": _iso(first), "last_seen": _iso(max(first, last))}
    body = checked(json.loads(item["body"]))
    seen = {name: sorted(item.get(attribute(name), ())) for name in SUMMED_UP}
    evidence: dict[str, Any] = {name: names for name, names in seen.items() if names}
    if (more := tally - len(seen["events"])) > 0:
        evidence["more_events"] = more
    title = summed_up_title(tally, seen, body["title"])
    summary = {**body, **named, **numbers, "title": title, "evidence": evidence, "over": True}
    over = Over(summary, published)
    return over if over.unpublished else None


def _is_over(item: Item, now: datetime) -> bool:
    return item.get("ends", 0) <= now.timestamp()


def _fingerprint(key: str) -> str:
    return key.removeprefix(finding_key(""))


def _iso(seconds: int) -> str:
    return iso(datetime.fromtimestamp(seconds, UTC))
