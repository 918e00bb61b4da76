"""`guardctl ocsf`: what subscribers of the findings topic received, as events of OCSF."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from guardctl.errors import Failed
from guardctl.ocsf import event_of
from guardctl.screen import say, say_json

BAD_INPUT = 2


def ocsf(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Files of findings; - is standard input."),
    ],
) -> None:
    """Convert findings to OCSF 1.6.0, one event a line.

    A line of a file is a finding as the topic sends it, or what holds one: the message of an SNS
    subscription, of a queue, or an event of EventBridge. Digests and daily reports, which sum up
    other findings, are left out.

    Examples:
      guardctl ocsf findings.jsonl
      zcat archive/*.gz | guardctl ocsf -

    Exit codes: 0 ok, 2 bad usage, or lines that are no finding.
    """
    bad = 0
    for name in files:
        for number, line in enumerate(_lines(name), 1):
            try:
                event = event_of(_finding(json.loads(line)))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                bad += 1
                say(f"{name}:{number}: this is no finding: {error!r}", err=True)
                continue
            if event:
                say_json(event)
    if bad:
        raise typer.Exit(BAD_INPUT)


def _lines(name: str) -> Iterator[str]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"cannot read {name}: {error}") from None
    return (line for line in text.splitlines() if line.strip())


def _finding(value: Any) -> dict[str, Any]:
    """The finding itself, out of the envelopes of SQS, SNS and EventBridge."""
    for name in ("Body", "body", "Message", "detail"):
        if isinstance(value, dict) and name in value:
            inner = value[name]
            return _finding(json.loads(inner) if isinstance(inner, str) else inner)
    if not isinstance(value, dict):
        raise TypeError("not a JSON object")
    return value
