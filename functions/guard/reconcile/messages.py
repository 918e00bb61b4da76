"""How a request travels: in an SQS message of the form of an EventBridge event.

So one reader serves rules, the sweep and the guard's own requests. What is read may be anybody's,
so a member of another type makes a message unreadable. Pure.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from guard.reconcile.batch import HOPS, LARGEST, UnreadableMessage, is_count
from guard.reconcile.request import Key, Request, Trigger, united

if TYPE_CHECKING:
    from guard.reconcile.batch import Message
    from guard.reconcile.request import Notes
    from guard.settings import Settings

SOURCE = "vpce-guard"
DETAIL_TYPE = "VPCE Guard Reconcile"

# How the detail of a message names a resource of each kind.
KINDS = MappingProxyType({"vpc": "vpcId", "endpoint": "vpcEndpointId", "secret": "secretId"})

CARRIED = 10
"""Triggers, notes and outbox items of each kind in a message: enough to find the cause by, and far
below SQS's limit on its size."""

# Before this version, a request to reconcile a VPC carried these instead of triggers and notes.
_OLD_NOTES = {"secrets": "secrets", "leftOut": "left_out"}
_OLD_FLAGS = {"removing": "withdrawing", "trial": "trial"}


def to_message(request: Request, now: datetime) -> dict[str, Any]:
    """The envelope that asks for the request; `from_message` reads it."""
    triggers = request.triggers
    if len(triggers) > CARRIED:
        triggers = (*triggers[: CARRIED // 2], *triggers[-CARRIED // 2 :])
    detail: dict[str, Any] = {
        KINDS[request.key.kind]: request.key.id,
        "reason": request.reason or triggers[0].name,
    }
    more = {
        "attempt": request.attempt,
        "throttled": request.throttled,
        "notBefore": request.not_before,
        "triggers": [_written(one) for one in triggers if one.source],
        "entries": list(request.entries[:CARRIED]),
        "notes": {name: list(some[:CARRIED]) for name, some in request.notes.items()},
    }
    detail |= {name: value for name, value in more.items() if value}
    return _envelope(request.key.account, request.key.region, now, detail)


def from_message(message: Message, kind: str, settings: Settings) -> Request:
    """Read one of the guard's own messages for a resource of that kind.

    Account and Region are those of the settings where a message does not say. Understands what
    earlier versions wrote. Raises UnreadableMessage for one that names no such resource, or that
    has a member of another type.
    """
    detail, envelope = message.detail, message.envelope
    id_ = _text(detail.get(KINDS[kind], ""))
    if not id_:
        raise UnreadableMessage(f"a request of this queue needs a {KINDS[kind]}")
    counts = {name: detail.get(name, 0) for name in ("attempt", "throttled", "notBefore")}
    for name, value in counts.items():
        if not is_count(value):
            raise UnreadableMessage(f"the {name} of a request is a whole number")
    account = _text(envelope.get("account") or settings.account_id)
    region = _text(envelope.get("region") or settings.region)
    reason = _words(detail.get("reason") or "sweep")
    return Request(
        key=Key(account, region, kind, id_),
        triggers=_triggers(message, reason),
        reason=reason,
        attempt=counts["attempt"],
        throttled=counts["throttled"],
        not_before=max(counts["notBefore"], message.not_before),
        entries=(*_texts(detail.get("entries", ())), *_old_entries(detail)),
        notes=_notes(detail),
        hops=message.hops,
    )


def is_reconcile(message: Mapping[str, Any]) -> bool:
    """Whether an envelope is one of the guard's own."""
    return message.get("source") == SOURCE and message.get("detail-type") == DETAIL_TYPE


def asked_at(message: Mapping[str, Any]) -> float:
    """When an envelope was written, in epoch seconds; 0 where it does not say."""
    try:
        return datetime.fromisoformat(str(message.get("time"))).timestamp()
    except (ValueError, OverflowError):
        return 0


def request(settings: Settings, now: datetime, detail: Mapping[str, Any]) -> dict[str, Any]:
    """The envelope of a detail that names a `vpcId` or `vpcEndpointId`, and a `reason`."""
    return _envelope(settings.account_id, settings.region, now, detail)


def envelope(settings: Settings, now: datetime, detail: Mapping[str, Any], hops: int = 0) -> str:
    """The envelope as a message's body; `hops` for one that follows from a message of ours."""
    return json.dumps({**request(settings, now, detail), **({HOPS: hops} if hops else {})})


def _envelope(
    account: str, region: str, now: datetime, detail: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "source": SOURCE,
        "detail-type": DETAIL_TYPE,
        "account": account,
        "region": region,
        "time": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "resources": [],
        "detail": dict(detail),
    }


def _triggers(message: Message, reason: str) -> tuple[Trigger, ...]:
    """Those that the message carries; else the message itself is the only one."""
    detail = message.detail
    carried = [_trigger(one) for one in _sequence(detail.get("triggers", ()))]
    old = [_all_words(detail.get(name, ())) for name in ("reasons", "who", "eventIds")]
    # They were three lists of texts, each of which had every text once.
    for number in range(max(map(len, old))):
        name, who, event_id = (some[number] if number < len(some) else "" for some in old)
        carried.append(Trigger(name=name, who=who, event_id=event_id))
    asked = Trigger(name=reason, at=max(0, asked_at(message.envelope)))
    return tuple(
        replace(
            one,
            source=message.key,
            receives=message.receives,
            redelivered=message.redelivered,
        )
        for one in carried or [asked]
    )


def _written(trigger: Trigger) -> dict[str, Any]:
    """A trigger in JSON's own types: what differs from the defaults."""
    written = {
        "name": trigger.name,
        "at": trigger.at,
        "isEvent": trigger.is_event,
        "who": trigger.who,
        "eventId": trigger.event_id,
        "facts": dict(trigger.facts),
    }
    return {name: value for name, value in written.items() if value}


def _trigger(body: object) -> Trigger:
    one, facts = _mapping(body), _mapping(_mapping(body).get("facts", {}))
    at = one.get("at", 0)
    if type(at) not in (int, float) or not 0 <= at < LARGEST:
        raise UnreadableMessage("the time of a trigger is a number of seconds")
    return Trigger(
        name=_words(one.get("name", "")),
        at=at,
        is_event=one.get("isEvent") is True,
        who=_words(one.get("who", "")),
        event_id=_words(one.get("eventId", "")),
        facts={_words(name): _words(value) for name, value in facts.items()},
    )


def _notes(detail: Mapping[str, Any]) -> Notes:
    notes = {_words(k): _all_words(some) for k, some in _mapping(detail.get("notes", {})).items()}
    for old, name in _OLD_NOTES.items():
        if some := _all_words(detail.get(old, ())):
            notes[name] = united(notes.get(name, ()), some)
    for old, name in _OLD_FLAGS.items():
        if detail.get(old) is True:
            notes[name] = ("true",)
    return notes


def _old_entries(detail: Mapping[str, Any]) -> tuple[str, ...]:
    """The items of changes that the version before recorded."""
    return tuple(f"intent#{key}" for key in _texts(detail.get("intents", ())))


def _words(value: object) -> str:
    """What people read, and may have named as they like: half a character is replaced."""
    if not isinstance(value, str):
        raise UnreadableMessage("a member of a request is no text")
    return value.encode(errors="replace").decode()


def _all_words(value: object) -> tuple[str, ...]:
    return tuple(map(_words, _sequence(value)))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise UnreadableMessage("a member of a request is no text")
    try:
        value.encode()
    except UnicodeEncodeError as error:  # a lone surrogate, which no AWS API takes
        raise UnreadableMessage(f"a text of a request cannot be written: {error}") from error
    return value


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(_text, _sequence(value)))


def _sequence(value: object) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise UnreadableMessage("a member of a request is no list")
    return cast("list[Any]", value)


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UnreadableMessage("a member of a request is no object")
    return cast("Mapping[str, Any]", value)
