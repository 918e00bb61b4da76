"""A finding as a custom notification of Amazon Q Developer in chat applications.

AWS: "Custom notifications" in its administrator guide: schema version 1.0, and the limits below.
Amazon Q subscribes to the topic by HTTPS, so this is what HTTPS subscribers get where it is set up.

Its markdown is that of Slack or Teams; text from a record is made inert in the same way as in our
own Slack messages.
"""

import json
from collections.abc import Mapping
from typing import Any

from guard.findings.mrkdwn import code, prose
from guard.findings.summary import readable
from guard.findings.text import one_line

TITLE, DESCRIPTION, STEP, KEYWORD = 250, 8_000, 350, 75  # characters
STEPS = 5
EVIDENCE = 3_000  # of the description
VALUE = 300


def custom_notification(body: Mapping[str, Any]) -> str:
    """The notification's JSON, for the published form of a finding."""
    times = "once" if body["count"] == 1 else f"{body['count']:,} times"
    links = [f"{label}: {one_line(link)}" for label, link in body["links"].items()]
    paragraphs = [
        prose(body["cause"], 1_500),
        "\n".join(f"• {prose(done, 300)}" for done in body["done"][:STEPS]),
        _where(body, times),
        _evidence(body["evidence"]),
        "\n".join(code(link, 600) for link in links[:3]),
    ]
    notification = {
        "version": "1.0",
        "source": "custom",
        "id": body["id"],
        "content": {
            "textType": "client-markdown",
            "title": prose(f"{body['severity'].upper()}: {body['title']}", TITLE),
            "description": _fitting("\n\n".join(part for part in paragraphs if part)),
            "nextSteps": [prose(step, STEP) for step in body["todo"][:STEPS]],
            "keywords": [_keyword(body[name]) for name in ("kind", "severity", "region")],
        },
        "metadata": {
            "threadId": body["fingerprint"],
            "summary": prose(body["title"], TITLE),
            "eventType": body["kind"],
            "relatedResources": [one_line(body["resource"])[:400] or "-"],
            "additionalContext": {"finding": body["id"], "account": _keyword(body["account"])},
            "enableCustomActions": False,
        },
    }
    return json.dumps(notification, separators=(",", ":"))


def _where(body: Mapping[str, Any], times: str) -> str:
    return (
        f"Resource {code(body['resource'], 400)} in {code(body['account'], 40)}, "
        f"{code(body['region'], 40)}; seen {times}, last {code(body['last_seen'], 40)}"
    )


def _keyword(text: str) -> str:
    return one_line(text)[:KEYWORD] or "-"


def _evidence(evidence: Mapping[str, Any]) -> str:
    lines: list[str] = []
    room = EVIDENCE
    for name, value in evidence.items():
        lines_of = readable(value)
        text = "; ".join(lines_of) if lines_of is not None else value
        shown = text if isinstance(text, str) else json.dumps(text, default=str)
        line = f"{prose(name, 80)}: {code(shown, 3 * VALUE if lines_of else VALUE)}"
        if len(line) > room:
            lines.append("…")
            break
        lines.append(line)
        room -= len(line) + 1
    return "\n".join(lines)


def _fitting(text: str) -> str:
    """Never needed by what is cut above; a description too long would not be shown at all."""
    return text if len(text) <= DESCRIPTION else text[: DESCRIPTION - 1] + "…"
