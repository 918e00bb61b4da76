"""Findings → SNS: merged, counted, and published once.

What subscribers receive:

- e-mail: plain text with a subject; everything else: the finding's JSON, see `docs/findings.md`;
- message attributes `kind`, `severity`, `account` and `region`, for filter policies.

Findings of low severity are deferred to the digest instead, which publishes them together. What the
digest needs to sum up an alert, and to report what is paused or overdue, is kept for it as well.

A finding is published before that is noted, so a process that dies in between repeats an alert and
never loses one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Self

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from guard import alone
from guard.aws.errors import at_fault, throttled
from guard.findings.finding import ONCE, WAITS, Finding, Severity, is_first_use, merge_equal
from guard.findings.summary import SUMMED_UP, attribute, summary
from guard.findings.text import cut_apart, one_line
from guard.publishing import metrics
from guard.publishing.message import published_form
from guard.publishing.novelty import gravest, so_far, unpublished_words
from guard.publishing.topic import PublishError, Topic
from guard.redact import redacted
from guard.table.counts import Counted, Counts, milestone
from guard.table.figures import Figures
from guard.table.items import StateError

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_sns import SNSClient

    from guard.settings import Publishing, Settings
    from guard.table.deferred import Deferred
    from guard.table.items import Items

NAME_CHARACTERS = 200

logger = Logger(child=True)


@dataclass(frozen=True, slots=True)
class Published:
    """How many findings (after equal ones were merged) were published, at once or by being deferred
    to the digest, and how many only counted.
    """

    published: int
    suppressed: int


@dataclass(frozen=True)
class _Due:
    """A finding that must be published, and the count to note once it was."""

    finding: Finding
    publishing: Publishing
    counted: Counted | None = None
    words: frozenset[str] = frozenset()

    @cached_property
    def body(self) -> dict[str, Any]:
        return published_form(self.finding, self.publishing)


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes a reaction's findings. Needs sns:Publish and dynamodb:UpdateItem."""

    topic: Topic
    counts: Counts
    figures: Figures
    deferred: Callable[[str], Deferred]

    @classmethod
    def of(cls, settings: Settings, sns: SNSClient, items: Items) -> Self:
        """With the topic and the state table of the stack."""

        @cache  # a collection remembers for a while that it was full
        def deferred(name: str) -> Deferred:
            from guard.table.deferred import Deferred

            return Deferred(items, name)

        return cls(Topic.of(settings, sns), Counts.of(items), Figures(items), deferred)

    def publish(
        self, findings: Sequence[Finding], now: datetime, *, follow_up: bool = True
    ) -> Published:
        """Publish each finding that is new, or that has reached 10, 100, 1,000 ... in its window.

        Without `follow_up` it is published once in its window, however often it is seen. A finding
        without a window is always published, and so is each while the table does not answer: an
        alert that comes twice is better than one that comes late. Raises PublishError for findings
        that could not be published, or boto3's errors as SNS does, after which the messages that
        led to them must be retried; what was published before the error is not published again.
        """
        merged = merge_equal(findings)
        failed: dict[str, str] = {}

        def fails(one: _Due | Finding, error: Exception) -> None:
            finding = one.finding if isinstance(one, _Due) else one
            failed[finding.fingerprint] = f"{finding.kind}: {error!r}"

        found = alone.each(merged, lambda one: self._due(one, now, follow_up), fails)
        due = [one for one in found if one]
        self._remembers(
            lambda: self.figures.add_to_day(now, _counts(merged, [one.finding for one in due]))
        )
        # What is grave goes first.
        due.sort(key=lambda one: -one.finding.severity.rank)
        at_once = [
            one for one in alone.each(due, lambda one: self._at_once(one, now), fails) if one
        ]
        ready = [one.finding for one in at_once]
        for accepted, refused in self.topic.publish_all(ready, lambda n: at_once[n].body):
            for place in accepted:
                self._remembers(lambda one=at_once[place]: self._note(one, now))
            failed |= {at_once[n].finding.fingerprint: why for n, why in refused.items()}
        if failed:
            raise PublishError("; ".join(failed.values()), failed)
        return Published(published=len(due), suppressed=len(merged) - len(due))

    def _remembers(self, write: Callable[[], object]) -> bool:
        """Write to the table; False where it does not answer, which keeps nothing from ops."""
        try:
            write()
        except (BotoCoreError, ClientError, StateError) as error:
            logger.warning("published without the table", extra={"error": repr(error)})
            return False
        return True

    def _due(self, finding: Finding, now: datetime, follow_up: bool) -> _Due | None:
        if not finding.window:
            return _Due(finding, self.topic.publishing)
        try:
            return self._counted(finding, now, follow_up)
        except (BotoCoreError, ClientError) as error:
            if not (at_fault(error) or throttled(error)):
                raise
            logger.warning("published without being counted", extra={"error": repr(error)})
            return _Due(finding, self.topic.publishing)

    def _counted(self, finding: Finding, now: datetime, follow_up: bool) -> _Due | None:
        key = finding.fingerprint
        counted = self.counts.count(
            key,
            finding.count,
            now,
            finding.window,
            finding.first_seen,
            finding.last_seen,
            lists=names_seen(finding),
            words={*finding.graver, *finding.novel},
        )
        words = unpublished_words(finding, counted)
        again = follow_up and finding.window < ONCE
        due = counted.due and (again or not counted.published)
        if not (due or words) or not self.counts.claim(key, counted, now, words):
            return None
        first = min(finding.first_seen, counted.first_seen)
        # A follow-up for new words is another message than the one of its milestone.
        occasion = () if due else sorted(words)
        named = finding.identified(counted.window_ends, milestone(counted.total), *occasion)
        evidence = {**finding.evidence, **so_far(finding, counted, words)}
        named = replace(named, count=counted.total, first_seen=first, evidence=evidence)
        return _Due(named, self.topic.publishing, counted, frozenset(words))

    def _at_once(self, one: _Due, now: datetime) -> _Due | None:
        """What must go out at once; a finding of low severity is deferred to the digest."""
        if not one.publishing.collect or one.finding.severity.rank > Severity.LOW.rank:
            return one
        from guard.table.deferred import DIGEST

        text = json.dumps(one.body, default=str)
        added: list[bool] = []
        if not self._remembers(
            lambda: added.append(self.deferred(DIGEST).add(one.body["id"], text, now))
        ):
            return one
        if not added[0]:
            return one
        self._remembers(lambda: self._note(one, now))
        return None

    def _note(self, one: _Due, now: datetime) -> None:
        """Remember that it was published, and what a digest or daily report will say of it."""
        finding = one.finding
        metrics.alerts([finding.kind], now)
        kept = summary(one.body)
        # A milder follow-up does not make the whole window milder.
        body = json.dumps({**kept, "severity": gravest(finding, one.counted)})
        if finding.kind in WAITS:
            from guard.table.deferred import OPEN

            self.deferred(OPEN).add(finding.fingerprint, body, now)
        if one.counted:
            # One of the first uses stands for this message among those of its window.
            uses = sorted(filter(is_first_use, one.words))[:1]
            self.counts.mark_published(
                finding.fingerprint, one.counted, body, (*finding.graver, *uses), finding.novel
            )


def _shown(texts: Iterable[str | None]) -> list[str]:
    """Without those of which nothing can be shown: DynamoDB takes no empty text in a set."""
    shown = (cut_apart(one_line(redacted(text)), NAME_CHARACTERS) for text in texts if text)
    return [text for text in shown if text]


def names_seen(finding: Finding) -> dict[str, list[str]]:
    """The names that a digest publishes of a finding: callers, secrets, actions, event ids."""
    evidence = finding.evidence
    callers = evidence.get("principals") or [evidence.get("principal")]
    lists: dict[str, Any] = {name: evidence.get(name, ()) for name in SUMMED_UP}
    lists["callers"] = callers
    return {
        attribute(name): _shown(texts)
        for name, texts in lists.items()
        if all(isinstance(text, str) for text in texts if text)
    }


def _counts(merged: Sequence[Finding], due: Sequence[Finding]) -> Counter[str]:
    """What the daily report adds up: sightings by kind, and of all kinds those only counted."""
    counts = Counter[str]()
    published = {finding.fingerprint for finding in due}
    for finding in merged:
        counts[f"found {finding.kind}"] += finding.count
        if finding.fingerprint not in published:
            counts["suppressed"] += finding.count
    return counts
