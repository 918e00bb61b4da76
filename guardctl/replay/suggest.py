"""Suggest a file of exceptions to start from."""

import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from guardctl.replay.summary import Summary


def suggestions(summary: Summary) -> dict[str, Any]:
    """A file of exceptions to start from: whoever bypassed the endpoint, from where.

    Owner and reason are left empty, and an exception without them is refused: somebody has to stand
    up for each. Root, people in the console and foreign endpoints are not suggested.
    """
    suggested = {
        caller: one
        for caller, one in sorted(summary.bypassing.items(), key=lambda pair: -pair[1].count)
        if caller.startswith("arn:") and not caller.endswith(":root")
    }
    return {
        "exceptions": [
            {
                "name": caller.split(":", 5)[5],
                "owner": "",
                "reason": "",
                "expires": _in_a_quarter(one.last_seen),
                "principal": caller,
                **({"cidr": networks} if (networks := _networks(one.addresses)) else {}),
            }
            for caller, one in suggested.items()
        ]
    }


def _in_a_quarter(when: str) -> str:
    try:
        return (datetime.fromisoformat(when) + timedelta(days=90)).date().isoformat()
    except (ValueError, OverflowError):
        return ""


def _networks(addresses: Iterable[str]) -> list[str]:
    """Each address as a network of its own; what is no address cannot narrow an exception."""
    networks: list[str] = []
    for text in sorted(addresses):
        try:
            networks.append(str(ipaddress.ip_network(text)))
        except ValueError:
            continue
    return networks
