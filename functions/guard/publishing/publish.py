"""Findings → SNS: merged, counted, and told once.

What subscribers receive (AWS: the API references of Publish and PublishBatch):

- e-mail: plain text with a subject; everything else: the finding's JSON, see `docs/findings.md`;
- message attributes `kind`, `severity`, `account` and `region`, for filter policies.

Findings of low severity are put by for the digest instead, which tells them together; so is what it
needs to sum up an alert whose window is over, and to say what is paused or overdue.

Publishing comes before the note that ops were told, so a process that dies in between repeats an
alert and never loses one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from guard.findings.finding import WAITS, Finding, Severity, merge_equal
from guard.findings.summary import SUMMED_UP, attribute, gist
from guard.findings.text import cut, one_line
from guard.publishing import metrics as figures
from guard.publishing.message import MESSAGE_BYTES, entry, published_form, weight
from guard.redact import redacted
from guard.settings import BY_DEFAULT, Way
from guard.table.state import Counted, State, milestone

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef as Entry

    from guard.settings import Settings

BATCH_ENTRIES = 10
MOST_NOVEL = 20
"""Words of `Finding.novel` after which a fingerprint has no news of that kind: first reads of so
many secrets are each published, all further ones are counted."""
NAME_CHARACTERS = 200


class PublishError(Exception):
    """SNS refused findings of a batch; the message that led to them must be retried."""


@dataclass(frozen=True, slots=True)
class Reported:
    """How many findings (after equal ones were merged) were told, at once or by being put by for
    the digest, and how many only counted.
    """

    published: int
    suppressed: int


@dataclass(frozen=True, slots=True)
class _Due:
    """A finding that ops must be told of, and the count to note once they were."""

    finding: Finding
    counted: Counted | None = None


def report(
    findings: Sequence[Finding],
    *,
    sns: SNSClient,
    state: State,
    topic_arn: str,
    now: datetime,
    way: Way = BY_DEFAULT,
    follow_up: bool = True,
) -> Reported:
    """Tell each finding that is new, or that has reached 10, 100, 1,000 ... in its window.

    Without `follow_up` it is published once in its window, however often it is seen. A finding
    without a window is always published. Needs sns:Publish and dynamodb:UpdateItem. Raises
    PublishError, StateError or boto3's ClientError, after which the caller's messages must be
    retried; what was counted and told before the error is not told again.
    """
    merged = merge_equal(findings)
    due = [one for one in (_due(finding, state, now, follow_up) for finding in merged) if one]
    state.tally(now, _counts(merged, [one.finding for one in due]))
    at_once = [one for one in due if not _collected(one, state, now, way)]
    refusals: list[str] = []
    going = send([one.finding for one in at_once], sns=sns, topic_arn=topic_arn, way=way)
    for told, refused in going:
        for place in told:
            _note(at_once[place], state, now, way)
        refusals += refused
    if refusals:
        raise PublishError("; ".join(refusals))
    return Reported(published=len(due), suppressed=len(merged) - len(due))


def publisher(
    settings: Settings, sns: SNSClient, state: State
) -> Callable[[Sequence[Finding], datetime], Reported]:
    """`report` with all but the findings and the time, as the kernel calls it."""

    def publish(findings: Sequence[Finding], now: datetime) -> Reported:
        return report(
            findings,
            sns=sns,
            state=state,
            topic_arn=settings.topic_arn,
            now=now,
            way=settings.way,
        )

    return publish


def send(
    findings: Sequence[Finding], *, sns: SNSClient, topic_arn: str, way: Way
) -> Iterator[tuple[list[int], list[str]]]:
    """Publish findings. Yields, call by call, the places of those that SNS accepted, and why it
    refused others, so that what was told can be noted before the next call may fail.

    Needs sns:Publish. Raises boto3's ClientError.
    """
    for batch in _batches(entry(str(n), one, way) for n, one in enumerate(findings)):
        refused = _publish(batch, sns, topic_arn)
        told = [int(part["Id"]) for part in batch if part["Id"] not in refused]
        yield told, [f"{findings[int(id_)].kind}: {why}" for id_, why in refused.items()]


def _collected(one: _Due, state: State, now: datetime, way: Way) -> bool:
    """Put a finding of low severity by for the digest; False where it must go out at once."""
    finding = one.finding
    if not way.collect or finding.severity.rank > Severity.LOW.rank:
        return False
    from guard.table.deferred import DIGEST

    body = json.dumps(published_form(finding, way.runbooks, partition=way.partition), default=str)
    if not state.shelf(DIGEST).put(json.loads(body)["id"], body, now):
        return False
    _note(one, state, now, way)
    return True


def _note(one: _Due, state: State, now: datetime, way: Way) -> None:
    """Remember that ops were told, and what a digest or daily report will have to say of it."""
    finding = one.finding
    figures.alerts([finding.kind], now)
    body = json.dumps(gist(published_form(finding, partition=way.partition)))
    if finding.kind in WAITS:
        from guard.table.deferred import WAITING

        state.shelf(WAITING).put(finding.fingerprint, body, now)
    if one.counted:
        state.mark_told(finding.fingerprint, one.counted, body, finding.graver, finding.novel)


def _counts(merged: Sequence[Finding], due: Sequence[Finding]) -> Counter[str]:
    """What the daily report adds up: sightings by kind, and of all kinds those only counted."""
    counts = Counter[str]()
    told = {finding.fingerprint for finding in due}
    for finding in merged:
        counts[f"found {finding.kind}"] += finding.count
        if finding.fingerprint not in told:
            counts["suppressed"] += finding.count
    return counts


def _publish(batch: Sequence[Entry], sns: SNSClient, topic_arn: str) -> dict[str, str]:
    """SNS's words by id for each entry that it did not say it accepted."""
    answer = sns.publish_batch(TopicArn=topic_arn, PublishBatchRequestEntries=batch)
    accepted = {part.get("Id") for part in answer.get("Successful", [])}
    words = {part["Id"]: part.get("Message", part["Code"]) for part in answer.get("Failed", [])}
    return {
        part["Id"]: words.get(part["Id"], "no answer")
        for part in batch
        if part["Id"] not in accepted
    }


def _due(finding: Finding, state: State, now: datetime, follow_up: bool) -> _Due | None:
    if not finding.window:
        return _Due(finding)
    key = finding.fingerprint
    counted = state.count(
        key,
        finding.count,
        now,
        finding.window,
        finding.first_seen,
        finding.last_seen,
        lists=names_seen(finding),
        news={*finding.graver, *finding.novel},
    )
    news = _news(finding, counted)
    told_already = counted.told and not follow_up
    due = counted.due and not told_already
    if not (due or news) or not state.claim(key, counted, now, news):
        return None
    first = min(finding.first_seen, counted.first_seen)
    # A follow-up that says something new is another telling than the one of its milestone.
    words = () if due else sorted(news)
    told = finding.identified(counted.window_ends, milestone(counted.total), *words)
    return _Due(replace(told, count=counted.total, first_seen=first), counted)


def _news(finding: Finding, counted: Counted) -> set[str]:
    """What ops were not told of this fingerprint: a graver thing in its window, a new one ever."""
    graver = set(finding.graver) - counted.graver
    # Beyond a bound nothing is new any more: the digest says how much there was.
    novel = set(finding.novel) - counted.novel if len(counted.novel) < MOST_NOVEL else set[str]()
    return graver | novel


def names_seen(finding: Finding) -> dict[str, list[str]]:
    """The names that a digest is to tell of a finding: callers, secrets, actions, event ids."""
    evidence = finding.evidence
    callers = evidence.get("principals") or [evidence.get("principal")]
    lists: dict[str, Any] = {name: evidence.get(name, ()) for name in SUMMED_UP}
    lists["callers"] = callers
    return {
        attribute(name): [cut(one_line(redacted(text)), NAME_CHARACTERS) for text in texts if text]
        for name, texts in lists.items()
        if all(isinstance(text, str) for text in texts if text)
    }


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """The entries in order, in as few calls as the limits on number and size allow."""
    batch: list[Entry] = []
    size = 0
    for part in entries:
        if batch and (len(batch) == BATCH_ENTRIES or size + weight(part) > MESSAGE_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(part)
        size += weight(part)
    if batch:
        yield batch
