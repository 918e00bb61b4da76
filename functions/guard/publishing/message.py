"""A finding as an SNS message: JSON for machines, text for people, within the limits.

AWS: the API references of Publish and PublishBatch, and "Message attributes" in the SNS guide.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from guard.findings.finding import Finding
from guard.findings.links import evident_links, runbook_link
from guard.findings.summary import readable
from guard.findings.text import one_line, subject_line
from guard.publishing.amazon_q import custom_notification
from guard.redact import redacted
from guard.settings import BY_DEFAULT, Publishing

if TYPE_CHECKING:
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef
    from mypy_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef as Entry

MESSAGE_BYTES = 256 * 1024  # attributes and subject included; for a whole PublishBatch as for one
ENTRY_BYTES = MESSAGE_BYTES - 36_864  # what attributes, subject and the form for chat leave
# Of JSON: what is no larger fits as a message, in which no character takes eight times as much.
SMALL = ENTRY_BYTES // 8
EMAIL_VALUE_CHARACTERS = 4000

# What a finding that is too large is cut to, in bytes of ASCII JSON. They add up to less than a
# quarter of a message, because each text is in it twice and quoting can double its length.
EVIDENCE_BYTES = 24 * 1024
EVIDENCE_VALUE_BYTES = 1024
TEXT_BYTES = {"title": 512, "cause": 4096, "resource": 2048, "account": 128, "region": 128}
LIST_BYTES = {"done": 4096, "todo": 4096, "identity": 4096}
LINKS_BYTES = 8192


def entry(
    id_: str, finding: Finding, publishing: Publishing, body: Mapping[str, Any] | None = None
) -> Entry:
    """The finding as one entry of PublishBatch; `body` is its published form, if that is known."""
    body = body or published_form(finding, publishing)
    return {
        "Id": id_,
        "Subject": subject(finding),
        "MessageStructure": "json",
        "Message": message(body, chat=publishing.chat),
        "MessageAttributes": _attributes(finding),
    }


def weight(part: Entry) -> int:
    """The bytes that count towards the limit."""
    attributes = part.get("MessageAttributes", {})
    texts = [part["Message"], part.get("Subject", "")]
    for name, attribute in attributes.items():
        texts += [name, attribute["DataType"], attribute.get("StringValue", "")]
    return sum(len(text.encode()) for text in texts)


def _attributes(finding: Finding) -> dict[str, MessageAttributeValueTypeDef]:
    """For filter policies. SNS refuses an empty value, so what is not known is left out."""
    values = {
        "kind": finding.kind.value,
        "severity": finding.severity.value,
        "account": finding.account,
        "region": finding.region,
    }
    return {
        name: {"DataType": "String", "StringValue": one_line(value)[:256]}
        for name, value in values.items()
        if one_line(value)
    }


def subject(finding: Finding) -> str:
    """The e-mail's subject: fewer than 100 printable ASCII characters."""
    return subject_line(f"[{finding.severity.upper()}] {redacted(finding.title)}")


def published_form(finding: Finding, publishing: Publishing = BY_DEFAULT) -> dict[str, Any]:
    """The finding's JSON as subscribers get it: linked, and small enough for any of them.

    A finding that was made without links is linked by the ids in it.

    Where evidence or text had to be cut, `evidence.cut` says what and how much.
    """
    body = finding.to_json()
    links = body["links"] or evident_links(
        finding.region, finding.resource, body["evidence"], publishing.partition
    )
    body["links"] = {**links, "Runbook": runbook_link(finding.kind, publishing.runbooks)}
    return _within_limits(body)


def message(body: Mapping[str, Any], *, chat: bool = False) -> str:
    """The SNS message in its JSON structure: text for e-mail, the finding's JSON for all others.

    With `chat`, HTTPS subscribers get what Amazon Q Developer shows in chat applications.
    """
    forms = {
        "default": json.dumps(body, default=str, separators=(",", ":")),
        "email": email_text(body),
    }
    if chat:
        forms["https"] = custom_notification(body)
    return json.dumps(forms, separators=(",", ":"))


def email_text(body: Mapping[str, Any]) -> str:
    """What a person reads: why, what was done, what to do, and where to read more."""
    times = "once" if body["count"] == 1 else f"{body['count']:,} times"
    paragraphs = [
        [f"{body['severity'].upper()}: {one_line(body['title'])}", "", one_line(body["cause"])],
        _section("What VPCE Guard did", body["done"]),
        _section("What to do", body["todo"]),
        [
            f"Account   {one_line(body['account'])}",
            f"Region    {one_line(body['region'])}",
            f"Resource  {one_line(body['resource'])}",
            f"Seen      {times}, first {body['first_seen']}, last {body['last_seen']}",
        ],
        _section("Evidence", map(_shown, body["evidence"], body["evidence"].values())),
        _section("Links", [f"{label}: {link}" for label, link in body["links"].items()]),
        [f"Finding {body['kind']}, fingerprint {body['fingerprint']}"],
    ]
    return "\n\n".join("\n".join(lines) for lines in paragraphs if lines) + "\n"


def _section(heading: str, texts: Iterable[str]) -> list[str]:
    items = ["\n    ".join(map(one_line, text.split("\n"))) for text in texts]
    return [f"{heading}:", *(f"- {item}" for item in items)] if items else []


def _shown(key: str, value: object) -> str:
    if (lines := readable(value)) is not None:
        return "\n".join([f"{key}:", *lines])
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    more = len(text) - EMAIL_VALUE_CHARACTERS
    return f"{key}: {text}" if more <= 0 else f"{key}: {text[:-more]}... ({more:,} characters more)"


def _within_limits(body: dict[str, Any]) -> dict[str, Any]:
    size = _bytes(body)  # of ASCII
    if size <= SMALL or (size <= ENTRY_BYTES and len(message(body)) <= ENTRY_BYTES):
        return body
    small = dict(body)
    for name, limit in TEXT_BYTES.items():
        small[name] = _cut_text(body[name], limit)
    for name, limit in LIST_BYTES.items():
        small[name] = _cut_list(body[name], limit)
    small["links"] = {  # half a link opens nothing
        label: link
        for label, link in _cut_entries(body["links"], LINKS_BYTES, LINKS_BYTES // 4).items()
        if link == body["links"][label]
    }
    small["evidence"] = _cut_entries(body["evidence"], EVIDENCE_BYTES, EVIDENCE_VALUE_BYTES)
    small["evidence"]["cut"] = _what_was_cut(body, small)
    return small


def _cut_entries[K](entries: Mapping[K, Any], limit: int, limit_each: int) -> dict[K, Any]:
    """The entries in their order: small ones whole, larger ones cut, what has no room left out."""
    kept: dict[K, Any] = {}
    room = limit
    for key, value in sorted(entries.items(), key=lambda entry: _bytes(entry)):
        small = value if _bytes((key, value)) <= room // 2 else _cut_text(value, limit_each)
        if (size := _bytes((key, small))) <= room:
            kept[key] = small
            room -= size
    return {key: kept[key] for key in entries if key in kept}


def _cut_list(lines: Sequence[str], limit: int) -> list[str]:
    return list(_cut_entries(dict(enumerate(lines)), limit, limit // 4).values())


def _cut_text(value: object, limit: int) -> Any:
    """The value if it takes no more than `limit` bytes, otherwise the beginning of its text."""
    if _bytes(value) <= limit:
        return value
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    while _bytes(text) > limit - 3:
        text = text[: min(len(text) - 1, len(text) * limit // _bytes(text))]
    return text + "..."


def _bytes(value: object) -> int:
    return len(json.dumps(value, default=str))


def _what_was_cut(body: Mapping[str, Any], small: Mapping[str, Any]) -> str:
    evidence: Mapping[str, Any] = body["evidence"]
    names = [name for name in (*TEXT_BYTES, *LIST_BYTES, "links") if small[name] != body[name]]
    names += [
        f"evidence.{name}"
        for name, value in evidence.items()
        if small["evidence"].get(name) != value
    ]
    text = f"too large for SNS, shortened or left out: {', '.join(names)}"
    return str(_cut_text(text, EVIDENCE_VALUE_BYTES))
