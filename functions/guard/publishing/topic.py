"""The findings' SNS topic: as few calls as its limits allow, and what it accepted of each.

AWS: the API references of Publish and PublishBatch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from guard import alone
from guard.publishing.message import MESSAGE_BYTES, entry, weight
from guard.settings import BY_DEFAULT, Publishing

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef as Entry

    from guard.findings.finding import Finding
    from guard.settings import Settings

BATCH_ENTRIES = 10


class PublishError(Exception):
    """Findings were not published, each for its own reason: what led to them must be retried.

    `failed` are their fingerprints; all others of the batch were published.
    """

    def __init__(self, why: str, failed: Collection[str] = ()) -> None:
        super().__init__(why)
        self.failed = frozenset(failed)


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
        for _, refused in self.publish_all([finding]):
            if refused:
                raise PublishError("; ".join(refused.values()), [finding.fingerprint])

    def publish_all(
        self, findings: Sequence[Finding], form: Callable[[int], Mapping[str, Any]] | None = None
    ) -> Iterator[tuple[list[int], Mapping[int, str]]]:
        """Publish findings. Yields, call by call, the places of those that SNS accepted, and why
        others could not be published, by their places: so that what was published can be noted
        before the next call may fail. `form` gives the published form at a place, if it is known.
        """
        broken: dict[int, str] = {}
        entries = alone.each(
            range(len(findings)),
            lambda n: entry(str(n), findings[n], self.publishing, form(n) if form else None),
            lambda n, error: broken.update({n: f"{findings[n].kind}: {error!r}"}),
        )
        if broken:
            yield [], broken
        for batch in _batches(entries):
            refused = {int(id_): why for id_, why in self._publish(batch).items()}
            accepted = [n for part in batch if (n := int(part["Id"])) not in refused]
            yield accepted, {n: f"{findings[n].kind}: {why}" for n, why in refused.items()}

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
