"""Exceptions: requests that may bypass the endpoint, by whom, why and until when.

The reviewed ones are a JSON file, in git beside the approved policies; see docs/exceptions.md:

    {"exceptions": [{"name": "ci-runners", "owner": "platform@example.com",
                     "reason": "Runners have no VPC before Q3", "expires": "2026-09-30",
                     "principal": "arn:aws:iam::111122223333:role/ci-*", "cidr": "203.0.113.0/24"}]}

Each of `principal`, `cidr`, `vpc`, `endpoint`, `secret`, `action` and `account` is one text or a
list of them; within a list any may match, and everything that is stated must match. `*` and `?`
stand for any characters and any one character, as in IAM policies.
"""

import ipaddress
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

from detect_bypass.judge.spelling import own_head, parts_of
from guard.approved.added import MOST_DAYS, Added
from guard.cloudtrail.record import Record
from guard.cloudtrail.resource_ids import secret_ids

FILE_NAME = "exceptions.json"  # in the layer of approved policies, beside their folder

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TEXTS = ("name", "owner", "reason")
_NARROWING = ("principal", "cidr", "vpc", "endpoint", "secret")
_CONDITIONS = (*_NARROWING, "action", "account")
_NAME_CHARACTERS = 255  # its uses are counted under it, in a table whose keys have a limit
_NETWORKS_TOO_WIDE = 8  # a prefix shorter than this is no network somebody owns
_WILD = re.compile(r"[*?]")


class ExceptionsError(ValueError):
    """Raised when the file of exceptions cannot be used; lists everything that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """One exception. An empty condition asks nothing; `expires` is the first instant it is void.

    `added_at` is when it was written at run time; None for one of the reviewed file.
    """

    name: str
    owner: str
    reason: str
    expires: datetime
    principal: tuple[str, ...] = ()
    cidr: tuple[Network, ...] = ()
    vpc: tuple[str, ...] = ()
    endpoint: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    action: tuple[str, ...] = ()
    account: tuple[str, ...] = ()
    added_at: datetime | None = None

    def covers(self, record: Record, vpc: str = "") -> bool:
        """Whether the record meets every condition; `vpc` is where it came from, if known."""
        principals = [name for name in (record.identity.arn, record.identity.issuer_arn) if name]
        return (
            _meets(self.principal, principals)
            and (not self.cidr or _within(self.cidr, record.source_ip))
            and _meets(self.vpc, [vpc])
            and _meets(self.endpoint, [record.vpc_endpoint_id])
            and _meets(self.action, [record.event_name])
            and _meets(self.account, [record.account])
            and _covers_secrets(self.secret, record)
        )

    def valid_at(self, when: datetime) -> bool:
        """Whether it had not expired yet. Judged at a request's own time, so a replay agrees."""
        return when < self.expires


def load(path: Path) -> tuple[Exemption, ...]:
    """Read and check a file of exceptions. Raises ExceptionsError, or OSError if there is none."""
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ExceptionsError(f"not JSON: {error}") from error


def load_from(folder: Path) -> tuple[Exemption, ...]:
    """The exceptions of the layer in this folder; none where it has no such file.

    Raises ExceptionsError for a file that is wrong: to judge without it would be a guess.
    """
    path = folder / FILE_NAME
    return load(path) if path.exists() else ()


def parse(body: object) -> tuple[Exemption, ...]:
    """Check the file's content and give its exceptions; ExceptionsError lists all its mistakes."""
    entries = cast(Mapping[str, Any], body).get("exceptions") if isinstance(body, Mapping) else None
    if not isinstance(entries, list):
        raise ExceptionsError('the file must be an object with a list "exceptions"')
    exemptions: list[Exemption] = []
    mistakes: list[str] = []
    for number, entry in enumerate(cast(list[object], entries)):
        entry_mistakes = list(_mistakes(entry))
        mistakes += [f"exceptions[{number}]: {mistake}" for mistake in entry_mistakes]
        if not entry_mistakes:
            exemptions.append(_exemption(cast(Mapping[str, Any], entry)))
    names = [exemption.name for exemption in exemptions]
    mistakes += [f"two exceptions are named {name!r}" for name in _repeated(names)]
    if mistakes:
        raise ExceptionsError("\n".join(mistakes))
    return tuple(exemptions)


def parse_added(added: Added) -> Exemption:
    """Check what was added at run time, and give the exception; ExceptionsError lists mistakes."""
    if not added.entry:
        raise ExceptionsError("it is no JSON object")
    try:
        (one,) = parse({"exceptions": [{**added.entry, "name": added.name}]})
    except ExceptionsError as error:
        raise ExceptionsError(str(error).replace("exceptions[0]: ", "")) from None
    if one.expires - added.at > timedelta(days=MOST_DAYS + 1):
        raise ExceptionsError(f"'expires' must be at most {MOST_DAYS} days after it was written")
    return replace(one, added_at=added.at)


# Matching


@cache
def _pattern(text: str) -> re.Pattern[str]:
    wild = re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(wild, re.DOTALL)


def _meets(patterns: Sequence[str], values: Iterable[str]) -> bool:
    """Whether there is no pattern to meet, or a value that is there meets one."""
    texts = [value for value in values if value]
    return not patterns or any(
        _pattern(pattern).fullmatch(text) for pattern in patterns for text in texts
    )


def _within(networks: Iterable[Network], source: str) -> bool:
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return False
    return any(address in network for network in networks)


def _covers_secrets(patterns: Sequence[str], record: Record) -> bool:
    """Every secret the record names must be covered; one that names none is not."""
    if not patterns:
        return True
    secrets = secret_ids(record)
    return bool(secrets) and all(_is_one_of(patterns, secret, record) for secret in secrets)


def _is_one_of(patterns: Iterable[str], secret: str, record: Record) -> bool:
    written = parts_of(secret)
    own = own_head(record)
    # A caller's bare name means the secret in its own account and Region; so does an exception's.
    head = written.head or own
    for pattern in patterns:
        meant = parts_of(pattern)
        same_home = _meets((meant.head or _literal(own),), [head])
        same_suffix = not meant.suffix or not written.suffix or meant.suffix == written.suffix
        if same_home and same_suffix and _meets((meant.name,), [written.name]):
            return True
        if _WILD.search(pattern) and _meets((pattern,), [secret, f"{head}{written.tail}"]):
            return True
    return False


def _literal(text: str) -> str:
    return text if not _WILD.search(text) else ""


# Checking


def _mistakes(entry: object) -> Iterator[str]:
    if not isinstance(entry, Mapping):
        yield "must be an object"
        return
    entry = cast(Mapping[str, Any], entry)
    known = (*_TEXTS, "expires", *_CONDITIONS)
    for key in entry:
        if key not in known:
            yield f"{key!r} is not known; known are {', '.join(known)}"
    for key in _TEXTS:
        value = entry.get(key)
        if not isinstance(value, str) or not value.strip():
            yield f"{key!r} must be a text that is not empty"
    if len(str(entry.get("name", ""))) > _NAME_CHARACTERS:
        yield f"'name' must have at most {_NAME_CHARACTERS} characters"
    yield from _expiry_mistakes(entry.get("expires"))
    for key in _CONDITIONS:
        if key in entry:
            yield from _condition_mistakes(key, entry[key])
    if not any(key in entry for key in _NARROWING):
        yield f"at least one of {', '.join(_NARROWING)} must say what is excepted"


def _expiry_mistakes(value: object) -> Iterator[str]:
    try:
        _expiry(value)
    except (ValueError, OverflowError):
        yield "'expires' must be a date such as 2026-09-30 (its last day, UTC), or a time with zone"


def _condition_mistakes(key: str, value: object) -> Iterator[str]:
    values = _listed(value)
    if not values or not all(isinstance(one, str) and one.strip() for one in values):
        yield f"{key!r} must be a text or a list of texts, none of them empty"
        return
    for text in cast(list[str], values):
        if key == "cidr":
            yield from _cidr_mistakes(text)
        elif key in _NARROWING and not text.strip("*?:/-"):
            yield f"{key!r} must not match everything, as {text!r} does"
        elif key == "account" and not re.fullmatch(r"\d{12}", text):
            yield f"'account' must be 12 digits, not {text!r}"


def _cidr_mistakes(text: str) -> Iterator[str]:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        yield f"'cidr': {error}"
        return
    if network.prefixlen < _NETWORKS_TOO_WIDE:
        yield f"'cidr': {text} is too wide, at least /{_NETWORKS_TOO_WIDE} is needed"


def _exemption(entry: Mapping[str, Any]) -> Exemption:
    conditions = {key: _listed(entry[key]) for key in _CONDITIONS if key in entry}
    networks = [ipaddress.ip_network(text) for text in conditions.pop("cidr", [])]
    return Exemption(
        name=entry["name"],
        owner=entry["owner"],
        reason=entry["reason"],
        expires=_expiry(entry["expires"]),
        cidr=tuple(networks),
        **cast(dict[str, Any], {key: tuple(values) for key, values in conditions.items()}),
    )


def _expiry(value: object) -> datetime:
    """The first instant an exception is void: the midnight after a date, or the time itself."""
    if not isinstance(value, str):
        raise ValueError("not a text")
    try:
        last_day = date.fromisoformat(value)
    except ValueError:
        when = datetime.fromisoformat(value)
        if not when.tzinfo:
            raise ValueError("a time needs a zone") from None
        return when.astimezone(UTC)
    return datetime.combine(last_day + timedelta(days=1), time(), UTC)


def _listed(value: object) -> list[Any]:
    return cast(list[Any], value) if isinstance(value, list) else [value]


def _repeated(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
