"""Does a trail log what the guard must see? EventBridge is sent what a trail logs, and no more.

AWS: "AWS service events delivered via CloudTrail" in the EventBridge user guide, and EventSelector
and AdvancedFieldSelector in the CloudTrail API reference.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from botocore.exceptions import ClientError

from guard.aws.errors import code_of

type Json = Mapping[str, Any]

# How CloudTrail says that a trail is another account's: an organization's trail, seen by a member.
NOT_OURS = frozenset(
    {
        "AccessDeniedException",
        "InsufficientDependencyServiceAccessPermissionException",
        "OperationNotPermittedException",
        "TrailNotFoundException",
        "UnsupportedOperationException",
    }
)


class CloudTrail(Protocol):
    """The part of boto3's client that is used here."""

    def describe_trails(self, *, includeShadowTrails: bool) -> Json: ...  # noqa: N803 - boto3's name

    def get_trail_status(self, *, Name: str) -> Json: ...  # noqa: N803

    def get_event_selectors(self, *, TrailName: str) -> Json: ...  # noqa: N803


@dataclass(frozen=True, slots=True)
class Seen:
    """One trail that covers this Region, and what hinders it from logging reads; "" for nothing.

    `reads` is None where CloudTrail tells a member account nothing of its organization's trail.
    """

    arn: str
    reads: bool | None
    hindrance: str = ""


def look(cloudtrail: CloudTrail) -> list[Seen]:
    """The trails that cover this Region, until one that logs reads is found.

    Needs cloudtrail:DescribeTrails, cloudtrail:GetTrailStatus and cloudtrail:GetEventSelectors;
    raises ClientError.
    """
    seen: list[Seen] = []
    for trail in cloudtrail.describe_trails(includeShadowTrails=True)["trailList"]:
        arn = trail.get("TrailARN", "")
        seen.append(_look_at(cloudtrail, arn, bool(trail.get("IsOrganizationTrail"))))
        if seen[-1].reads:
            break
    return seen


def _look_at(cloudtrail: CloudTrail, arn: str, of_organization: bool) -> Seen:
    try:
        if not cloudtrail.get_trail_status(Name=arn)["IsLogging"]:
            return Seen(arn, reads=False, hindrance="it is stopped")
        selectors = cloudtrail.get_event_selectors(TrailName=arn)
    except ClientError as error:
        if of_organization and code_of(error) in NOT_OURS:
            return Seen(arn, reads=None, hindrance=code_of(error))
        raise
    return judged(arn, selectors.get("EventSelectors"), selectors.get("AdvancedEventSelectors"))


def judged(arn: str, basic: Sequence[Json] | None, advanced: Sequence[Json] | None) -> Seen:
    """What a trail that is logging makes of management events that only read."""
    if any(map(_reads, basic or ())) or any(map(_reads_by_fields, advanced or ())):
        return Seen(arn, reads=True)
    return Seen(arn, reads=False, hindrance="it logs no management events that read")


def _reads(selector: Json) -> bool:
    return (
        selector.get("IncludeManagementEvents", True)
        and selector.get("ReadWriteType", "All") != "WriteOnly"
    )


def _reads_by_fields(selector: Json) -> bool:
    """All of a selector's fields must hold: of management events CloudTrail knows these three."""
    event = {
        "eventCategory": "Management",
        "readOnly": "true",
        "eventSource": "secretsmanager.amazonaws.com",
    }
    fields = cast(Sequence[Json], selector.get("FieldSelectors", ()))
    named = {field["Field"] for field in fields}
    return "eventCategory" in named and all(
        field["Field"] in event and _holds(field, event[field["Field"]]) for field in fields
    )


def _holds(field: Json, value: str) -> bool:
    """Each operator that is there must hold, with one of its values or, if negated, with none."""
    tests: dict[str, Callable[[str], bool]] = {
        "Equals": value.__eq__,
        "StartsWith": value.startswith,
        "EndsWith": value.endswith,
    }
    for name, test in tests.items():
        if name in field and not any(map(test, field[name])):
            return False
        if any(map(test, field.get(f"Not{name}", ()))):
            return False
    return True
