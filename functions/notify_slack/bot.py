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
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from notify_slack.webhook import Answer, Fate, Verdict, back_off, retry_after

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

POST, UPDATE = "chat.postMessage", "chat.update"
THREAD_SECONDS = 86_400  # how long what has no window is put into the thread of the one before

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
    if finding["window"]:
        if finding["first_seen"] != posted.first_seen:
            return Step(POST, {})  # another window
        if finding["count"] <= posted.count:
            return None
        return Step(UPDATE, {"ts": posted.ts})
    if now.timestamp() - posted.at > THREAD_SECONDS:
        return Step(POST, {})
    # Each change is told: in the thread, and in the channel too if it matters.
    loud = finding["severity"] in ("high", "medium")
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

    client: DynamoDBClient
    table: str
    channel: str

    def find(self, fingerprint: str, now: datetime) -> Posted | None:
        answer: Any = self.client.get_item(
            TableName=self.table, Key=self._key(fingerprint), ConsistentRead=True
        )
        item = answer.get("Item")
        if not item or int(item["expires_at"]["N"]) <= now.timestamp():
            return None
        return Posted(
            item["ts"]["S"], item["first_seen"]["S"], int(item["seen"]["N"]), int(item["at"]["N"])
        )

    def note(self, finding: Mapping[str, Any], ts: str, now: datetime) -> None:
        """Remember where a finding is shown, as long as follow-ups may come."""
        kept = now + timedelta(seconds=int(finding["window"]) + THREAD_SECONDS)
        self.client.update_item(
            TableName=self.table,
            Key=self._key(finding["fingerprint"]),
            UpdateExpression="SET ts = :ts, first_seen = :first, seen = :seen, #at = :at, "
            "expires_at = :kept",
            ExpressionAttributeNames={"#at": "at"},
            ExpressionAttributeValues={
                ":ts": {"S": ts},
                ":first": {"S": finding["first_seen"]},
                ":seen": {"N": str(finding["count"])},
                ":at": {"N": str(int(now.timestamp()))},
                ":kept": {"N": str(int(kept.timestamp()))},
            },
        )

    def forget(self, fingerprint: str) -> None:
        """The message is gone; time to live does the deleting."""
        self.client.update_item(
            TableName=self.table,
            Key=self._key(fingerprint),
            UpdateExpression="SET expires_at = :over",
            ExpressionAttributeValues={":over": {"N": "0"}},
        )

    def _key(self, fingerprint: str) -> Any:
        return {"pk": {"S": f"slack#{self.channel}#{fingerprint}"}}
