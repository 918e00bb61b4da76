"""Does a trail log what the guard must see? EventBridge is sent what a trail logs, and no more.

AWS: "AWS service events delivered via CloudTrail" in the EventBridge user guide, and EventSelector
and AdvancedFieldSelector in the CloudTrail API reference. A trail of all Regions is shown in each
of them. Its selectors can be read in its home Region alone (elsewhere GetEventSelectors refuses).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from botocore.exceptions import BotoCoreError, ClientError

from guard.aws.errors import EXPIRED, at_fault, code_of, throttled

type Json = Mapping[str, Any]

MOST_SILENT = 3
"""How many Regions may leave the guard without an answer: each costs seconds of its time."""


LATELY = timedelta(days=7)
"""How long after a trail logs again its pause is published: heartbeats may have failed."""


class CloudTrail(Protocol):
    """The part of boto3's client that is used here."""

    def describe_trails(self, *, includeShadowTrails: bool) -> Json: ...  # noqa: N803 - boto3's name

    def get_trail_status(self, *, Name: str) -> Json: ...  # noqa: N803

    def get_event_selectors(self, *, TrailName: str) -> Json: ...  # noqa: N803


@dataclass(frozen=True, slots=True)
class Seen:
    """One trail that covers this Region, and what hinders it from logging reads; "" for nothing.

    `reads` is None where CloudTrail did not answer, and `hindrance` says why; `passing`: it may
    well answer the next time. `arn` is empty where not even the trails could be listed. `stopped`
    and `started` are the ends of a pause of late that is over.
    """

    arn: str
    reads: bool | None
    hindrance: str = ""
    passing: bool = False
    stopped: datetime | None = None
    started: datetime | None = None


@dataclass(slots=True)
class Trails:
    """CloudTrail, asked of the trails that cover the Region `region`.

    `here` is its client in that Region, and `at_home` makes one for another Region, which should
    give up soon. Needs cloudtrail:DescribeTrails, cloudtrail:GetTrailStatus and
    cloudtrail:GetEventSelectors, the last two in every Region.
    """

    here: CloudTrail
    at_home: Callable[[str], CloudTrail]
    region: str
    _silent: set[str] = field(default_factory=set[str])

    def observe(self, now: datetime) -> list[Seen]:
        """The trails, those of this Region first, until one is found that logs reads, and did so
        without a pause.

        Raises nothing of boto3's: what CloudTrail does not answer is not known.
        """
        self._silent.clear()
        seen: list[Seen] = []
        try:
            listed = self.here.describe_trails(includeShadowTrails=True)["trailList"]
        except (ClientError, BotoCoreError) as error:
            return [self._not_known("", self.region, error)]
        for trail in sorted(listed, key=lambda one: self._home(one) != self.region):
            seen.append(self._observe_one(trail.get("TrailARN", ""), self._home(trail), now))
            if seen[-1].reads and seen[-1].stopped is None:
                break
        return seen

    def _home(self, trail: Json) -> str:
        return trail.get("HomeRegion") or self.region

    def _observe_one(self, arn: str, home: str, now: datetime) -> Seen:
        asked = self.region
        try:
            if asked in self._silent:
                return self._not_asked(arn, asked)
            status = self.here.get_trail_status(Name=arn)
            if not status["IsLogging"]:
                return Seen(arn, reads=False, hindrance="it is stopped")
            asked = home
            if home in self._silent or len(self._silent) >= MOST_SILENT:
                return self._not_asked(arn, home)
            client = self.here if home == self.region else self.at_home(home)
            selectors = client.get_event_selectors(TrailName=arn)
        except ClientError as error:
            return self._not_known(arn, asked, error)
        except BotoCoreError as error:
            self._silent.add(asked)
            return self._not_known(arn, asked, error)
        seen = judged(arn, selectors.get("EventSelectors"), selectors.get("AdvancedEventSelectors"))
        stopped, started = pause(status, now)
        return replace(seen, stopped=stopped, started=started)

    def _not_asked(self, arn: str, region: str) -> Seen:
        why = f"CloudTrail in {region} was not asked"
        return Seen(arn, None, why, passing=region == self.region)

    def _not_known(self, arn: str, region: str, error: ClientError | BotoCoreError) -> Seen:
        if isinstance(error, ClientError):
            why = f"CloudTrail in {region} answers {code_of(error)}"
            return Seen(arn, None, why, passing=_passes(error))
        why = f"CloudTrail in {region} does not answer ({type(error).__name__})"
        return Seen(arn, None, why, passing=region == self.region)


def _passes(error: ClientError) -> bool:
    """Whether CloudTrail was too busy, or failed. A Region that the account has not enabled says
    that the credentials are not valid ("Managing AWS STS in an AWS Region", IAM user guide).
    """
    return throttled(error) or (at_fault(error) and code_of(error) not in EXPIRED)


def pause(status: Json, now: datetime) -> tuple[datetime | None, datetime | None]:
    """When a trail that is logging was stopped of late, and started again; None if it was not.

    "StopLoggingTime: the most recent date and time when CloudTrail stopped recording API calls",
    GetTrailStatus, CloudTrail API reference.
    """
    stopped, started = status.get("StopLoggingTime"), status.get("StartLoggingTime")
    if stopped is None or (started is not None and started < stopped):
        return None, None
    return (stopped, started) if now - (started or stopped) <= LATELY else (None, None)


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
