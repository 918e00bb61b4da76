"""Findings → SNS: merged, counted, and told once.

What subscribers receive (AWS: the API references of Publish and PublishBatch):

- e-mail: plain text with a subject; everything else: the finding's JSON, see `docs/findings.md`;
- message attributes `kind`, `severity`, `account` and `region`, for filter policies.

Publishing comes before the note that ops were told, so a process that dies in between repeats an
alert and never loses one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from guard.finding import Finding, merge_equal
from guard.message import MESSAGE_BYTES, entry, weight
from guard.settings import BY_DEFAULT, Way
from guard.state import Counted, State, milestone

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef as Entry

BATCH_ENTRIES = 10


class PublishError(Exception):
    """SNS refused findings of a batch; the message that led to them must be retried."""


@dataclass(frozen=True, slots=True)
class Reported:
    """How many findings (after equal ones were merged) were told, and how many only counted."""

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
) -> Reported:
    """Publish each finding that is new, or that has reached 10, 100, 1,000 ... in its window.

    A finding without a window is always published. Needs sns:Publish and dynamodb:UpdateItem.
    Raises PublishError, StateError or boto3's ClientError, after which the caller's messages must
    be retried; what was counted and published before the error is not published again.
    """
    merged = merge_equal(findings)
    due = [one for one in (_due(finding, state, now) for finding in merged) if one]
    refusals: list[str] = []
    for batch in _batches(entry(str(n), one.finding, way) for n, one in enumerate(due)):
        refused = _publish(batch, sns, topic_arn)
        for one in (due[int(part["Id"])] for part in batch if part["Id"] not in refused):
            if one.counted:
                state.mark_told(one.finding.fingerprint, one.counted)
        refusals += [f"{due[int(id_)].finding.kind}: {why}" for id_, why in refused.items()]
    if refusals:
        raise PublishError("; ".join(refusals))
    return Reported(published=len(due), suppressed=len(merged) - len(due))


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


def _due(finding: Finding, state: State, now: datetime) -> _Due | None:
    if not finding.window:
        return _Due(finding)
    key = finding.fingerprint
    counted = state.count(key, finding.count, now, finding.window, finding.first_seen)
    if not counted.due or not state.claim(key, counted, now):
        return None
    first = min(finding.first_seen, counted.first_seen)
    told = finding.identified(counted.window_ends, milestone(counted.total))
    return _Due(replace(told, count=counted.total, first_seen=first), counted)


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
