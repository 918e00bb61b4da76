"""What the findings of one resource have in common, whichever reaction makes them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from guard.findings.finding import Finding, Kind, Severity
from guard.settings import Settings


@dataclass(frozen=True, slots=True)
class Subject:
    """One resource in one run. `known` is the evidence of all its findings.

    `occurrence` makes two findings one, where the finding itself says nothing of that; a finding
    with a window is known by its cause instead. Empty evidence is let go.
    """

    settings: Settings
    now: datetime
    resource: str
    known: Mapping[str, Any]
    occurrence: Sequence[str] = ()

    def finding(
        self,
        kind: Kind,
        severity: Severity,
        *,
        title: str,
        cause: str,
        done: Sequence[str] = (),
        todo: Sequence[str] = (),
        window: int = 0,
        identity: Sequence[str] | None = None,
        **evidence: Any,
    ) -> Finding:
        if identity is None:
            identity = (cause,) if window else self.occurrence
        return Finding(
            kind=kind,
            severity=severity,
            account=self.settings.account_id,
            region=self.settings.region,
            resource=self.resource,
            title=title,
            cause=cause,
            done=tuple(done),
            todo=tuple(todo),
            evidence={key: value for key, value in {**self.known, **evidence}.items() if value},
            identity=identity,
            window=window,
            first_seen=self.now,
            last_seen=self.now,
        )


def sentence(reasons: Sequence[str]) -> str:
    """Several reasons as one sentence; empty for none."""
    text = "; ".join(reasons)
    return text[:1].upper() + text[1:] + "." if text else ""
