"""How often each finding was seen in its window, and how much of that was published.

A window opens when a fingerprint is first seen and is over at `ends`. Its item is kept a while
longer, so that the digest can sum the window up; one whose window is over is started afresh here,
by a condition, and never by trusting that it is gone. A fingerprint that is seen again after its
window carries the old one's numbers along (`past_...`) until the digest has published them: however
rarely that runs, no sighting is lost.

boto3 repeats an update whose answer was lost, so a count may come out too high, never too low: a
finding is then followed up early.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from guard.findings.finding import bounded
from guard.table.items import epoch
from guard.table.windows import Windows, add_to_sets, placeholders

if TYPE_CHECKING:
    from guard.table.items import Items, Value

CLAIM_SECONDS = 30
"""How long a process may take to publish what it claimed.

It must end before the messages of a killed process become visible again (six function timeouts):
while the claim stands, the redelivered message would leave the alert to the dead process.
"""

SUMMARIES, SUMMARY = "summaries", "due"
"""The table's index of what the digest is to sum up, and the one value of its hash key."""

KEPT_SECONDS = 14 * 86_400
"""How long after its window an item waits for the digest."""

_NO_LISTS: Mapping[str, Sequence[str]] = {}


@dataclass(frozen=True, slots=True)
class Counted:
    """One fingerprint in its present window; `published` is the total that was last published.

    `claimed`: this very count opened the window, so nobody else publishes it for `CLAIM_SECONDS`.
    `graver` and `novel` are the words of `Finding` that were published: in this window, and ever.
    `lists` are the names that the window keeps for the digest.
    """

    total: int
    first_seen: datetime
    published: int
    window_ends: int
    claimed: bool = False
    graver: frozenset[str] = frozenset()
    novel: frozenset[str] = frozenset()
    lists: Mapping[str, Collection[str]] = field(default_factory=dict[str, Collection[str]])

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
    windows: Windows

    @classmethod
    def of(cls, items: Items) -> Self:
        """The counts in a table."""
        return cls(items, Windows(items))

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
        are names that the digest is to publish, by the list's name, of which `most_listed` are
        kept. Who opens the window has also claimed its `words`. Raises StateError, or boto3's
        ClientError.
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
            values[":words"] = bounded(sorted(words))
        item = self.windows.count(finding_key(fingerprint), values, lists, now)
        return Counted(
            total=item["tally"],
            first_seen=datetime.fromtimestamp(item["first_seen"], UTC),
            published=item["told"],
            window_ends=item["ends"],
            claimed=item.get("claimant") == me,
            graver=item.get("graver", frozenset()),
            novel=item.get("novel", frozenset()),
            lists={name: item[name] for name in lists if name in item},
        )

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
        return bool(words) and self._claim_words(fingerprint, counted, now, bounded(sorted(words)))

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
        words = {"graver": bounded(sorted(graver)), "novel": bounded(sorted(novel))}
        words = {name: some for name, some in words.items() if some}
        ends = {":ends": counted.window_ends}
        marked = self._update(
            fingerprint,
            "SET told = :total, body = :body, summary = :due,"
            f" summary_at = if_not_exists(summary_at, ends){add_to_sets(words)}",
            "ends = :ends AND told < :total",
            {
                **ends,
                ":total": counted.total,
                ":body": body,
                ":due": SUMMARY,
                **placeholders(words),
            },
        )
        if not marked and words:
            only = {**ends, **placeholders(words)}
            self._update(fingerprint, add_to_sets(words).strip(), "ends = :ends", only)
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
