"""An account of the embedded cloud, and what the guard said and did in it."""

from emulator import Cloud
from emulator.people import ALLOW_ALL, SERVICE, Account

__all__ = ["ALLOW_ALL", "SERVICE", "Account", "kinds", "writes"]


def kinds(cloud: Cloud) -> list[str]:
    """The kinds of the findings published so far, in order."""
    return [finding["kind"] for finding in cloud.findings]


def writes(cloud: Cloud, function: str) -> list[str]:
    """The EC2 calls by which a function changed something, in order."""
    return [
        call.action
        for call in cloud.calls
        if call.function == function
        and call.service == "ec2"
        and not call.action.startswith("Describe")
    ]
