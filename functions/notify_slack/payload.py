"""A message of the notify queue as a Slack message in Block Kit. Pure: text in, payload out.

Slack's limits (its reference of blocks and composition objects; the total is not documented, Slack
answers `msg_blocks_too_long` somewhere above 13,000): each part has a share of the total.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from guard.findings.finding import SCHEMA, Kind
from guard.findings.links import console_links
from guard.findings.mrkdwn import clipped, code, cost, prose
from guard.findings.summary import readable
from guard.findings.text import one_line

HEADER_CHARACTERS = 150
BUTTON_CHARACTERS = 75
BUTTONS = 5
URL_CHARACTERS = 500
URLS_CHARACTERS = 1_800
FIELD_CHARACTERS = 280
CAUSE_CHARACTERS = 1_400
DONE_CHARACTERS = 1_000
TODO_CHARACTERS = 1_600
EVIDENCE_CHARACTERS = 2_600
VALUE_CHARACTERS = 900
LONG = (Kind.DIGEST, Kind.DAILY_REPORT)  # whose evidence is what they are about
PLAIN_CHARACTERS = 2_800

_STYLES = {  # emoji, colour of the bar
    "high": ("🔴", "#d1242f"),
    "medium": ("🟠", "#e36209"),
    "low": ("🟡", "#d4a72c"),
    "info": ("🟢", "#2da44e"),
}
_ALARM_STYLES = {
    "ALARM": ("🚨", "#d1242f", "Alarm"),
    "OK": ("✅", "#2da44e", "Alarm over"),
    "INSUFFICIENT_DATA": ("⚪", "#8c959f", "Alarm without data"),
}
_GREY = "#8c959f"


def payload(body: str, attempt: int = 1) -> dict[str, Any]:
    """What to send to an incoming webhook for one message of the queue, whatever it holds.

    A finding and a CloudWatch alarm have a form of their own; anything else, a finding of a schema
    that is not known included, is shown as it is, clipped: an alert that cannot be laid out must
    still be seen. From the second `attempt` on the message says that it may be a repeat.
    """
    try:
        message = cast(dict[str, Any], json.loads(body))
        if message.get("schema") == SCHEMA:
            return _finding(message, attempt)
        if {"AlarmName", "NewStateValue"} <= message.keys():
            return _alarm(message, attempt)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError):
        pass  # not JSON, or not of the form it claims to have: shown as it is
    return _anything(body, attempt)


def _finding(finding: Mapping[str, Any], attempt: int) -> dict[str, Any]:
    emoji, colour = _STYLES[finding["severity"]]
    count = int(finding["count"])
    seen = f"seen {count:,} times" if count > 1 else ""
    since = f"{count:,} times since " if count > 1 else "once, "
    until = f", last {code(finding['last_seen'], 40)}" if count > 1 else ""
    fields = [
        f"*Kind*\n{code(finding['kind'], FIELD_CHARACTERS)}",
        f"*Seen*\n{since}{code(finding['first_seen'], 40)}{until}",
        f"*Account*\n{code(finding['account'], FIELD_CHARACTERS)}",
        f"*Region*\n{code(finding['region'], FIELD_CHARACTERS)}",
        f"*Resource*\n{code(finding['resource'], 2 * FIELD_CHARACTERS)}",
    ]
    runbook = finding["links"].get("Runbook", "")
    notes = [f"Fingerprint {code(finding['fingerprint'], 40)}"]
    if not _is_web_address(runbook):
        notes.append(f"Runbook {code(runbook, 120)}")
    blocks = [
        _section(prose(finding["cause"], CAUSE_CHARACTERS)),
        {"type": "section", "fields": [_mrkdwn(field) for field in fields]},
        *_listed("What VPCE Guard did", finding["done"], DONE_CHARACTERS),
        *_listed("What to do", finding["todo"], TODO_CHARACTERS),
        *_evidence(finding["evidence"], 3 if _has_room(finding) else 1),
        *_buttons(finding["links"]),
        _context(notes, attempt),
    ]
    title = f"{finding['severity'].upper()} · {finding['title']}"
    return _message(emoji, title, seen, colour, blocks)


def _alarm(alarm: Mapping[str, Any], attempt: int) -> dict[str, Any]:
    """An alarm's message, as in "Alarm events" of the CloudWatch user guide."""
    emoji, colour, what = _ALARM_STYLES[alarm["NewStateValue"]]
    arn = str(alarm.get("AlarmArn", "")).split(":")
    partition, region = (arn[1], arn[3]) if len(arn) > 3 else ("", "")
    known = {
        "Account": alarm.get("AWSAccountId"),
        "Region": region or alarm.get("Region"),
        "Before": alarm.get("OldStateValue"),
        "Changed": alarm.get("StateChangeTime"),
    }
    fields = [
        f"*{name}*\n{code(str(value), FIELD_CHARACTERS)}" for name, value in known.items() if value
    ]
    blocks: list[dict[str, Any]] = []
    if description := alarm.get("AlarmDescription"):
        blocks.append(_section(prose(description, CAUSE_CHARACTERS)))
    blocks += [
        _section(prose(alarm.get("NewStateReason") or "No reason given.", CAUSE_CHARACTERS)),
        *([{"type": "section", "fields": [_mrkdwn(field) for field in fields]}] if fields else []),
        *_buttons(console_links(partition, region, alarm=alarm["AlarmName"])),
        _context([], attempt),
    ]
    return _message(emoji, f"{what} · {alarm['AlarmName']}", "", colour, blocks)


def _anything(body: str, attempt: int) -> dict[str, Any]:
    text = one_line(body)
    blocks = [_section(code(text, PLAIN_CHARACTERS)), _context([], attempt)]
    return _message("⚪", "Message of an unknown form", "", _GREY, blocks)


def _message(
    emoji: str, title: str, suffix: str, colour: str, blocks: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """The heading above a coloured bar; `text` is what a notification shows."""
    suffix = f" ({suffix})" if suffix else ""
    room = HEADER_CHARACTERS - len(emoji) - len(suffix) - 1
    heading = f"{emoji} {clipped(one_line(title), room)}{suffix}"
    return {
        "text": f"{emoji} {prose(title, 2 * HEADER_CHARACTERS)}{suffix}",
        "blocks": [{"type": "header", "text": _plain(heading)}],
        "attachments": [{"color": colour, "blocks": [block for block in blocks if block]}],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _listed(heading: str, entries: Iterable[str], limit: int) -> list[dict[str, Any]]:
    lines = [f"• {prose(entry, limit - 40)}" for entry in entries]
    return [_section(_fitting(f"*{heading}*", lines, limit))] if lines else []


def _evidence(evidence: Mapping[str, Any], sections: int) -> list[dict[str, Any]]:
    lines: list[str] = []
    for name, value in evidence.items():
        values = _values(value)
        label = prose(name.replace("_", " "), 80)
        shown = [code(_text(one), VALUE_CHARACTERS) for one in values]
        if len(shown) == 1:
            lines.append(f"• {label}: {shown[0]}")
        else:
            lines += [f"• {label}: {'' if shown else '-'}", *(f"    ◦ {one}" for one in shown)]
    if not lines:
        return []
    first: list[dict[str, Any]] = []
    while len(first) + 1 < sections and _all_cost(lines) > EVIDENCE_CHARACTERS:
        some = _beginning(lines, EVIDENCE_CHARACTERS - 40)
        first.append(_section("\n".join(["*Evidence*", *some])))
        lines = lines[len(some) :]
    return [*first, _section(_fitting("*Evidence*", lines, EVIDENCE_CHARACTERS))]


def _has_room(finding: Mapping[str, Any]) -> bool:
    """Whether a digest's or report's lists may take what its other parts leave."""
    texts = [finding["cause"], *finding["done"], *finding["todo"], *finding["links"].values()]
    return finding["kind"] in LONG and _all_cost(texts) < 1_200


def _all_cost(lines: Iterable[str]) -> int:
    return sum(cost(line) + 2 for line in lines)


def _beginning(lines: list[str], room: int) -> list[str]:
    """As many whole lines as there is room for, one at least."""
    kept = lines[:1]
    for line in lines[1:]:
        if _all_cost([*kept, line]) > room:
            break
        kept.append(line)
    return kept


def _values(value: object) -> list[object]:
    lines = readable(value)
    if lines is not None:
        return list(lines)
    return cast(list[object], value) if isinstance(value, list) else [value]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _fitting(heading: str, lines: Iterable[str], limit: int) -> str:
    """The heading and as many whole lines as there is room for; says how many are missing."""
    kept, left = [heading], list(lines)
    room = limit - len(heading) - 20
    while left and cost(left[0]) + 2 <= room:
        room -= cost(left[0]) + 2
        kept.append(left.pop(0))
    return "\n".join([*kept, *([f"… {len(left):,} more lines"] if left else [])])


def _buttons(links: Mapping[str, str]) -> list[dict[str, Any]]:
    room = URLS_CHARACTERS
    buttons: list[dict[str, Any]] = []
    for label, url in links.items():
        if len(buttons) < BUTTONS and _is_web_address(url) and cost(url) <= room:
            room -= cost(url)
            text = _plain(clipped(one_line(label) or "Open", BUTTON_CHARACTERS))
            action = f"link-{len(buttons)}"
            buttons.append({"type": "button", "text": text, "url": url, "action_id": action})
    return [{"type": "actions", "elements": buttons}] if buttons else []


def _is_web_address(url: str) -> bool:
    """One that Slack will open as it stands: https, plain ASCII, and not too long."""
    if len(url) > URL_CHARACTERS or not url.isascii() or not url.isprintable() or " " in url:
        return False
    parts = urlsplit(url)
    return parts.scheme == "https" and bool(parts.hostname)


def _context(notes: list[str], attempt: int) -> dict[str, Any]:
    repeat = f"Attempt {attempt:,}: a repeat if Slack's answer to an earlier one was lost"
    notes = [*notes, *([repeat] if attempt > 1 else [])]
    return {"type": "context", "elements": [_mrkdwn(note) for note in notes]} if notes else {}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, Any]:
    """`verbatim`: Slack must not make links or mentions of what resembles one."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}
