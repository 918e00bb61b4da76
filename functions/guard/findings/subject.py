"""What the findings of one resource have in common, whichever reaction makes them. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from guard.findings.finding import Finding, Kind, Severity
from guard.settings import Settings


@dataclass(frozen=True, slots=True)
class Subject(ABC):
    """One resource in one run. Each reaction adds what it knows of it."""

    settings: Settings
    now: datetime

    @abstractmethod
    def resource(self) -> str:
        """The id or ARN of what the findings are about."""

    @abstractmethod
    def evidence(self, **more: Any) -> dict[str, Any]:
        """What is known in every case, with what one finding has more; empty values are let go."""

    @abstractmethod
    def identity(self, title: str, cause: str, window: int) -> Sequence[str]:
        """What makes two findings one occurrence, where the finding itself does not say so."""

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
        known = self.evidence(**evidence)
        return Finding(
            kind=kind,
            severity=severity,
            account=self.settings.account_id,
            region=self.settings.region,
            resource=self.resource(),
            title=title,
            cause=cause,
            done=tuple(done),
            todo=tuple(todo),
            evidence={key: value for key, value in known.items() if value},
            identity=self.identity(title, cause, window) if identity is None else identity,
            window=window,
            first_seen=self.now,
            last_seen=self.now,
        )


def sentence(reasons: Sequence[str]) -> str:
    """Several reasons as one sentence; empty for none."""
    text = "; ".join(reasons)
    return text[:1].upper() + text[1:] + "." if text else ""
