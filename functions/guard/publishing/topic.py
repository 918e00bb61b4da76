"""The findings' SNS topic: as few calls as its limits allow, and what it accepted of each.

AWS: the API references of Publish and PublishBatch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from guard.publishing.message import MESSAGE_BYTES, entry, weight
from guard.settings import BY_DEFAULT, Publishing

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef as Entry

    from guard.findings.finding import Finding
    from guard.settings import Settings

BATCH_ENTRIES = 10


class PublishError(Exception):
    """SNS refused findings of a batch; the message that led to them must be retried."""


@dataclass(frozen=True, slots=True)
class Topic:
    """Needs sns:Publish; methods raise boto3's ClientError."""

    sns: SNSClient
    arn: str
    publishing: Publishing = BY_DEFAULT

    @classmethod
    def of(cls, settings: Settings, sns: SNSClient) -> Self:
        """The topic of the stack."""
        return cls(sns, settings.topic_arn, settings.publishing)

    def publish(self, finding: Finding) -> None:
        """Publish one finding. Raises PublishError."""
        for _, refusals in self.publish_all([finding]):
            if refusals:
                raise PublishError("; ".join(refusals))

    def publish_all(self, findings: Sequence[Finding]) -> Iterator[tuple[list[int], list[str]]]:
        """Publish findings. Yields, call by call, the places of those that SNS accepted, and why it
        refused others, so that what was published can be noted before the next call may fail.
        """
        entries = (entry(str(n), one, self.publishing) for n, one in enumerate(findings))
        for batch in _batches(entries):
            refused = self._publish(batch)
            accepted = [int(part["Id"]) for part in batch if part["Id"] not in refused]
            yield accepted, [f"{findings[int(id_)].kind}: {why}" for id_, why in refused.items()]

    def _publish(self, batch: Sequence[Entry]) -> dict[str, str]:
        """SNS's words by id for each entry that it did not say it accepted."""
        answer = self.sns.publish_batch(TopicArn=self.arn, PublishBatchRequestEntries=batch)
        accepted = {part.get("Id") for part in answer.get("Successful", [])}
        words = {part["Id"]: part.get("Message", part["Code"]) for part in answer.get("Failed", [])}
        return {
            part["Id"]: words.get(part["Id"], "no answer")
            for part in batch
            if part["Id"] not in accepted
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
