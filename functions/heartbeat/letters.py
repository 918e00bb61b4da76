"""A message of a dead-letter queue, read: what it is about, why it is there, where it belongs.

Three kinds of them come. From a queue of the guard's: the message itself, put aside by SQS after
so many tries. From EventBridge: the event, with attributes that say why it could not be delivered
("Using dead-letter queues to process undelivered events", EventBridge user guide). From Lambda: a
record of an invocation that failed for good ("Retain records of asynchronous invocations", Lambda
developer guide).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from guard.reconcile.batch import HOPS, INSTEAD_OF

type Json = Mapping[str, Any]

_SHOWN = 300  # characters of a text that somebody else chose


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message. `target` is the ARN of the queue or function that it is to be given again, and
    `payload` what it is to be given; `target` is empty for what belongs to the queue before this.
    """

    id: str
    receipt: str
    sent: datetime
    about: str
    reason: str
    source: str
    target: str
    payload: str

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "sent": self.sent.isoformat().replace("+00:00", "Z"),
            "about": self.about,
            "reason": self.reason,
            "source": self.source,
        }


def read(message: Json) -> Letter:
    """A message as ReceiveMessage gives it, with all attributes. Never raises for a strange body:
    that may be why it is there.
    """
    body: str = message["Body"]
    failure = {
        name: one.get("StringValue", "")
        for name, one in message.get("MessageAttributes", {}).items()
    }
    content = _object(body)
    sent = int(message["Attributes"]["SentTimestamp"]) / 1000
    reason, source, target = "", "", ""
    payload = _first_in_its_chain(content, body, message["MessageId"])
    if "ERROR_CODE" in failure:
        reason = f"{failure['ERROR_CODE']}: {failure.get('ERROR_MESSAGE', '')}".rstrip(": ")
        source, target = _name(failure.get("RULE_ARN", "")), failure.get("TARGET_ARN", "")
        payload = body  # no function was given it yet
    elif isinstance(context := content.get("requestContext"), Mapping):
        context = cast(Json, context)
        answer = content.get("responsePayload") or {}
        reason = (
            f"{answer.get('errorType', context.get('condition'))}: {answer.get('errorMessage', '')}"
        )
        target = _unqualified(str(context.get("functionArn", "")))
        source = _name(target)
        payload = json.dumps(content.get("requestPayload"))
    return Letter(
        id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        sent=datetime.fromtimestamp(sent, UTC),
        about=_clip(_about(_object(payload), payload)),
        reason=_clip(reason.rstrip(": ")),
        source=source,
        target=target,
        payload=payload,
    )


def _first_in_its_chain(content: Json, body: str, message_id: str) -> str:
    """A message that the guard had sent on too often is handled as if it had just come; and it
    stands for the one that failed, whose changes may be done and not yet published.
    """
    if not isinstance(content.get("detail"), Mapping):
        return body
    kept = {name: value for name, value in content.items() if name != HOPS}
    return json.dumps({INSTEAD_OF: message_id, **kept})


def _about(event: Json, text: str) -> str:
    """In a few words: the call that was recorded, or what is to be reconciled, or how it begins."""
    detail = event.get("detail")
    detail = cast(Json, detail) if isinstance(detail, Mapping) else {}
    if name := detail.get("eventName"):
        identity = detail.get("userIdentity")
        identity = cast(Json, identity) if isinstance(identity, Mapping) else {}
        who = identity.get("arn") or identity.get("invokedBy") or "somebody"
        return f"{name} by {_name(str(who))}, event {detail.get('eventID')}"
    for key in ("vpcId", "vpcEndpointId"):
        if key in detail:
            return f"a request to reconcile {detail[key]}: {detail.get('reason', '')}".rstrip(": ")
    if kind := event.get("detail-type"):
        return str(kind)
    for key in ("title", "AlarmName"):
        if key in event:
            return f"{event.get('kind', 'alarm')}: {event[key]}"
    return text


def _object(text: str) -> Json:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast(Json, value) if isinstance(value, dict) else {}


def _unqualified(arn: str) -> str:
    """A function's ARN without its version: arn:partition:lambda:region:account:function:name."""
    return ":".join(arn.split(":")[:7])


def _name(arn: str) -> str:
    return arn.rsplit(":", 1)[-1].rsplit("/", 1)[-1] if arn.count(":") >= 5 else arn


def _clip(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
