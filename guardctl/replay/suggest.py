"""Suggest a file of exceptions to start from."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from detect_bypass.proposal import name_for, network_of
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
    names = _names(list(suggested))
    return {
        "exceptions": [
            {
                "name": names[caller],
                "owner": "",
                "reason": "",
                "expires": _in_a_quarter(one.last_seen),
                "principal": caller,
                **({"cidr": networks} if (networks := _networks(one.addresses)) else {}),
            }
            for caller, one in suggested.items()
        ]
    }


def _names(callers: list[str]) -> dict[str, str]:
    """A name for each: with its account where two have one such, and a number if need be."""
    alike = Counter(name_for(caller) for caller in callers)
    names: dict[str, str] = {}
    for caller in callers:
        plain = name_for(caller)
        name = plain if alike[plain] == 1 else name_for(caller, caller.split(":")[4])
        taken = sum(one == name or one.startswith(f"{name}--") for one in names.values())
        names[caller] = f"{name}--{taken + 1}" if taken else name
    return names


def _in_a_quarter(when: str) -> str:
    try:
        return (datetime.fromisoformat(when) + timedelta(days=90)).date().isoformat()
    except (ValueError, OverflowError):
        return ""


def _networks(addresses: set[str]) -> list[str]:
    """Each address as a network of its own; what is no address cannot narrow an exception."""
    return [network for one in sorted(addresses) if (network := network_of(one))]
