"""What the guard remembers: how often a finding was seen, and how many changes it has made.

One DynamoDB table: key `pk`, time to live on `expires_at` (epoch seconds). Both uses are counters
in windows that open when a key is first seen and are over at `ends`. An item is kept a while
longer, so that the digest can sum the window up; one whose window is over is started afresh here,
by a condition, and never by trusting that it is gone.

A fingerprint seen again after its window carries the old one's numbers along (`past_...`) until the
digest has told them: however seldom that runs, no sighting goes untold.

boto3 repeats an update whose answer was lost, so a count may come out too high, never too low: a
finding is then followed up early, a budget spent early.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from guard.table.deferred import Shelf

CLAIM_SECONDS = 30
"""How long a process may take to publish what it claimed.

It must end before the messages of a killed process become visible again (six function timeouts):
while the claim stands, the redelivered message would leave the alert to the dead process.
"""

SUMMARIES, SUMMARY = "summaries", "due"
"""The table's index of what the digest is to sum up, and the one value of its hash key."""

KEPT_SECONDS = 14 * 86_400
"""How long after its window an item waits for the digest."""
READER_KEPT = 90 * 86_400
"""How long it is remembered who reads what, and which exceptions are used."""

LISTED = 20
"""Most names of one list of a fingerprint's item: what the digest can name of what it sums up."""
NEWS = 100
"""Most words of one finding that are remembered as published."""

_RACES = (
    5  # losing one means that somebody else just opened the window, so the next try counts in it
)
_NO_LIMIT = 10**15
_NO_TEXTS: Mapping[str, str] = {}
_NO_NUMBERS: Mapping[str, int] = {}
_NO_LISTS: Mapping[str, Sequence[str]] = {}

_COUNT_IN_WINDOW = (
    "ends = if_not_exists(ends, :ends), expires_at = if_not_exists(expires_at, :kept), "
    "first_seen = if_not_exists(first_seen, :seen), last_seen = :last, "
    "told = if_not_exists(told, :zero) ADD tally :n"
)
_IN_WINDOW = "attribute_not_exists(pk) OR (ends > :now AND tally < :limit)"
_CARRY = (
    "past_first = if_not_exists(past_first, first_seen), "
    "past_last = if_not_exists(last_seen, first_seen), "
    "past_tally = if_not_exists(past_tally, :zero) + tally, "
    "past_told = if_not_exists(past_told, :zero) + told, "
)
_OPEN_WINDOW = (
    "expires_at = :kept, ends = :ends, first_seen = :seen, last_seen = :last, told = :zero, "
    "tally = :n REMOVE graver"
)
# Who opens a window has the claim to tell of it: that spares a call of its own.
_CLAIM_IF_FIRST = (
    "claimed = if_not_exists(claimed, :n), claimant = if_not_exists(claimant, :me), "
    "claimed_until = if_not_exists(claimed_until, :until), "
)
_CLAIM_NEWS_IF_FIRST = "claimed_news = if_not_exists(claimed_news, :news), "
_CLAIM_NEWS = "claimed_news = :news, "
_FULL_LISTS = 10_000
_CLAIM = "claimed = :n, claimant = :me, claimed_until = :until, "
_WINDOW_OVER = "attribute_not_exists(ends) OR ends <= :now"

_ALWAYS = "attribute_exists(pk) OR attribute_not_exists(pk)"

_QUEUE_UP = "SET slot_at = slot_at + :gap, expires_at = :ends"
_BE_FIRST = "SET slot_at = :next, expires_at = :ends"
_NO_LINE = "attribute_not_exists(slot_at) OR slot_at <= :now"
_LINE_KEPT = 7 * 86_400


class StateError(Exception):
    """Every try to count lost a race; the message that led here must be retried."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One fingerprint in its present window; `told` is the total that ops were last told.

    `claimed`: this very count opened the window, so nobody else tells of it for `CLAIM_SECONDS`.
    `graver` and `novel` are the words of `Finding` that were published: in this window, and ever.
    """

    total: int
    first_seen: datetime
    told: int
    window_ends: int
    claimed: bool = False
    graver: frozenset[str] = frozenset()
    novel: frozenset[str] = frozenset()

    @property
    def due(self) -> bool:
        """A milestone has been reached that ops were not told of: say so."""
        return milestone(self.total) > self.told


@dataclass(frozen=True, slots=True)
class Spent:
    """A change budget after one change was asked of it; true if the change is `allowed`."""

    used: int
    limit: int
    allowed: bool
    window_ends: datetime

    def __bool__(self) -> bool:
        return self.allowed


def milestone(total: int) -> int:
    """The highest of 1, 10, 100, 1,000 ... that `total` has reached; 0 for none."""
    return 10 ** (len(str(total)) - 1) if total > 0 else 0


@dataclass(frozen=True, slots=True)
class State:
    """The table. Needs dynamodb:UpdateItem on it, and nothing else; only the digest reads it."""

    client: DynamoDBClient
    table: str
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
        news: Collection[str] = (),
    ) -> Counted:
        """Add `n` sightings to the window of `window` seconds; nearly always one UpdateItem.

        The window opens at `now` of its first sighting and later ones do not prolong it; of that
        sighting `first_seen` is kept, and `last_seen` of the latest (`now` if not given). `lists`
        are names that the digest is to tell, by the list's name, of which `LISTED` are kept. Who
        opens the window has also claimed its `news`. Raises StateError, or boto3's ClientError.
        """
        seen = (first_seen or now, last_seen or now)
        me = secrets.randbits(48)
        item, _ = self._count(
            finding_key(fingerprint),
            n,
            now,
            window,
            seen=seen,
            counting=_CLAIM_IF_FIRST + (_CLAIM_NEWS_IF_FIRST if news else ""),
            carry=_CARRY,
            opening=_CLAIM + (_CLAIM_NEWS if news else ""),
            more={":me": me, ":until": _epoch(now) + CLAIM_SECONDS},
            lists=lists,
            news=news,
        )
        return Counted(
            total=item["tally"],
            first_seen=datetime.fromtimestamp(item["first_seen"], UTC),
            told=item["told"],
            window_ends=item["ends"],
            claimed=item.get("claimant") == me,
            graver=frozenset(item.get("graver", ())),
            novel=frozenset(item.get("novel", ())),
        )

    def claim(
        self, fingerprint: str, counted: Counted, now: datetime, news: Collection[str] = ()
    ) -> bool:
        """Whether the caller is the one to tell ops of `counted`; without a call where it is so.

        False where another process claimed as much in the last `CLAIM_SECONDS`, or told it, and all
        of the `news` as well: two batches counting one finding at the same time would otherwise
        both announce it. The claim bears a number of its caller's own, because boto3 repeats a
        write whose answer was lost.
        """
        if counted.claimed or (counted.due and self._claim_total(fingerprint, counted, now)):
            return True
        return bool(news) and self._claim_news(fingerprint, counted, now, sorted(news)[:NEWS])

    def _claim_news(
        self, fingerprint: str, counted: Counted, now: datetime, news: Sequence[str]
    ) -> bool:
        known = " AND ".join(f"contains(claimed_news, :new{n})" for n, _ in enumerate(news))
        return self._write_if(
            fingerprint,
            "SET claimed_until = :until, claimant = :me ADD claimed_news :news",
            f"ends = :ends AND (NOT ({known}) OR claimed_until <= :now OR claimant = :me)",
            {
                ":me": secrets.randbits(48),
                ":until": _epoch(now) + CLAIM_SECONDS,
                ":ends": counted.window_ends,
                ":now": _epoch(now),
            },
            {f":new{n}": one for n, one in enumerate(news)},
            {":news": news},
        )

    def _claim_total(self, fingerprint: str, counted: Counted, now: datetime) -> bool:
        until = _epoch(now) + CLAIM_SECONDS
        return self._write_if(
            fingerprint,
            "SET claimed = :total, claimed_until = :until, claimant = :me",
            "ends = :ends AND told < :milestone AND (attribute_not_exists(claimed)"
            " OR claimed < :milestone OR claimed_until <= :now OR claimant = :me)",
            {
                ":me": secrets.randbits(48),
                ":total": counted.total,
                ":until": until,
                ":ends": counted.window_ends,
                ":milestone": milestone(counted.total),
                ":now": _epoch(now),
            },
        )

    def mark_told(
        self,
        fingerprint: str,
        counted: Counted,
        body: str,
        graver: Collection[str] = (),
        novel: Collection[str] = (),
    ) -> bool:
        """Remember that ops were told `counted.total`: after publishing, so that a crash repeats an
        alert and never loses one. `body` is what they were told, for the digest to sum up: it finds
        the item by `summary_at` in the index `SUMMARIES`, once the first window is over.

        False, and nothing written, where more has been told meanwhile, or a new window has opened:
        what was told in the old one must not silence the new one. The words `graver` and `novel`
        are remembered all the same, as published in this window and for ever.
        """
        words = {"graver": sorted(graver)[:NEWS], "novel": sorted(novel)[:NEWS]}
        words = {name: some for name, some in words.items() if some}
        add, sets = _add(words), _placeholders(words)
        told = self._write_if(
            fingerprint,
            "SET told = :total, body = :body, summary = :due,"
            f" summary_at = if_not_exists(summary_at, ends){add}",
            "ends = :ends AND told < :total",
            {":total": counted.total, ":ends": counted.window_ends},
            {":body": body, ":due": SUMMARY},
            sets,
        )
        if not told and sets:
            ends = {":ends": counted.window_ends}
            self._write_if(fingerprint, add.strip(), "ends = :ends", ends, sets=sets)
        return told

    def spend(self, key: str, limit: int, window: int, now: datetime, n: int = 1) -> Spent:
        """Take `n` out of the budget of `limit` in `window` seconds, if so much is left.

        Atomic: however many processes ask, no more than `limit` is allowed in one window. Raises
        StateError, or boto3's ClientError.
        """
        if limit < n:
            ends = datetime.fromtimestamp(_epoch(now) + window, UTC)
            return Spent(used=0, limit=limit, allowed=False, window_ends=ends)
        seen = (now, now)
        item, allowed = self._count(f"budget#{key}", n, now, window, seen=seen, limit=limit - n + 1)
        ends = datetime.fromtimestamp(item["ends"], UTC)
        return Spent(used=item["tally"], limit=limit, allowed=allowed, window_ends=ends)

    def give_back(self, key: str, now: datetime, n: int = 1) -> None:
        """Put back what was taken out of a budget and then not used.

        Where the window has ended meanwhile there is nothing to put back.
        """
        self._update(
            f"budget#{key}",
            "ADD tally :back",
            "ends > :now AND tally >= :n",
            {":back": -n, ":now": _epoch(now), ":n": n},
        )

    def read_before(self, reader: str, when: datetime, now: datetime) -> bool:
        """Whether `reader` (who and what) did so before `when`; this time is remembered as well.

        Kept for `READER_KEPT` seconds after the last time. A record that comes again finds its own
        time, so the answer stays the same.
        """
        item, _ = self._update(
            f"reader#{reader}",
            "SET first_seen = if_not_exists(first_seen, :when), expires_at = :ends",
            _ALWAYS,
            {":when": _epoch(when), ":ends": _epoch(now) + READER_KEPT},
        )
        return item["first_seen"] < _epoch(when)

    def add_up(self, key: str, n: int, now: datetime) -> int:
        """Add `n` to a total that is kept for `READER_KEPT` seconds after its last use: the sum."""
        item, _ = self._update(
            key,
            "SET expires_at = :ends ADD tally :n",
            _ALWAYS,
            {":n": n, ":ends": _epoch(now) + READER_KEPT},
        )
        return item["tally"]

    def next_slot(self, key: str, gap_ms: int, now: datetime, *, idle: bool = False) -> int:
        """The caller's own turn in a line in which turns are `gap_ms` apart: epoch milliseconds.

        Atomic: no two callers get the same turn. Turns that nobody took are not made up for. It is
        one UpdateItem where the line is as the caller thinks, `idle` or not, and else two. Raises
        StateError, or boto3's ClientError.
        """
        present, ends = int(now.timestamp() * 1000), _epoch(now) + _LINE_KEPT
        common = {":now": present, ":ends": ends}
        queue_up = _QUEUE_UP, "slot_at > :now", {":gap": gap_ms, **common}
        be_first = _BE_FIRST, _NO_LINE, {":next": present + gap_ms, **common}
        ways = (be_first, queue_up) if idle else (queue_up, be_first)
        for update, condition, values in ways * _RACES:
            item, done = self._update(f"pace#{key}", update, condition, values)
            if done:
                return item["slot_at"]
        raise StateError(f"{key}: lost {_RACES} races for a place in the line")

    def close_line(self, key: str, until: datetime) -> None:
        """Nobody's turn comes before `until`. Raises boto3's ClientError."""
        opens = int(until.timestamp() * 1000)
        self._update(
            f"pace#{key}",
            "SET slot_at = :opens, expires_at = :ends",
            "attribute_not_exists(slot_at) OR slot_at < :opens",
            {":opens": opens, ":ends": _epoch(until) + _LINE_KEPT},
        )

    def _count(
        self,
        key: str,
        n: int,
        now: datetime,
        window: int,
        *,
        seen: tuple[datetime, datetime],
        limit: int = _NO_LIMIT,
        counting: str = "",
        carry: str = "",
        opening: str = "",
        more: Mapping[str, int] = _NO_NUMBERS,
        lists: Mapping[str, Sequence[str]] = _NO_LISTS,
        news: Collection[str] = (),
    ) -> tuple[dict[str, Any], bool]:
        """The item after adding `n`, and True; the item as it is, and False, at the limit.

        The two updates exclude each other by their conditions, so whoever loses the race to open a
        window counts in the one that somebody else opened. A list that is full is left out.
        """
        ends = _epoch(now) + window
        first, last = map(_epoch, seen)
        kept = ends + KEPT_SECONDS
        values = {":n": n, ":zero": 0, ":seen": first, ":last": last, ":ends": ends, ":kept": kept}
        values |= {":now": _epoch(now), **more}
        sets = {":news": sorted(news)[:NEWS]} if news else {}
        for _ in range(_RACES):
            adds = {
                name: some[:LISTED]
                for name, some in lists.items()
                if some and self._full.get((key, name), 0) <= _epoch(now)
            }
            item, done = self._update(
                key,
                f"SET {counting}{_COUNT_IN_WINDOW}{''.join(f', {one} :{one}' for one in adds)}",
                f"({_IN_WINDOW}){_room(adds)}",
                {**values, ":limit": limit, **_most(adds)},
                sets=sets | _placeholders(adds),
            )
            full = {name for name in adds if len(item.get(name, ())) >= LISTED}
            in_window = item.get("ends", 0) > _epoch(now)
            if full and in_window:
                self._note_full(key, full, item["ends"])
            if not done and full and in_window:
                continue
            if done or in_window:
                return item, done
            adds = {name: some for name, some in adds.items() if name not in full}
            item, done = self._update(
                key,
                # Of a window that was summed up there is nothing to carry along.
                f"SET {carry if 'tally' in item else ''}{opening}{_OPEN_WINDOW}{_add(adds)}",
                _WINDOW_OVER,
                values,
                sets=sets | _placeholders(adds),
            )
            if done:
                full = {name for name in adds if len(item.get(name, ())) >= LISTED}
                self._note_full(key, full, item["ends"])
                return item, done
        raise StateError(f"{key}: lost {_RACES} races for its window")

    def _note_full(self, key: str, names: Collection[str], ends: int) -> None:
        if len(self._full) > _FULL_LISTS:
            self._full.clear()
        self._full.update({(key, name): ends for name in names})

    def shelf(self, name: str) -> Shelf:
        """What is put by under this name for the digest, in the same table."""
        from guard.table.deferred import Shelf

        return Shelf(self.client, self.table, name)

    def tally(self, now: datetime, counts: Mapping[str, int]) -> None:
        """Add to the day's counts, which the daily report tells. Raises ClientError."""
        numbers = {name: n for name, n in counts.items() if n}
        if not numbers:
            return
        names = {f"#{place}": name for place, name in enumerate(numbers)}
        adds = ", ".join(f"#{place} :{place}" for place in range(len(numbers)))
        values = {f":{place}": {"N": str(n)} for place, n in enumerate(numbers.values())}
        self.client.update_item(
            TableName=self.table,
            Key={"pk": {"S": day_key(now)}},
            UpdateExpression=f"SET expires_at = :kept ADD {adds}",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={
                ":kept": {"N": str(_epoch(now) + KEPT_SECONDS)},
                **values,
            },
        )

    def _write_if(
        self,
        fingerprint: str,
        update: str,
        condition: str,
        values: dict[str, int],
        texts: Mapping[str, str] = _NO_TEXTS,
        sets: Mapping[str, Sequence[str]] = _NO_LISTS,
    ) -> bool:
        return self._update(finding_key(fingerprint), update, condition, values, texts, sets)[1]

    def _update(
        self,
        key: str,
        update: str,
        condition: str,
        values: dict[str, int],
        texts: Mapping[str, str] = _NO_TEXTS,
        sets: Mapping[str, Sequence[str]] = _NO_LISTS,
    ) -> tuple[dict[str, Any], bool]:
        """The item's numbers and sets of texts after the update, and True; as they are, and False,
        if not allowed.
        """
        try:
            answer = self.client.update_item(
                TableName=self.table,
                Key={"pk": {"S": key}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues={
                    **{name: {"N": str(n)} for name, n in values.items()},
                    **{name: {"S": text} for name, text in texts.items()},
                    **{name: {"SS": list(some)} for name, some in sets.items()},
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self.client.exceptions.ConditionalCheckFailedException as refusal:
            return _values(refusal.response.get("Item", {})), False
        return _values(answer.get("Attributes", {})), True


def finding_key(fingerprint: str) -> str:
    return f"finding#{fingerprint}"


def day_key(when: datetime) -> str:
    """The item that holds one UTC day's counts."""
    return f"day#{when.astimezone(UTC):%Y-%m-%d}"


def _epoch(when: datetime) -> int:
    return int(when.timestamp())


def _values(item: Any) -> dict[str, Any]:
    numbers = {name: int(value["N"]) for name, value in item.items() if "N" in value}
    return numbers | {name: set(value["SS"]) for name, value in item.items() if "SS" in value}


def _room(names: Collection[str]) -> str:
    """The condition that each of these lists has room."""
    rooms = (f" AND (attribute_not_exists({one}) OR size({one}) < :most)" for one in names)
    return "".join(rooms)


def _add(sets: Collection[str]) -> str:
    return f" ADD {', '.join(f'{name} :{name}' for name in sets)}" if sets else ""


def _placeholders(sets: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    return {f":{name}": some for name, some in sets.items()}


def _most(names: Collection[str]) -> dict[str, int]:
    return {":most": LISTED} if names else {}
