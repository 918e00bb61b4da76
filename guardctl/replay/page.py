"""One self-contained page of what a replay found: nothing is loaded from anywhere.

What records hold is hostile: every text is escaped where the template puts it, and a content
security policy lets run only the page's own script, known by its hash.
"""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from guard.findings.finding import Finding
from guard.publishing.message import published_form
from guardctl.replay.chart import HEIGHT, WIDTH, chart
from guardctl.replay.publication import ReplayedFinding
from guardctl.replay.slack_view import message
from guardctl.replay.summary import Summary
from guardctl.screen import printable
from notify_slack.payload import payload

_TEMPLATES = Path(__file__).parent / "templates"
_SHOWN = 1_000  # findings; a page of more is no page to read
_LISTED = 100  # in a table of principals, secrets ...
_DIVIDES = re.compile(r"(?<=[/:,@_])(?=\S)")


def page(summary: Summary, command: Sequence[str]) -> str:
    """The page of a summary. `command` is how replay was called, for whoever is handed the page."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["printable"] = printable
    environment.filters["breakable"] = breakable
    environment.filters["clock"] = clock
    script = (_TEMPLATES / "page.js").read_text(encoding="utf-8")
    style = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
    findings = summary.result.worst_first()
    return environment.get_template(
        "page.html"
    ).render(
        script=Markup(script),  # noqa: S704 - our own file
        style=Markup(style),  # noqa: S704 - the same
        policy=_policy(script, style),
        command=" ".join(command),
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        summary=summary.to_json(),
        chart=chart(summary.timeline),
        width=WIDTH,
        height=HEIGHT,
        tables=_tables(summary),
        findings=[_row(one) for one in findings[:_SHOWN]],
        left_out=len(findings[_SHOWN:]),
    )


def _policy(script: str, style: str) -> str:
    return f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}"


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _tables(summary: Summary) -> list[dict[str, Any]]:
    return [
        {"name": name.capitalize(), "rows": counter.most_common(_LISTED)}
        for name, counter in summary.tops().items()
        if counter
    ]


def _row(one: ReplayedFinding) -> dict[str, Any]:
    """What the template shows of a finding."""
    finding = one.finding
    return one.to_json() | {
        "rank": finding.severity.rank,
        "card": _card(finding),
        "place": [finding.account, finding.region],
        "todo": finding.todo,
    }


def breakable(text: str) -> Markup:
    """The text, escaped; a line may end within a name after what divides it, and in no word."""
    return Markup("<wbr>").join(_DIVIDES.split(printable(text)))


def clock(when: str) -> str:
    """2026-06-01T09:30:00Z → 2026-06-01 09:30:00; any other text as it is."""
    try:
        return f"{datetime.fromisoformat(when).astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError):
        return when


def _card(finding: Finding) -> Markup:
    """The finding as Slack would show it: cut and linked as it is when it is published."""
    return message(payload(json.dumps(published_form(finding))))
