"""Digest: findings of low severity told together, alerts summed up, and a report once a day.

Changes nothing but what the guard remembers. Findings of low severity wait in the state table
until this function tells them in one message; an alert that came again within its window without
ops being told is summed up once the window is over; the first run after the hour that
`DAILY_REPORT_HOUR` names reports on the day before.

Triggered by a schedule. What waits is taken away only after SNS accepted the message that tells it:
a run that dies repeats, and never loses. An hour in which nothing happened costs two reads.

IAM: dynamodb:Query (the index), dynamodb:BatchGetItem, dynamodb:UpdateItem, dynamodb:DeleteItem,
sns:Publish, ssm:GetParameter.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import batched
from typing import Any

from aws_lambda_powertools import Logger
from botocore.config import Config

from digest.findings import Day, Over, Waiting, daily_report, digest, for_digest, parts
from guard.aws.clients import client
from guard.aws.parameters import Parameters
from guard.findings.finding import Finding
from guard.findings.summary import SUMMED_UP, attribute, summary
from guard.publishing.publish import PublishError, send
from guard.reconcile.mode import read_mode
from guard.redact import log_line, sealed
from guard.settings import Settings
from guard.table.deferred import DIGEST, WAITING, read
from guard.table.state import READER_KEPT, SUMMARIES, SUMMARY, State, day_key, finding_key
from guard.variables import required, whole_number

AT_ONCE = 200  # findings read, told and taken away before the next are read
CATCH_UP_DAYS = 7
REPORTED = "report#daily"
# All of a window that is over; what remains is the fingerprint's `novel`.
FORGOTTEN = (
    *("ends", "summary", "summary_at", "body", "tally", "told", "first_seen", "last_seen"),
    *("past_tally", "past_told", "past_first", "past_last"),
    *("claimed", "claimant", "claimed_until", "claimed_news", "graver"),
    *map(attribute, SUMMED_UP),
)

settings = Settings.from_env(os.environ)
# UTC; CloudTrail has delivered the day before by then. 24: no daily report.
DAILY_REPORT_HOUR = whole_number(os.environ, "DAILY_REPORT_HOUR", default=7)
TABLE = required(os.environ, "TABLE_NAME")

config = Config(retries={"mode": "standard"}, connect_timeout=3, read_timeout=10)
dynamodb = client("dynamodb", config=config)
sns = client("sns", config=config)
parameters = Parameters(client("ssm", config=config))
state = State(dynamodb, TABLE)
logger = Logger(json_serializer=log_line)


@sealed
@logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """Tell what waits; returns how many findings, summed-up alerts and daily reports were told.

    Raises PublishError or ClientError, upon which Lambda's own retries and then the dead-letter
    queue take over: what was told before that is not told again.
    """
    now = datetime.now(UTC)
    told = {"findings": tell(now), "days": report_days(now)}
    logger.info("digest", extra=told)
    return told


@dataclass(frozen=True, slots=True)
class Closed:
    """A fingerprint of which a window is over, and what to tell of it; None if ops know it all.

    `whole`: its latest window is over too.
    """

    over: Over | None
    whole: bool
    fingerprint: str
    item: Mapping[str, Any]


def tell(now: datetime) -> int:
    """Tell the findings of low severity, and the alerts that are over: one message if they fit."""
    closed = windows_over(now)
    over = {one.fingerprint: one for one in closed if one.over}
    sums = [one.over.gist for one in over.values() if one.over]
    told = 0
    for ids in list(batched(state.shelf(DIGEST).ids(), AT_ONCE, strict=False)) or [()]:
        for part in parts([*collected(ids), *sums]):
            publish(digest(settings, now, part))
            put_away(part, over)
            told += len(part)
        sums = []
    forget(one for one in closed if not one.over)
    return told


def collected(ids: Sequence[str]) -> list[dict[str, Any]]:
    """What was put by under these ids, oldest first."""
    shelf = state.shelf(DIGEST)
    bodies = {id_: json.loads(one["body"]["S"]) for id_, one in shelf.bodies(ids).items()}
    if gone := [id_ for id_ in ids if id_ not in bodies]:
        # Only where nobody could tell them for two weeks, of which there were alarms.
        logger.error("findings were kept for too long", extra={"ids": gone})
        shelf.remove(gone)
    return sorted(map(for_digest, bodies.values()), key=lambda one: one["first_seen"])


def put_away(part: Sequence[Mapping[str, Any]], over: Mapping[str, Closed]) -> None:
    """Forget what a message has told."""
    state.shelf(DIGEST).remove([one["id"] for one in part if not one["over"]])
    forget(over[one["fingerprint"]] for one in part if one["over"])


def forget(closed: Iterable[Closed]) -> None:
    """Forget windows that are over and were summed up, or need not be."""
    for one in closed:
        forget_window(one)


def windows_over(now: datetime) -> list[Closed]:
    """What was told and is over. The index may be a moment old; the items themselves are not."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=TABLE,
        IndexName=SUMMARIES,
        KeyConditionExpression="summary = :due AND summary_at <= :now",
        ExpressionAttributeValues={
            ":due": {"S": SUMMARY},
            ":now": {"N": str(int(now.timestamp()))},
        },
    )
    found: list[Any] = [item for page in pages for item in page["Items"]]
    keys = [item["pk"]["S"] for item in found]
    return [
        Closed(summed_up(item, now), is_over(item, now), key.removeprefix(finding_key("")), item)
        for key, item in read(dynamodb, TABLE, keys).items()
    ]


def summed_up(item: Mapping[str, Any], now: datetime) -> Over | None:
    """The windows of one fingerprint that are over, as one; None if ops know all of it."""
    if "body" not in item:
        return None
    tally, told, first, last = (_n(item, f"past_{name}") for name in _NUMBERS)
    if is_over(item, now):
        tally, told = tally + _n(item, "tally"), told + _n(item, "told")
        first, last = first or _n(item, "first_seen"), _n(item, "last_seen")
    numbers = {"count": tally, "first_seen": _iso(first), "last_seen": _iso(max(first, last))}
    body = json.loads(item["body"]["S"])
    seen = {name: sorted(item.get(attribute(name), {}).get("SS", ())) for name in SUMMED_UP}
    evidence: dict[str, Any] = {name: names for name, names in seen.items() if names}
    if (more := tally - len(seen["events"])) > 0:
        evidence["more_events"] = more
    title = summary(tally, seen, body["title"])
    over = Over({**body, **numbers, "title": title, "evidence": evidence, "over": True}, told)
    return over if over.is_news else None


def is_over(item: Mapping[str, Any], now: datetime) -> bool:
    return _n(item, "ends") <= now.timestamp()


def forget_window(one: Closed) -> None:
    """Take the ended windows out of the fingerprint's item, unless it has changed meanwhile: then
    the next run looks at it again.
    """
    item, key = one.item, {"pk": {"S": finding_key(one.fingerprint)}}
    same = {":ends": {"N": str(_n(item, "ends"))}}
    try:
        if one.whole and "novel" in item:  # what was published once is no news in a later window
            dynamodb.update_item(
                TableName=TABLE,
                Key=key,
                UpdateExpression=f"SET expires_at = :kept REMOVE {', '.join(FORGOTTEN)}",
                ConditionExpression="ends = :ends",
                ExpressionAttributeValues={
                    **same,
                    ":kept": {"N": str(_n(item, "ends") + READER_KEPT)},
                },
            )
        elif one.whole:
            dynamodb.delete_item(
                TableName=TABLE,
                Key=key,
                ConditionExpression="ends = :ends",
                ExpressionAttributeValues=same,
            )
        elif "past_tally" in item:  # a new window has opened: only the ended ones are forgotten
            dynamodb.update_item(
                TableName=TABLE,
                Key=key,
                UpdateExpression="SET summary_at = ends REMOVE past_tally, past_told, past_first,"
                f" past_last, {', '.join(map(attribute, SUMMED_UP))}",
                ConditionExpression="past_tally = :past AND ends = :ends",
                ExpressionAttributeValues={**same, ":past": item["past_tally"]},
            )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        logger.info("a window has changed meanwhile", extra={"fingerprint": one.fingerprint})


def report_days(now: datetime) -> int:
    """Report on the days that are over and were not reported on; the first run only sets out."""
    if now.hour < DAILY_REPORT_HOUR:
        return 0
    yesterday = now.date() - timedelta(days=1)
    reported = read(dynamodb, TABLE, [REPORTED]).get(REPORTED)
    if reported is None:
        note_reported(yesterday)
        return 0
    last = max(date.fromisoformat(reported["day"]["S"]), yesterday - timedelta(days=CATCH_UP_DAYS))
    days = [last + timedelta(days=n + 1) for n in range((yesterday - last).days)]
    if days:
        waiting, mode = what_waits(now), read_mode(parameters, settings.mode_parameter)
        for day in days:
            publish(daily_report(settings, now, counts_of(day), waiting, mode.mode))
            note_reported(day)
    return len(days)


def counts_of(day: date) -> Day:
    key = day_key(datetime.combine(day, datetime.min.time(), UTC))
    item = read(dynamodb, TABLE, [key]).get(key, {})
    return Day(day, {name: _n(item, name) for name, value in item.items() if "N" in value})


def what_waits(now: datetime) -> list[Waiting]:
    """What is paused or waits for a person; what was not told again for a day is taken away."""
    shelf = state.shelf(WAITING)
    ids = shelf.ids()
    waiting = {
        id_: Waiting(json.loads(one["body"]["S"]), _time(one, "since"), _time(one, "latest"))
        for id_, one in shelf.bodies(ids).items()
    }
    shelf.remove([id_ for id_ in ids if id_ not in waiting or waiting[id_].stale(now)])
    return [one for one in waiting.values() if not one.stale(now)]


def note_reported(day: date) -> None:
    dynamodb.update_item(
        TableName=TABLE,
        Key={"pk": {"S": REPORTED}},
        UpdateExpression="SET #day = :day",
        ExpressionAttributeNames={"#day": "day"},
        ExpressionAttributeValues={":day": {"S": day.isoformat()}},
    )


def publish(finding: Finding) -> None:
    """Publish one finding. Raises PublishError, ClientError."""
    refusals = [
        why
        for _, refused in send([finding], sns=sns, topic_arn=settings.topic_arn, way=settings.way)
        for why in refused
    ]
    if refusals:
        raise PublishError("; ".join(refusals))


_NUMBERS = ("tally", "told", "first", "last")


def _n(item: Mapping[str, Any], name: str) -> int:
    return int(item.get(name, {}).get("N", 0))


def _time(item: Mapping[str, Any], name: str) -> datetime:
    return datetime.fromtimestamp(_n(item, name), UTC)


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
