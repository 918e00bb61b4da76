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
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from guard.findings.finding import WAITS, Finding, Severity, merge_equal
from guard.findings.summary import SUMMED_UP, attribute, summary
from guard.findings.text import cut, one_line
from guard.publishing import metrics
from guard.publishing.message import published_form
from guard.publishing.topic import PublishError, Topic
from guard.redact import redacted
from guard.table.counts import Counted, Counts, milestone
from guard.table.figures import Figures

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_sns import SNSClient

    from guard.settings import Settings
    from guard.table.deferred import Deferred
    from guard.table.items import Items

MOST_NOVEL = 20
"""Words of `Finding.novel` after which no further ones are published: first reads of so
many secrets are each published, the others are counted."""
NAME_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Published:
    """How many findings (after equal ones were merged) were published, at once or by being deferred
    to the digest, and how many only counted.
    """

    published: int
    suppressed: int


@dataclass(frozen=True, slots=True)
class _Due:
    """A finding that must be published, and the count to note once it was."""

    finding: Finding
    counted: Counted | None = None


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
        without a window is always published. Raises PublishError, StateError or boto3's
        ClientError, after which the caller's messages must be retried; what was counted and
        published before the error is not published again.
        """
        merged = merge_equal(findings)
        due = [one for one in (self._due(finding, now, follow_up) for finding in merged) if one]
        self.figures.add_to_day(now, _counts(merged, [one.finding for one in due]))
        at_once = [one for one in due if not self._deferred(one, now)]
        at_once.sort(key=lambda one: -one.finding.severity.rank)  # what is grave goes first
        refusals: list[str] = []
        for accepted, refused in self.topic.publish_all([one.finding for one in at_once]):
            for place in accepted:
                self._note(at_once[place], now)
            refusals += refused
        if refusals:
            raise PublishError("; ".join(refusals))
        return Published(published=len(due), suppressed=len(merged) - len(due))

    def _due(self, finding: Finding, now: datetime, follow_up: bool) -> _Due | None:
        if not finding.window:
            return _Due(finding)
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
        words = _unpublished_words(finding, counted)
        due = counted.due and (follow_up or not counted.published)
        if not (due or words) or not self.counts.claim(key, counted, now, words):
            return None
        first = min(finding.first_seen, counted.first_seen)
        # A follow-up for new words is another message than the one of its milestone.
        occasion = () if due else sorted(words)
        named = finding.identified(counted.window_ends, milestone(counted.total), *occasion)
        return _Due(replace(named, count=counted.total, first_seen=first), counted)

    def _deferred(self, one: _Due, now: datetime) -> bool:
        """Defer a finding of low severity to the digest; False where it must go out at once."""
        publishing = self.topic.publishing
        if not publishing.collect or one.finding.severity.rank > Severity.LOW.rank:
            return False
        from guard.table.deferred import DIGEST

        body = published_form(one.finding, publishing)
        if not self.deferred(DIGEST).add(body["id"], json.dumps(body, default=str), now):
            return False
        self._note(one, now)
        return True

    def _note(self, one: _Due, now: datetime) -> None:
        """Remember that it was published, and what a digest or daily report will say of it."""
        finding = one.finding
        metrics.alerts([finding.kind], now)
        body = json.dumps(summary(published_form(finding, self.topic.publishing)))
        if finding.kind in WAITS:
            from guard.table.deferred import OPEN

            self.deferred(OPEN).add(finding.fingerprint, body, now)
        if one.counted:
            self.counts.mark_published(
                finding.fingerprint, one.counted, body, finding.graver, finding.novel
            )


def _shown(texts: Iterable[str | None]) -> list[str]:
    """Without those of which nothing can be shown: DynamoDB takes no empty text in a set."""
    shown = (cut(one_line(redacted(text)), NAME_CHARACTERS) for text in texts if text)
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


def _unpublished_words(finding: Finding, counted: Counted) -> set[str]:
    """What was not published of this fingerprint: a graver thing in its window, a new one ever."""
    graver = set(finding.graver) - counted.graver
    # Beyond a bound nothing is new any more: the digest says how much there was.
    novel = set(finding.novel) - counted.novel if len(counted.novel) < MOST_NOVEL else set[str]()
    return graver | novel


def _counts(merged: Sequence[Finding], due: Sequence[Finding]) -> Counter[str]:
    """What the daily report adds up: sightings by kind, and of all kinds those only counted."""
    counts = Counter[str]()
    published = {finding.fingerprint for finding in due}
    for finding in merged:
        counts[f"found {finding.kind}"] += finding.count
        if finding.fingerprint not in published:
            counts["suppressed"] += finding.count
    return counts
