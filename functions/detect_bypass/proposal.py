"""The exception that would cover an alert, and the command that adds it at run time. Pure."""

import ipaddress
import re
import shlex
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from detect_bypass.judge import Judgement, Verdict
from guard.cloudtrail.evidence import principal
from guard.cloudtrail.record import Record

DAYS = 30
_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST = 100  # of a name, which may be read aloud
_WILD = re.compile(r"[*?]")


def proposed(record: Record, judgement: Judgement) -> dict[str, Any]:
    """The exception that covers this caller on this way; empty where none is proposed.

    Not for root, whom nothing should except, nor where the record cannot be judged or does not give
    the ARN of the caller. Whoever adds it says until when, and why.
    """
    arn = principal(record)
    if not judgement.alert or judgement.verdict is Verdict.UNREADABLE:
        return {}
    if not arn.startswith("arn:") or arn.endswith(":root") or _WILD.search(arn):
        return {}
    where: dict[str, Any] = {}
    if judgement.verdict in (Verdict.FOREIGN_ENDPOINT, Verdict.ENDPOINT_DENIED):
        where = {"endpoint": record.vpc_endpoint_id} if record.vpc_endpoint_id else {}
    elif not judgement.roams and (network := network_of(record.source_ip)):
        where = {"cidr": network}
    account = arn.split(":")[4]
    name = name_for(arn, account if account != record.account else "")
    return {"name": name, "principal": arn, **where}


def command_for(entry: Mapping[str, Any], day: date) -> str:
    """The command that adds it, for a month from that day. Its reason is empty, and refused so."""
    try:
        until = day + timedelta(days=DAYS)
    except OverflowError:  # a record may have any time
        until = day
    words = ["guardctl", "exceptions", "add", entry["name"]]
    for key, value in entry.items():
        if key != "name":
            for one in value if isinstance(value, list) else [value]:
                words += [f"--{key}", one]
    return shlex.join([*words, "--expires", f"{until:%Y-%m-%d}", "--reason", ""])


def name_for(arn: str, account: str = "") -> str:
    """A name that an SSM parameter can have; with the account, where there may be another such."""
    words = _NAME.sub("-", arn.split(":", 5)[5]).strip("-.") or "caller"
    return f"{words[:_LONGEST]}-{account}" if account else words[:_LONGEST]


def network_of(address: str) -> str:
    """An address as a network of its own; empty where it is none."""
    try:
        return str(ipaddress.ip_network(address))
    except ValueError:
        return ""
