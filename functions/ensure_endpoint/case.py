"""One VPC in one pass: what asks for it, what it is like, and what earlier attempts recorded."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from ensure_endpoint.findings import VpcSubject
from ensure_endpoint.in_force import proven
from ensure_endpoint.withdrawal.decide import undone
from guard.endpoint.state import Vpc
from guard.reconcile.outbox import Entry
from guard.reconcile.request import Key, Request
from guard.settings import Settings


@dataclass(frozen=True, slots=True)
class Case:
    """`entries` are changes of earlier attempts, with those of their steps that the VPC shows."""

    request: Request
    vpc: Vpc
    subject: VpcSubject
    entries: tuple[Entry, ...]
    now: datetime

    @classmethod
    def of(
        cls,
        request: Request,
        vpc: Vpc,
        entries: Sequence[Entry],
        settings: Settings,
        now: datetime,
    ) -> Self:
        left = undone(vpc, settings.stack_id)
        shown = (
            replace(one, finding=proven(one.finding, one.steps, vpc, settings.stack_id))
            for one in entries
        )
        subject = VpcSubject.of(request, settings, now)
        return cls(request, vpc, subject, _without(left, shown), now)

    @property
    def key(self) -> Key:
        return self.request.key

    @property
    def epoch(self) -> int:
        return int(self.now.timestamp())

    @property
    def refused_subnets(self) -> dict[str, str]:
        """AWS's words by the subnets in which earlier attempts were refused an interface."""
        known = (text.partition(" ") for text in self.request.noted("left_out"))
        return {subnet_id: words for subnet_id, _, words in known}

    def carried_out(self, pending: Collection[str]) -> tuple[Entry, ...]:
        """The entries, each with the steps that are not pending any more: so they were done."""
        return _without(pending, self.entries)


def steps_of(entries: Iterable[Entry]) -> tuple[str, ...]:
    """What these entries say was done."""
    return tuple(step for one in entries for step in one.finding.done)


def _without(pending: Collection[str], entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple(
        replace(one, finding=replace(one.finding, done=one.done(pending))) for one in entries
    )
