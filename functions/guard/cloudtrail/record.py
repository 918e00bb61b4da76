"""One CloudTrail record, read once at the edge into a frozen value.

The shapes are those of the CloudTrail user guide, "CloudTrail record contents" and "userIdentity
element", widened by what real records hold: account ids as numbers, flags as text, identities
without a type, empty strings in place of objects, members that are an object when there is one of
them and a list when there are more.

Nothing here guesses. A field of a strange type reads as absent and its name is kept in
`Record.strange`, so that whoever judges the record can say what could not be read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, cast

from guard.redact import redacted

Json = Mapping[str, Any]

NOTHING: Json = MappingProxyType({})
FROM_CLOUDTRAIL = (
    " via CloudTrail"  # how each of its detail-types ends: API Call, Service Event ...
)
_NEEDED = ("eventName", "eventSource", "eventTime")


class UnreadableRecord(ValueError):
    """Raised when a value is no CloudTrail record, or no event with one; names what it needs."""


class NotFromCloudTrail(UnreadableRecord):
    """Raised when an event is not one by which CloudTrail brings a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who called (`userIdentity`). What the record does not say is an empty string."""

    type: str = ""
    arn: str = ""
    principal_id: str = ""
    account_id: str = ""
    user_name: str = ""
    access_key_id: str = ""
    invoked_by: str = ""
    issuer_arn: str = ""
    session_name: str = ""
    session_created: str = ""
    from_console: bool = False
    in_scope_of_type: str = ""
    in_scope_of: str = ""

    @property
    def name(self) -> str:
        """The caller in one word for people: ARN where there is one, else the next best thing."""
        known = self.arn or self.issuer_arn or self.user_name or self.invoked_by
        return known or self.principal_id or self.account_id or "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One CloudTrail record. A text it lacks is empty, an object it lacks an empty mapping.

    `amends` is the id of the event that this record is an addendum to, and `updated_fields` names
    the fields that it brings, as CloudTrail writes them.
    """

    event_id: str
    event_name: str
    event_source: str
    event_time: datetime
    region: str = ""
    account: str = ""
    event_type: str = ""
    event_category: str = ""
    error_code: str = ""
    error_message: str = ""
    identity: Identity = field(default_factory=Identity)
    source_ip: str = ""
    user_agent: str = ""
    vpc_endpoint_id: str = ""
    vpc_endpoint_account_id: str = ""
    host: str = ""
    request: Json = NOTHING
    response: Json = NOTHING
    additional: Json = NOTHING
    resources: tuple[Json, ...] = ()
    request_id: str = ""
    shared_event_id: str = ""
    amends: str = ""
    updated_fields: str = ""
    strange: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether AWS refused or could not do what was asked.

        RotationFailed and its like carry a message but no code, and are facts, not refused calls.
        """
        return bool(self.error_code)

    @property
    def refused_by_endpoint(self) -> bool:
        """Whether it is the network activity event of a refusal by an endpoint's policy."""
        network_activity = self.event_category == "NetworkActivity"
        network_activity |= self.event_type.startswith("AwsVpceEvent")
        return network_activity and self.error_code == "VpceAccessDenied"


def parse(detail: Mapping[str, Any]) -> Record:
    """Read the `detail` of an EventBridge event, or one element of a log file's `Records`.

    Raises UnreadableRecord if it is no record: not an object, or without a readable event name,
    event source or event time. Any other strangeness is read as absent and named in `strange`.
    """
    if not isinstance(detail, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UnreadableRecord(f"a record must be an object, this is {_kind(detail)}")
    read = _Reader(detail)
    name, source, time = read.text("eventName"), read.text("eventSource"), read.time("eventTime")
    if not name or not source or time is None:
        missing = [key for key, got in zip(_NEEDED, (name, source, time), strict=True) if not got]
        raise UnreadableRecord(f"a record needs a readable {', '.join(missing)}")
    identity, addendum = read.inside("userIdentity"), read.inside("addendum")
    return Record(
        event_id=read.text("eventID"),
        event_name=name,
        event_source=source,
        event_time=time,
        region=read.text("awsRegion"),
        account=read.account("recipientAccountId") or identity.account("accountId"),
        event_type=read.text("eventType"),
        event_category=read.text("eventCategory"),
        error_code=read.text("errorCode"),
        error_message=redacted(read.text("errorMessage")),
        identity=_identity(
            identity, from_console=read.flag("sessionCredentialFromConsole") is True
        ),
        source_ip=read.text("sourceIPAddress"),
        user_agent=_known_agent(read.text("userAgent")),
        vpc_endpoint_id=read.text("vpcEndpointId"),
        vpc_endpoint_account_id=read.account("vpcEndpointAccountId"),
        host=read.inside("tlsDetails").text("clientProvidedHostHeader"),
        request=read.object("requestParameters"),
        response=read.object("responseElements"),
        additional=read.object("additionalEventData"),
        resources=tuple(_objects(detail.get("resources"))),
        request_id=read.text("requestID"),
        shared_event_id=read.text("sharedEventID"),
        amends=addendum.text("originalEventID"),
        updated_fields=addendum.text("updatedFields"),
        strange=tuple(read.strange),
    )


def from_envelope(body: Mapping[str, Any]) -> Record:
    """Read one EventBridge event that carries a CloudTrail record.

    Raises NotFromCloudTrail if it is no such event, UnreadableRecord if its `detail` is no record.
    """
    if not isinstance(body, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise NotFromCloudTrail(f"an event must be an object, this is {_kind(body)}")
    detail_type = body.get("detail-type")
    if not isinstance(detail_type, str) or not detail_type.endswith(FROM_CLOUDTRAIL):
        raise NotFromCloudTrail(
            f"an event of CloudTrail is needed, its detail-type is {detail_type!r}"
        )
    if "detail" not in body:
        raise NotFromCloudTrail("an event needs a detail")
    return parse(body["detail"])


@lru_cache(256)  # CloudTrail cuts it to 1 KB; a few tools make nearly all requests
def _known_agent(text: str) -> str:
    return redacted(text)


class _Reader:
    """Reads an object's members by type, and remembers the names of those of another type."""

    def __init__(self, source: Json, path: str = "", strange: list[str] | None = None) -> None:
        self.source = source
        self.path = path
        self.strange: list[str] = [] if strange is None else strange

    def text(self, key: str) -> str:
        value = self.source.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            self._note(key)
        return text_of(value)

    def account(self, key: str) -> str:
        """An account id; CloudTrail writes some as numbers and so drops their leading zeros."""
        value = self.source.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12:
            return f"{value:012d}"
        return self.text(key)

    def flag(self, key: str) -> bool | None:
        """A boolean, or the text of one: real records hold both."""
        value = self.source.get(key)
        if isinstance(value, str):
            value = {"true": True, "false": False, "": None}.get(value.strip().lower(), value)
        if value is None or isinstance(value, bool):
            return value
        self._note(key)
        return None

    def time(self, key: str) -> datetime | None:
        try:
            when = datetime.fromisoformat(self.text(key))
            return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            return None

    def object(self, key: str) -> Json:
        value = self.source.get(key)
        if isinstance(value, Mapping):
            return cast(Json, value)
        if value not in (None, ""):  # an empty string is how EC2 writes an object without members
            self._note(key)
        return NOTHING

    def inside(self, key: str) -> "_Reader":
        return _Reader(self.object(key), f"{self.path}{key}.", self.strange)

    def _note(self, key: str) -> None:
        name = f"{self.path}{key}"
        if name not in self.strange:
            self.strange.append(name)


def _identity(read: _Reader, *, from_console: bool) -> Identity:
    session = read.inside("sessionContext")
    issuer = session.inside("sessionIssuer")
    scope = read.inside("inScopeOf")
    arn, principal_id = read.text("arn"), read.text("principalId")
    return Identity(
        type=read.text("type"),
        arn=arn,
        principal_id=principal_id,
        account_id=read.account("accountId"),
        user_name=read.text("userName") or issuer.text("userName"),
        access_key_id=read.text("accessKeyId"),
        invoked_by=read.text("invokedBy"),
        issuer_arn=issuer.text("arn"),
        session_name=_session_name(arn, principal_id),
        session_created=session.inside("attributes").text("creationDate"),
        from_console=from_console,
        in_scope_of_type=scope.text("issuerType"),
        in_scope_of=scope.text("sourceArn") or scope.text("credentialsIssuedTo"),
    )


def _session_name(arn: str, principal_id: str) -> str:
    """A role's session: the last part of the session's ARN, or of the principal id."""
    if ":assumed-role/" in arn:
        return arn.split(":assumed-role/", 1)[1].partition("/")[2]
    return principal_id.partition(":")[2]


def text_of(value: object) -> str:
    """A text without lone surrogates, which JSON can hold and no AWS API would take back."""
    if not isinstance(value, str):
        return ""
    return value.encode(errors="replace").decode() if not value.isascii() else value


def _kind(value: object) -> str:
    return "null" if value is None else f"of type {type(value).__name__}"


def _objects(value: object) -> Iterator[Json]:
    if isinstance(value, list):
        for one in cast(list[object], value):
            if isinstance(one, Mapping):
                yield cast(Json, one)
