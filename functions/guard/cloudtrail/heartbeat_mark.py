"""A heartbeat: one marked request to Secrets Manager that goes the way of a bypass, to its judge.

It is a DescribeSecret of a secret that does not exist. AWS refuses it, and CloudTrail records what
is refused as it records the rest ("errorCode", CloudTrail record contents), with the name that was
asked for in `requestParameters`: that name is the mark, and holds when the request was sent, to the
millisecond, where a record's own time is in whole seconds.

Anyone may send such a name, so the mark alone proves nothing. A heartbeat is a request of the
heartbeat function's own role, which only that function can assume, that AWS refused, and that was
sent no later than it was recorded. Whatever else the role does is judged like anybody's request.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from guard.cloudtrail.record import Record

NAMESPACE = "vpce-guard-heartbeat"
# What AWS says to a caller who may ask for the name, and to one who may not: both are recorded.
REFUSALS = ("ResourceNotFoundException", "AccessDenied", "AccessDeniedException")
_SKEW = timedelta(minutes=5)  # between the function's clock and CloudTrail's


@dataclass(frozen=True, slots=True)
class Mark:
    """What the heartbeats of one stack are known by: `role` is the ARN of the function's role.

    Without a `stack_id` they are those of any stack that has the role.
    """

    stack_id: str
    role: str

    @property
    def prefix(self) -> str:
        """How the names of this stack's heartbeats begin; the end of a stack's id is its own."""
        return f"{NAMESPACE}/{self.stack_id.rsplit('/', 1)[-1]}/"

    def secret_name(self, sent: datetime) -> str:
        """The name of no secret, that says when it was asked for."""
        return f"{self.prefix}{round(sent.timestamp() * 1000)}"

    def sent(self, record: Record) -> datetime | None:
        """When the heartbeat of this record was sent; None for any other request."""
        refused = record.event_name == "DescribeSecret" and record.error_code in REFUSALS
        identity = record.identity
        if not refused or identity.type != "AssumedRole" or identity.issuer_arn != self.role:
            return None
        name = record.request.get("secretId")
        if not isinstance(name, str) or not name.startswith(f"{NAMESPACE}/"):
            return None
        stack, _, digits = name.rpartition("/")
        if self.stack_id and f"{stack}/" != self.prefix:
            return None
        if not digits.isascii() or not digits.isdecimal() or len(digits) != 13:
            return None
        sent = datetime.fromtimestamp(int(digits) / 1000, UTC)
        return sent if sent <= record.event_time + _SKEW else None


def part[T](
    mark: Mark, records: Sequence[tuple[T, Record]]
) -> tuple[list[tuple[T, Record, datetime]], list[tuple[T, Record]]]:
    """The heartbeats with when they were sent, and the other records, each in their order."""
    heartbeats = [(one, record, sent) for one, record in records if (sent := mark.sent(record))]
    return heartbeats, [one for one in records if mark.sent(one[1]) is None]
