"""Records inside of what AWS's tools export, taken out of their wrapping. Pure.

- `aws cloudtrail lookup-events`: each event has its record as a text, `CloudTrailEvent`
- CloudWatch Logs: `aws logs filter-log-events` and `get-log-events`, subscriptions, and Insights
  results (`aws logs get-query-results`, or saved from the console) with the field `@message`
- Athena: `aws athena get-query-results`, and its result files, of a table made as "Create a table
  for CloudTrail logs in Athena" says (Athena user guide)
- CloudTrail Lake: rows with `eventJson`
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

type Json = dict[str, Any]

# Lists with events or rows in them, by the name of the list.
LISTS = ("Records", "Events", "events", "logEvents", "results", "Rows", "QueryResultRows")
TEXTS = ("CloudTrailEvent", "@message", "eventJson", "eventjson", "message")
"""Where a whole record is kept as a text."""

_NAMES = """eventVersion userIdentity eventTime eventSource eventName awsRegion sourceIPAddress
userAgent errorCode errorMessage requestParameters responseElements additionalEventData requestID
eventID readOnly resources eventType apiVersion managementEvent recipientAccountId sharedEventID
vpcEndpointId vpcEndpointAccountId eventCategory addendum sessionCredentialFromConsole
edgeDeviceDetails tlsDetails serviceEventDetails type principalId arn accountId invokedBy
accessKeyId userName onBehalfOf userId identityStoreArn sessionContext attributes mfaAuthenticated
creationDate sessionIssuer ec2RoleDelivery webIdFederationData federatedProvider inScopeOf
issuerType credentialsIssuedTo sourceArn sourceAccount identityProvider reason updatedFields
originalRequestID originalEventID tlsVersion cipherSuite clientProvidedHostHeader"""
_CAMEL = {name.lower(): name for name in _NAMES.split()}
# Without these columns nobody can say how a request came. CloudTrail leaves out what a record does
# not have; a table has the column all the same.
NEEDED = (
    *("eventtime", "eventsource", "eventname", "useridentity", "sourceipaddress"),
    *("useragent", "vpcendpointid"),
)
_KEY = re.compile(r"([a-z0-9]+)=")


class NoRecord(ValueError):
    """Raised for what holds no record; the message says what was expected."""


@dataclass(slots=True)
class Unwrap:
    """Takes records out of a file's elements; knows the header of a table whose rows come after."""

    header: tuple[str, ...] = field(default=())

    def records(self, value: object) -> Iterator[object]:
        """The records in an element, which may be one itself. Raises NoRecord."""
        match value:
            case str():
                yield from self.records(_loaded(value))
            case list():
                yield from self._row_of_cells(cast(list[object], value))
            case dict():
                yield from self._of_object(cast(Json, value))
            case _:
                yield value

    def _of_object(self, value: Json) -> Iterator[object]:
        if "eventSource" in value or "detail" in value:
            yield value
        elif inner := _inner(value):
            for one in inner:
                yield from self.records(one)
        elif text := next((value[name] for name in TEXTS if value.get(name)), None):
            yield from self.records(text)
        elif "Data" in value and isinstance(value["Data"], list):
            yield from self._athena_row([_cell(one) for one in cast(list[object], value["Data"])])
        elif "eventsource" in value:
            yield record_of_row(value)
        elif "@ptr" in value:
            raise NoRecord("a result of Logs Insights without @message: add it to `fields`")
        else:
            yield value

    def _row_of_cells(self, cells: Sequence[object]) -> Iterator[object]:
        """A row of Insights ({"field", "value"} each), or of CloudTrail Lake ({name: value})."""
        row: Json = {}
        for cell in cells:
            if not isinstance(cell, dict):
                raise NoRecord("a list in a list: no export that is known")
            one = cast(Json, cell)
            row |= {str(one["field"]): one.get("value")} if "field" in one else one
        yield from self._of_object(row)

    def _athena_row(self, cells: Sequence[str]) -> Iterator[object]:
        if not self.header:
            self.header = checked_header(cells)
            return
        yield from self.table_row(cells)

    def table_row(self, cells: Sequence[str]) -> Iterator[object]:
        """The record in a row below the `header`. Raises NoRecord."""
        yield from self._of_object(dict(zip(self.header, cells, strict=False)))


def checked_header(cells: Sequence[str]) -> tuple[str, ...]:
    """A table's column names. Raises NoRecord for a table that lacks what must be known."""
    header = tuple(cell.strip() for cell in cells)
    if any(name in header for name in TEXTS):
        return header
    known = tuple(name.lower() for name in header)
    there = {name.partition(".")[0] for name in known}
    if missing := [name for name in NEEDED if name not in there]:
        raise NoRecord(
            f"the table has no column {', '.join(missing)}: select all columns, or the whole record"
        )
    return tuple(
        lower if lower in _CAMEL and "." not in lower else name
        for name, lower in zip(header, known, strict=True)
    )


def record_of_row(row: Mapping[str, Any]) -> Json:
    """A record from the columns of a table: Athena's, all in lower case, structs as texts."""
    record: Json = {}
    for column, cell in row.items():
        first, *inner = column.split(".")
        name = _CAMEL.get(first.lower(), first)
        value = _value(cell) if name not in ("eventName", "eventID", "requestID") else cell
        if value in (None, ""):
            continue
        place = record
        for step in inner:
            place = place.setdefault(name, {})
            name = _CAMEL.get(step.lower(), step)
        place[name] = value
    when = record.get("eventTime")
    if isinstance(when, str) and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?", when):
        record["eventTime"] = when.replace(" ", "T") + "Z"
    for one in record.get("resources") or ():
        if isinstance(one, dict) and "arn" in one:
            one["ARN"] = one.pop("arn")
    return record


def _inner(value: Json) -> list[object]:
    """What an object has in a list of events or rows."""
    inner = next((value[name] for name in LISTS if isinstance(value.get(name), list)), None)
    if inner is None and isinstance(value.get("ResultSet"), dict):
        inner = value["ResultSet"].get("Rows")
    return cast(list[object], inner or [])


def _cell(cell: object) -> str:
    return str(cast(Json, cell).get("VarCharValue", "")) if isinstance(cell, dict) else ""


def _loaded(text: str) -> object:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NoRecord("a record must be a JSON object") from error
    if not isinstance(found, dict | list):
        raise NoRecord("a record must be a JSON object")
    return cast(object, found)


def _value(cell: Any) -> Any:
    """A cell: a text, JSON in a text, or a struct as Athena prints one."""
    if isinstance(cell, dict):
        return _camel(cast(Json, cell))
    if isinstance(cell, list):
        return [_value(one) for one in cast(list[Any], cell)]
    if not isinstance(cell, str):
        return cell
    text = cell.strip()
    if text in ("", "null"):
        return None
    if text[0] not in "{[":
        return cell
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        struct, end = _struct(text, 0)
        return struct if end == len(text) else cell


def _camel(value: Json) -> Json:
    """A struct's members, which a table has in lower case, as a record has them."""
    return {
        _CAMEL.get(name, name): _value(one) if isinstance(one, dict | list) else one
        for name, one in value.items()
    }


def _struct(text: str, at: int) -> tuple[Any, int]:
    """The value that begins there, `{name=value, ...}`, `[value, ...]` or a text, and its end.

    Names in it are those that a record has, so a text may hold commas and equals signs.
    """
    if text[at : at + 1] == "{" and (at + 1 == text.find("}", at) or _KEY.match(text, at + 1)):
        found: Json = {}
        at += 1
        while key := _KEY.match(text, at):
            value, at = _struct(text, key.end())
            if value is not None:
                found[_CAMEL.get(key[1], key[1])] = value
            at += 2 * text.startswith(", ", at)
        return found, at + 1
    if text[at : at + 1] == "[":
        items: list[Any] = []
        at += 1
        while at < len(text) and text[at] != "]":
            value, at = _struct(text, at)
            items.append(value)
            at += 2 * text.startswith(", ", at)
        return items, at + 1
    end = _end_of_text(text, at)
    return (None if text[at:end] == "null" else text[at:end]), end


def _end_of_text(text: str, at: int) -> int:
    """Where the next name begins, or the struct ends."""
    for found in re.finditer(r", ([a-z0-9]+)=|[}\]]", text[at:]):
        if not found[1] or found[1] in _CAMEL:
            return at + found.start()
    return len(text)
