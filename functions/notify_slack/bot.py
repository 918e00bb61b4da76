"""Slack through a bot token: one message per alert, which its follow-ups bring up to date.

Slack: "chat.postMessage", "chat.update" and "Rate limits" of its Web API. An incoming webhook can
only add messages; a bot can change its own, and put a message into the thread of another.

What a fingerprint's message is called (`ts`) is an item of the state table. It is written after
Slack took the message, so that a process that dies in between posts again and never loses one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from guard.findings.finding import DAY, SCHEMA, Severity
from guard.findings.summary import NEW
from guard.table.items import epoch
from notify_slack.webhook import Answer, Fate, Verdict, back_off, post, retry_after

if TYPE_CHECKING:
    from guard.table.items import Item, Items
    from notify_slack.rate_limiter import RateLimiter

logger = Logger(child=True)

POST, UPDATE = "chat.postMessage", "chat.update"
THREAD_SECONDS = DAY  # how long what has no window is put into the thread of the one before

# Slack's error words, by what becomes of the message. Any other is a refusal of this very message.
_GONE = {"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"}
_LATER = {"internal_error", "fatal_error", "service_unavailable", "request_timeout"}
_SLOWER = {"ratelimited", "rate_limited", "message_limit_exceeded"}
_NOBODY = {
    "not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired",
    "missing_scope", "no_permission", "access_denied", "org_login_required", "ekm_access_denied",
    "team_access_not_granted", "not_in_channel", "channel_not_found", "is_archived",
    "restricted_action", "restricted_action_read_only_channel",
}  # fmt: skip


class Forgotten(Exception):
    """The message that was to be brought up to date is no longer there: post a new one."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A fingerprint's message in the channel: its name, and what it says."""

    ts: str
    first_seen: str
    count: int
    at: int  # epoch seconds
    severity: str = ""
    """The highest that the message and its thread show; empty where a version before posted it."""


@dataclass(frozen=True, slots=True)
class Step:
    """A call of Slack's Web API: the method, and what it needs beside the message."""

    method: str
    more: Mapping[str, Any]


def step(finding: Mapping[str, Any] | None, posted: Posted | None, now: datetime) -> Step | None:
    """How to show a finding (None: something else) where `posted` is shown already. Pure.

    None where the message says as much already: the queue does not keep the order.
    """
    if finding is None or posted is None:
        return Step(POST, {})
    severity = Severity(finding["severity"])
    loud = severity.rank >= Severity.MEDIUM.rank
    if finding["window"]:
        if finding["first_seen"] != posted.first_seen:
            return Step(POST, {})  # another window
        shown = Severity(posted.severity or severity)
        if severity.rank > shown.rank:
            return _reply(posted, loud=True)
        new = NEW in finding["evidence"]  # which no other message has, however late it comes
        if finding["count"] == posted.count or (finding["count"] < posted.count and not new):
            return None
        if new or severity.rank < shown.rank or not posted.severity:
            return _reply(posted, loud=loud and severity is shown)
        return Step(UPDATE, {"ts": posted.ts})
    if now.timestamp() - posted.at > THREAD_SECONDS:
        return Step(POST, {})
    return _reply(posted, loud=loud)  # each change is shown


def _reply(posted: Posted, *, loud: bool) -> Step:
    """A message in the thread; a loud one is in the channel, too. Nobody is notified of an edit."""
    return Step(POST, {"thread_ts": posted.ts, **({"reply_broadcast": True} if loud else {})})


def judge(answer: Answer, attempt: int) -> Verdict:
    """What an answer of the Web API means. Raises Forgotten."""
    if answer.status == 429:
        return Verdict(Fate.PAUSE, retry_after(answer.headers) or back_off(attempt))
    if answer.status in (0, 408) or answer.status >= 500:
        return Verdict(Fate.RETRY, back_off(attempt))
    body = _body(answer)
    if body.get("ok") is True:
        return Verdict(Fate.POSTED)
    error = str(body.get("error", ""))
    if error in _GONE:
        raise Forgotten(error)
    if error in _SLOWER:
        return Verdict(Fate.PAUSE, retry_after(answer.headers) or back_off(attempt))
    if error in _LATER:
        return Verdict(Fate.RETRY, back_off(attempt))
    return Verdict(Fate.NO_WEBHOOK if error in _NOBODY else Fate.REFUSED)


def ts_of(answer: Answer) -> str:
    """The name that Slack gave to a message it took."""
    return str(_body(answer).get("ts", ""))


def _body(answer: Answer) -> Mapping[str, Any]:
    try:
        body = json.loads(answer.words)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}  # pyright: ignore[reportUnknownVariableType]


@dataclass(frozen=True, slots=True)
class Threads:
    """Where each fingerprint's message is. Methods raise boto3's ClientError.

    Needs dynamodb:GetItem and dynamodb:UpdateItem.
    """

    items: Items
    channel: str

    def find(self, fingerprint: str, now: datetime) -> Posted | None:
        key = self._key(fingerprint)
        return self.items.parsed(key, self.items.get(key, now), _posted)

    def note(
        self, finding: Mapping[str, Any], ts: str, now: datetime, before: Posted | None = None
    ) -> None:
        """Remember where a finding is shown, as long as follow-ups may come; `before`: what its
        thread shows already.
        """
        values = {
            "ts": ts,
            "first_seen": finding["first_seen"],
            "seen": max(finding["count"], before.count if before else 0),
            "at": epoch(now),
            "severity": _gravest(finding["severity"], before.severity if before else ""),
        }
        expires = now + timedelta(seconds=int(finding["window"]) + THREAD_SECONDS)
        self.items.put(self._key(finding["fingerprint"]), values, expires=expires)

    def forget(self, fingerprint: str) -> None:
        """The message is gone; time to live does the deleting."""
        self.items.put(self._key(fingerprint), {"expires_at": 0})

    def _key(self, fingerprint: str) -> str:
        return f"slack#{self.channel}#{fingerprint}"


def _posted(item: Item) -> Posted:
    severity = item.get("severity", "")
    if severity:
        Severity(severity)  # raises ValueError for any other text
    return Posted(item["ts"], item["first_seen"], item["seen"], item["at"], severity)


@dataclass(frozen=True, slots=True)
class Bot:
    """Posts by a bot's token. `api` is the address of Slack's Web API, with a slash at its end."""

    limiter: RateLimiter
    threads: Threads
    api: str

    def send(
        self, body: str, message: Mapping[str, Any], token: str, number: int
    ) -> tuple[Verdict, Answer]:
        """A new message, an old one brought up to date, or one in its thread."""
        now = datetime.now(UTC)
        finding = finding_in(body)
        posted = self.threads.find(finding["fingerprint"], now) if finding else None
        call = step(finding, posted, now)
        if call is None:
            return Verdict(Fate.POSTED), Answer(0, "shown already")
        self.limiter.wait()
        content = {**message, "channel": self.threads.channel, **call.more}
        answer = post(f"{self.api}{call.method}", content, token)
        try:
            verdict = judge(answer, number)
        except Forgotten:  # somebody deleted it: the next try posts anew
            if finding:
                self.threads.forget(finding["fingerprint"])
            return Verdict(Fate.RETRY, 1), answer
        if verdict.fate is Fate.POSTED and finding:
            known = posted if call.more else None  # in its thread, or in its place
            self._note(finding, known, ts_of(answer), now)
        return verdict, answer

    def _note(
        self, finding: Mapping[str, Any], known: Posted | None, ts: str, now: datetime
    ) -> None:
        """Remember where it is shown. Never raises: it is, so it must not be shown again."""
        before = known if known and finding["window"] else None
        try:
            self.threads.note(finding, known.ts if known else ts, now, before)
        except (ClientError, BotoCoreError) as error:
            logger.warning("a follow-up will be a new message", extra={"error": repr(error)})


def _gravest(severity: str, before: str) -> str:
    return max(severity, before or severity, key=lambda one: Severity(one).rank)


def finding_in(body: str) -> dict[str, Any] | None:
    """The finding that a message of the queue holds; None for an alarm or anything else."""
    try:
        found: object = json.loads(body)
    except ValueError:
        return None
    finding = cast(dict[str, Any], found) if isinstance(found, dict) else {}
    return finding if finding.get("schema") == SCHEMA else None
