"""Which records of the trail a rule should have brought, and the finding about the others. Pure."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Any

from botocore.exceptions import ClientError

from guard.aws.denials import reading_refused
from guard.cloudtrail.record import Record
from guard.cloudtrail.secret_calls import changes_secret
from guard.findings.finding import DAY, Finding, Kind, Severity, here, merge_equal
from guard.reconcile.batch import REPLAY
from guard.settings import Settings

API_CALL = "AWS API Call via CloudTrail"
NETWORK_ACTIVITY = "AWS Network Activity Event via CloudTrail"

MOST = 5_000  # that are judged again: more is an outage of the rules, and needs a person

AGAIN = "the comparison of the next day reads again"
HALF_A_DAY = DAY // 2  # a run of the next day may come some seconds before a day is over

_LISTED = 20


def detail_type_of(record: Record) -> str:
    """Under which detail-type the detection rules would have seen it; empty if they would not."""
    if record.refused_by_endpoint:
        return NETWORK_ACTIVITY
    return API_CALL if record.event_type == "AwsApiCall" else ""


def should_have_come(
    record: Record, own_accounts: Collection[str], *, watches_foreign: bool
) -> bool:
    """Whether a detection rule of the template matches the record.

    Requests through endpoints of `own_accounts`, the account itself and approved ones, match none
    but the rule on secrets' policies and copies. A test holds this to the deployed rules, for every
    sample event.
    """
    match detail_type_of(record):
        case "":
            return False
        case "AWS Network Activity Event via CloudTrail":
            return True
        case _:
            if changes_secret(record) or not record.vpc_endpoint_id:
                return True
            return watches_foreign and record.vpc_endpoint_account_id not in own_accounts


@dataclass(frozen=True, slots=True)
class Missed:
    """A record that did not come, and its JSON."""

    record: Record
    detail: Mapping[str, Any]


@dataclass(slots=True)
class Comparison:
    """What the comparison came to.

    `missed` are the first `MOST` of the `number` that did not come. `full` are the times of which
    too much came to be kept, `left` the log files that were not read any more. `refused` has AWS's
    error by log file, by no name for the list of them; `nothing_in` is a folder without any.
    """

    start: datetime
    end: datetime
    compared: int = 0
    number: int = 0
    missed: list[Missed] = field(default_factory=list[Missed])
    full: set[str] = field(default_factory=set[str])
    unreadable: list[str] = field(default_factory=list[str])
    left: int = 0
    refused: dict[str, ClientError] = field(default_factory=dict[str, ClientError])
    nothing_in: str = ""

    def add(self, missed: Missed) -> None:
        self.number += 1
        if len(self.missed) < MOST:
            self.missed.append(missed)


def finding_of(one: Comparison, settings: Settings, now: datetime) -> list[Finding]:
    """The findings, where events are missing or could not all be compared.

    They are published before what is `missed` is sent to be judged.
    """
    refused = chain.from_iterable(
        reading_refused(settings, now, error, then=AGAIN) for error in one.refused.values()
    )
    unread = [replace(finding, window=HALF_A_DAY) for finding in refused]
    if one.nothing_in:
        unread.append(_no_log_files(one, settings, now))
    return merge_equal([*_comparison(one, settings, now), *unread])


def _no_log_files(one: Comparison, settings: Settings, now: datetime) -> Finding:
    return Finding(
        kind=Kind.EVENTS_MISSED,
        severity=Severity.MEDIUM,
        resource="CloudTrail",
        title="No events could be compared with the trail: it has no log files there",
        cause=(
            f"There is no log file of {one.start:%Y-%m-%d %H:%M} to {one.end:%Y-%m-%d %H:%M} UTC "
            f"under {one.nothing_in}."
        ),
        todo=(
            "check that the parameters TrailBucket and TrailFolder name the folder of the trail",
            "check that the trail is logging: aws cloudtrail get-trail-status",
        ),
        identity=(one.nothing_in,),
        window=HALF_A_DAY,
        **here(settings, now),
    )


def _comparison(one: Comparison, settings: Settings, now: datetime) -> list[Finding]:
    if not (one.number or one.full or one.unreadable or one.left):
        return []
    times = [missed.record.event_time for missed in one.missed]
    seen = {"first_seen": min(times), "last_seen": max(times)} if times else {}
    again = len(one.missed)
    done = f"{again:,} of them go onto the detection queue now, to be judged"
    return [
        Finding(
            kind=Kind.EVENTS_MISSED,
            severity=Severity.MEDIUM if one.number else Severity.LOW,
            resource="CloudTrail",
            title=_title(one),
            cause=(
                f"Of {one.compared:,} events from {one.start:%Y-%m-%d %H:%M} to "
                f"{one.end:%Y-%m-%d %H:%M} UTC in the trail's bucket, {one.number:,} never came by "
                "EventBridge, which delivers CloudTrail's events as best it can."
            ),
            done=(done,) if again else (),
            todo=tuple(_todo(one, again)),
            evidence=_evidence(one),
            identity=(one.start.isoformat(),),
            **{**here(settings, now), **seen},
        )
    ]


def _title(one: Comparison) -> str:
    if one.number:
        return f"{one.number:,} events of Secrets Manager never arrived"
    return "Some events of Secrets Manager could not be compared with the trail"


def _todo(one: Comparison, again: int) -> Iterator[str]:
    if again:
        yield "Expect alerts: each of these events that matters is published by itself."
    if one.number > again:
        yield "Find out why no rule brought them: is one disabled, was the stack changed?"
    if one.full:
        yield "In some minutes more events came than can be kept: find out who makes so many."
    if one.unreadable:
        yield "Some log files cannot be read: find out whether somebody changed them."
    if one.left:
        why = "were left after AWS refused some" if one.refused else "were left for want of time"
        yield f"{one.left:,} log files {why}: replay them with `guardctl replay`."


def _evidence(one: Comparison) -> dict[str, Any]:
    records = [missed.record for missed in one.missed]
    lists = {
        "events": [record.event_id for record in records],
        "actions": [record.event_name for record in records],
        "principals": [record.identity.name for record in records],
        "not_compared": sorted(one.full),
        "unreadable_files": one.unreadable,
    }
    some = {key: list(dict.fromkeys(texts))[:_LISTED] for key, texts in lists.items() if texts}
    return {"compared": one.compared, "missed": one.number, **some}


def bodies_of(one: Comparison, settings: Settings) -> Iterator[str]:
    """What is missed, as messages for the detection queue."""
    for missed in one.missed:
        yield json.dumps(envelope_of(missed.detail, missed.record, settings))


def envelope_of(detail: Mapping[str, Any], record: Record, settings: Settings) -> dict[str, Any]:
    """The event that EventBridge should have brought, with the word that it did not bring it.

    The name stands where EventBridge puts that of a replay of an archive: events of either kind
    are true, and took another way and another time than those that it delivers.
    """
    return {
        "version": "0",
        "id": record.event_id,
        REPLAY: "find_missed",
        "detail-type": detail_type_of(record),
        "source": "aws.secretsmanager",
        "account": settings.account_id,
        "time": record.event_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": settings.region,
        "resources": [],
        "detail": dict(detail),
    }
