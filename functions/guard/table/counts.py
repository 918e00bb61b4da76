"""How often each finding was seen in its window, and how much of that was published.

A window opens when a fingerprint is first seen and is over at `ends`. Its item is kept a while
longer, so that the digest can sum the window up; one whose window is over is started afresh here,
by a condition, and never by trusting that it is gone. A fingerprint that is seen again after its
window carries the old one's numbers along (`past_...`) until the digest has published them: however
seldom that runs, no sighting is lost.

boto3 repeats an update whose answer was lost, so a count may come out too high, never too low: a
finding is then followed up early.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from guard.table.items import RACES, StateError, epoch

if TYPE_CHECKING:
    from guard.table.items import Item, Items, Value

CLAIM_SECONDS = 30
"""How long a process may take to publish what it claimed.

It must end before the messages of a killed process become visible again (six function timeouts):
while the claim stands, the redelivered message would leave the alert to the dead process.
"""

SUMMARIES, SUMMARY = "summaries", "due"
"""The table's index of what the digest is to sum up, and the one value of its hash key."""

KEPT_SECONDS = 14 * 86_400
"""How long after its window an item waits for the digest."""
LISTED = 20
"""Most names of one list of a fingerprint's item: what the digest can name of what it sums up."""
WORDS = 100
"""Most words of one finding that are remembered as published."""

_FULL_LISTS = 10_000
_NO_LISTS: Mapping[str, Sequence[str]] = {}

# Who opens a window has the claim to publish it: that spares a call of its own.
_COUNT = (
    "SET claimed = if_not_exists(claimed, :n), claimant = if_not_exists(claimant, :me), "
    "claimed_until = if_not_exists(claimed_until, :until), "
    "ends = if_not_exists(ends, :ends), expires_at = if_not_exists(expires_at, :kept), "
    "first_seen = if_not_exists(first_seen, :seen), last_seen = :last, "
    "told = if_not_exists(told, :zero){words} ADD tally :n{lists}"
)
_IN_WINDOW = "attribute_not_exists(pk) OR ends > :now"
_CARRY = (
    "past_first = if_not_exists(past_first, first_seen), "
    "past_last = if_not_exists(last_seen, first_seen), "
    "past_tally = if_not_exists(past_tally, :zero) + tally, "
    "past_told = if_not_exists(past_told, :zero) + told, "
)
_OPEN = (
    "SET {carry}claimed = :n, claimant = :me, claimed_until = :until, "
    "expires_at = :kept, ends = :ends, first_seen = :seen, last_seen = :last, told = :zero, "
    "tally = :n{words} REMOVE graver{lists}"
)
_OVER = "attribute_not_exists(ends) OR ends <= :now"


@dataclass(frozen=True, slots=True)
class Counted:
    """One fingerprint in its present window; `published` is the total that was last published.

    `claimed`: this very count opened the window, so nobody else publishes it for `CLAIM_SECONDS`.
    `graver` and `novel` are the words of `Finding` that were published: in this window, and ever.
    """

    total: int
    first_seen: datetime
    published: int
    window_ends: int
    claimed: bool = False
    graver: frozenset[str] = frozenset()
    novel: frozenset[str] = frozenset()

    @property
    def due(self) -> bool:
        """A milestone has been reached that was not published."""
        return milestone(self.total) > self.published


def milestone(total: int) -> int:
    """The highest of 1, 10, 100, 1,000 ... that `total` has reached; 0 for none."""
    return 10 ** (len(str(total)) - 1) if total > 0 else 0


@dataclass(frozen=True, slots=True)
class Counts:
    """Items `finding#<fingerprint>`. Needs dynamodb:UpdateItem, and nothing else."""

    items: Items
    _full: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """Lists that this process saw full, and until when: to try again would cost a write each."""

    def count(
        self,
        fingerprint: str,
        n: int,
        now: datetime,
        window: int,
        first_seen: datetime | None = None,
        last_seen: datetime | None = None,
        *,
        lists: Mapping[str, Sequence[str]] = _NO_LISTS,
        words: Collection[str] = (),
    ) -> Counted:
        """Add `n` sightings to the window of `window` seconds; nearly always one UpdateItem.

        The window opens at `now` of its first sighting and later ones do not prolong it; of that
        sighting `first_seen` is kept, and `last_seen` of the latest (`now` if not given). `lists`
        are names that the digest is to tell, by the list's name, of which `LISTED` are kept. Who
        opens the window has also claimed its `words`. Raises StateError, or boto3's ClientError.
        """
        me = secrets.randbits(48)
        ends = epoch(now) + window
        values: dict[str, Value] = {
            ":n": n,
            ":zero": 0,
            ":me": me,
            ":until": epoch(now) + CLAIM_SECONDS,
            ":seen": epoch(first_seen or now),
            ":last": epoch(last_seen or now),
            ":ends": ends,
            ":kept": ends + KEPT_SECONDS,
            ":now": epoch(now),
        }
        if words:
            values[":words"] = sorted(words)[:WORDS]
        item = self._count(finding_key(fingerprint), values, lists, now, words=bool(words))
        return Counted(
            total=item["tally"],
            first_seen=datetime.fromtimestamp(item["first_seen"], UTC),
            published=item["told"],
            window_ends=item["ends"],
            claimed=item.get("claimant") == me,
            graver=item.get("graver", frozenset()),
            novel=item.get("novel", frozenset()),
        )

    def _count(
        self,
        key: str,
        values: Mapping[str, Value],
        lists: Mapping[str, Sequence[str]],
        now: datetime,
        *,
        words: bool,
    ) -> Item:
        """The item after one more count. The two updates exclude each other by their conditions, so
        whoever loses the race to open a window counts in the one that somebody else opened. A list
        that is full is left out.
        """
        count_words = ", claimed_news = if_not_exists(claimed_news, :words)" if words else ""
        open_words = ", claimed_news = :words" if words else ""
        for _ in range(RACES):
            adds = self._with_room(key, lists, now)
            item, done = self.items.update(
                key,
                _COUNT.format(words=count_words, lists="".join(f", {one} :{one}" for one in adds)),
                {**values, **_placeholders(adds), **({":most": LISTED} if adds else {})},
                when=f"({_IN_WINDOW}){''.join(map(_has_room, adds))}",
            )
            full = self._note_full(key, adds, item, now)
            if done:
                return item
            if item.get("ends", 0) > epoch(now):
                continue  # a list is full
            adds = {name: some for name, some in adds.items() if name not in full}
            item, done = self.items.update(
                key,
                _OPEN.format(
                    # Of a window that was summed up there is nothing to carry along.
                    carry=_CARRY if "tally" in item else "",
                    words=open_words,
                    lists=_add(adds),
                ),
                {**values, **_placeholders(adds)},
                when=_OVER,
            )
            if done:
                self._note_full(key, adds, item, now)
                return item
        raise StateError(f"{key}: lost {RACES} races for its window")

    def _with_room(
        self, key: str, lists: Mapping[str, Sequence[str]], now: datetime
    ) -> dict[str, Sequence[str]]:
        """The lists that are not known to be full, within their bound."""
        return {
            name: some[:LISTED]
            for name, some in lists.items()
            if some and self._full.get((key, name), 0) <= epoch(now)
        }

    def _note_full(self, key: str, names: Collection[str], item: Item, now: datetime) -> set[str]:
        """Those of an item's lists that are full; remembered for as long as its window is open."""
        full = {name for name in names if len(item.get(name, ())) >= LISTED}
        if full and item.get("ends", 0) > epoch(now):
            if len(self._full) > _FULL_LISTS:
                self._full.clear()
            self._full.update({(key, name): item["ends"] for name in full})
        return full

    def claim(
        self, fingerprint: str, counted: Counted, now: datetime, words: Collection[str] = ()
    ) -> bool:
        """Whether the caller is the one to publish `counted`; without a call where it is so.

        False where another process claimed as much in the last `CLAIM_SECONDS`, or published it,
        and all of the `words` as well: two batches that count one finding at the same time would
        otherwise both publish it. The claim bears a number of its caller's own, because boto3
        repeats a write whose answer was lost. Raises ClientError.
        """
        if counted.claimed or (counted.due and self._claim_total(fingerprint, counted, now)):
            return True
        return bool(words) and self._claim_words(fingerprint, counted, now, sorted(words)[:WORDS])

    def _claim_total(self, fingerprint: str, counted: Counted, now: datetime) -> bool:
        return self._update(
            fingerprint,
            "SET claimed = :total, claimed_until = :until, claimant = :me",
            "ends = :ends AND told < :milestone AND (attribute_not_exists(claimed)"
            " OR claimed < :milestone OR claimed_until <= :now OR claimant = :me)",
            {
                **_claimant(counted, now),
                ":total": counted.total,
                ":milestone": milestone(counted.total),
            },
        )

    def _claim_words(
        self, fingerprint: str, counted: Counted, now: datetime, words: Sequence[str]
    ) -> bool:
        known = " AND ".join(f"contains(claimed_news, :word{n})" for n, _ in enumerate(words))
        return self._update(
            fingerprint,
            "SET claimed_until = :until, claimant = :me ADD claimed_news :words",
            f"ends = :ends AND (NOT ({known}) OR claimed_until <= :now OR claimant = :me)",
            {
                **_claimant(counted, now),
                **{f":word{n}": one for n, one in enumerate(words)},
                ":words": words,
            },
        )

    def mark_published(
        self,
        fingerprint: str,
        counted: Counted,
        body: str,
        graver: Collection[str] = (),
        novel: Collection[str] = (),
    ) -> bool:
        """Remember that `counted.total` was published: after publishing, so that a crash repeats an
        alert and never loses one. `body` is what was published, for the digest to sum up: it finds
        the item by `summary_at` in the index `SUMMARIES`, once the first window is over.

        False, and nothing written, where more has been published meanwhile, or a new window has
        opened: what was published in the old one must not silence the new one. The words `graver`
        and `novel` are remembered all the same, as published in this window and for ever. Raises
        ClientError.
        """
        words = {"graver": sorted(graver)[:WORDS], "novel": sorted(novel)[:WORDS]}
        words = {name: some for name, some in words.items() if some}
        ends = {":ends": counted.window_ends}
        marked = self._update(
            fingerprint,
            "SET told = :total, body = :body, summary = :due,"
            f" summary_at = if_not_exists(summary_at, ends){_add(words)}",
            "ends = :ends AND told < :total",
            {
                **ends,
                ":total": counted.total,
                ":body": body,
                ":due": SUMMARY,
                **_placeholders(words),
            },
        )
        if not marked and words:
            only = {**ends, **_placeholders(words)}
            self._update(fingerprint, _add(words).strip(), "ends = :ends", only)
        return marked

    def _update(
        self, fingerprint: str, update: str, condition: str, values: Mapping[str, Value]
    ) -> bool:
        key = finding_key(fingerprint)
        return self.items.update(key, update, values, when=condition, quiet=True)[1]


def finding_key(fingerprint: str) -> str:
    """The item of one fingerprint."""
    return f"finding#{fingerprint}"


def _claimant(counted: Counted, now: datetime) -> dict[str, int]:
    return {
        ":me": secrets.randbits(48),
        ":until": epoch(now) + CLAIM_SECONDS,
        ":ends": counted.window_ends,
        ":now": epoch(now),
    }


def _has_room(name: str) -> str:
    return f" AND (attribute_not_exists({name}) OR size({name}) < :most)"


def _add(sets: Collection[str]) -> str:
    return f" ADD {', '.join(f'{name} :{name}' for name in sets)}" if sets else ""


def _placeholders(sets: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    return {f":{name}": some for name, some in sets.items()}
