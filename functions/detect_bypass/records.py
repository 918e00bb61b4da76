"""The records of a batch: each call once, with what CloudTrail added to it later. Pure.

AWS: "CloudTrail record contents": `sharedEventID` is equal in the copies of one call that several
accounts receive; an `addendum` brings fields that were missing from an event, and names that event.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from detect_bypass.judge import SECRETS_MANAGER
from guard.cloudtrail.record import NotFromCloudTrail, Record, UnreadableRecord, from_envelope
from guard.reconcile.batch import Batch, Message

# The fields of a record that an addendum may bring: CloudTrail's name, and ours.
_FIELDS = {
    "userIdentity": "identity",
    "sourceIPAddress": "source_ip",
    "userAgent": "user_agent",
    "vpcEndpointId": "vpc_endpoint_id",
    "vpcEndpointAccountId": "vpc_endpoint_account_id",
    "tlsDetails": "host",
    "errorCode": "error_code",
    "errorMessage": "error_message",
    "requestParameters": "request",
    "responseElements": "response",
    "additionalEventData": "additional",
    "resources": "resources",
    "eventType": "event_type",
    "eventCategory": "event_category",
    "recipientAccountId": "account",
    "awsRegion": "region",
    "requestID": "request_id",
    "sharedEventID": "shared_event_id",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the record to judge, and the numbers of the records that it was made of."""

    record: Record
    numbers: tuple[int, ...]


def read(
    batch: Batch,
) -> tuple[list[tuple[Message, Record]], list[tuple[Message, UnreadableRecord]]]:
    """The records of a batch, and the messages whose record cannot be read, with the reason.

    A message that is no event of CloudTrail, or not of Secrets Manager, goes back to the queue.
    """
    records: list[tuple[Message, Record]] = []
    unreadable: list[tuple[Message, UnreadableRecord]] = []
    for message in batch.messages:
        try:
            record = from_envelope(message.envelope)
        except NotFromCloudTrail as error:
            batch.fail([message], str(error))
        except UnreadableRecord as error:
            unreadable.append((message, error))
        else:
            if record.event_source == SECRETS_MANAGER:
                records.append((message, record))
            else:
                batch.fail([message], f"{record.event_source} is not watched")
    return records, unreadable


def once(records: Sequence[Record]) -> list[Call]:
    """The calls that the records are about, in the order of each call's first record.

    A record that is delivered twice, or to two accounts, is one call. A call's management event and
    its network activity event may share an id and stay two. An addendum is merged with the record
    that it amends; one that comes without that record is judged by itself, under that record's id.
    """
    calls: list[Call] = []
    place_of: dict[tuple[str, ...], int] = {}
    for number, record in enumerate(records):
        ids = ids_of(record)
        place = min((place_of[one] for one in ids if one in place_of), default=len(calls))
        if place == len(calls):
            calls.append(Call(record, (number,)))
        elif record.amends or calls[place].record.amends:
            calls[place] = _amended(calls[place], Call(record, (number,)))
        place_of.update({one: place_of.get(one, place) for one in ids})
    return [
        replace(call, record=replace(call.record, event_id=call.record.amends, amends=""))
        if call.record.amends
        else call
        for call in calls
    ]


def ids_of(record: Record) -> set[tuple[str, ...]]:
    """What two records of one call have in common; empty where the record has no ids."""
    ids = {("event", one) for one in (record.event_id, record.amends) if one}
    shared: set[tuple[str, ...]] = set()
    if record.shared_event_id:
        shared.add(("shared", record.shared_event_id, record.event_category))
    return ids | shared


def _amended(known: Call, new: Call) -> Call:
    """Two records of one call, at least one of them an addendum, as one."""
    first, later = (known, new) if new.record.amends else (new, known)
    return Call(merged(first.record, later.record), tuple(sorted(known.numbers + new.numbers)))


def merged(record: Record, addendum: Record) -> Record:
    """The record with the fields that its addendum brings.

    These are the fields that `addendum.updatedFields` names, and those that are not empty: the
    documentation does not say whether an addendum repeats the other fields, nor those parts of a
    field that stay.
    """
    named = set(re.findall(r"[\w.]+", addendum.updated_fields))
    brought = {
        ours: getattr(addendum, ours)
        for name, ours in _FIELDS.items()
        if name in named or _is_there(addendum, ours)
    }
    replaced = tuple(name for name, ours in _FIELDS.items() if ours in brought)
    strange = [one for one in record.strange if not one.startswith(replaced)]
    return replace(record, strange=(*strange, *addendum.strange), **brought)


def _is_there(record: Record, field: str) -> bool:
    value = getattr(record, field)
    return value.name != "unknown" if field == "identity" else bool(value)
