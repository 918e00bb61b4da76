"""A batch of messages, collapsed into work: one piece per VPC, with all that asked for it."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ensure_endpoint.findings import About
from ensure_endpoint.later import Later
from ensure_endpoint.rotation.function import Rotation
from ensure_endpoint.triggers import BUILDING, LEAVES_DNS, USING, Concern, concern
from guard.cloudtrail.record import Record
from guard.findings.finding import Finding
from guard.reconcile.batch import Message
from guard.reconcile.requeue import EARLY_SECONDS
from guard.settings import Settings
from guard.table.memory import Intent, late


@dataclass(slots=True)
class Work:
    """One VPC to look at.

    `findings` are told even if the rest of the work fails, and the changes in `told` are settled
    after that. `begun` are the keys of changes that this work declared, `removes` says that it is
    withdrawing from the VPC. `refused_in` are subnets with the words by which AWS refused them.
    """

    vpc_id: str
    messages: list[Message] = field(default_factory=list[Message])
    concerns: list[Concern] = field(default_factory=list[Concern])
    secrets: list[str] = field(default_factory=list[str])
    findings: list[Finding] = field(default_factory=list[Finding])
    told: list[str] = field(default_factory=list[str])
    begun: list[str] = field(default_factory=list[str])
    removes: bool = False
    refused_in: dict[str, str] = field(default_factory=dict[str, str])

    def about(self, settings: Settings, now: datetime) -> About:
        return About(
            settings=settings,
            now=now,
            vpc_id=self.vpc_id,
            reasons=_all(one.reasons for one in self.concerns),
            who=_all(one.who for one in self.concerns),
            event_ids=_all(one.event_ids for one in self.concerns),
            secrets=_all([self.secrets, *(one.secrets for one in self._later())]),
        )

    def later(self, reason: str, about: About, **changes: Any) -> Later:
        """A look to come that knows what this one knows."""
        known: dict[str, Any] = {
            "attempt": self.attempt,
            "throttled": self.throttled,
            "removing": self.removing or self.removes,
            "reasons": about.reasons,
            "who": about.who,
            "event_ids": about.event_ids,
            "secrets": about.secrets,
            "left_out": tuple(f"{id_} {words}" for id_, words in self.left_out.items()),
        }
        return Later(vpc_id=self.vpc_id, reason=reason, **{**known, **changes})

    @property
    def attempt(self) -> int:
        """How many looks at an unfinished change came before: a fresh event starts anew."""
        return min(one.attempt for one in self.concerns)

    @property
    def throttled(self) -> int:
        """How often EC2 refused this work for pace."""
        return max((one.throttled for one in self._later()), default=0)

    @property
    def left_out(self) -> dict[str, str]:
        """AWS's words by the subnets in which it refused an interface, now or in looks before."""
        known = [text.partition(" ") for one in self._later() for text in one.left_out]
        return {subnet_id: words for subnet_id, _, words in known} | self.refused_in

    @property
    def hops(self) -> int:
        """Of the longest chain that has led to this work."""
        return max(one.hops for one in self.messages)

    @property
    def removing(self) -> bool:
        return any(one.removing for one in self._later())

    @property
    def tear_downs(self) -> list[Record]:
        """Attempts of somebody to delete the VPC or a subnet of it."""
        return [one.record for one in self.concerns if one.is_tear_down and one.record]

    @property
    def only_tear_down(self) -> bool:
        return all(one.is_tear_down for one in self.concerns)

    @property
    def leaves_dns(self) -> bool:
        """Whether nothing speaks of the VPC's DNS attributes: of any VPC, or of something else.

        A sweep's message and a later look do: they are there to find what had no event.
        """
        return all(
            one.every_vpc or (one.record is not None and one.record.event_name in LEAVES_DNS)
            for one in self.concerns
        )

    @property
    def built(self) -> int:
        """When the VPC was last built on, by the events of this batch; epoch seconds or 0."""
        return max(one.when(BUILDING) for one in self.concerns)

    @property
    def used(self) -> int:
        """When somebody last showed that they mean to use the VPC; epoch seconds or 0."""
        return max(one.when(USING) for one in self.concerns)

    def begin(self) -> str:
        """The key of the change that begins now: found again when the message comes back."""
        self.begun.append(f"{self.vpc_id}#{self.messages[0].key}")
        return self.begun[-1]

    @property
    def intents(self) -> tuple[str, ...]:
        """The keys of changes that may have been begun before; none for work done first time."""
        carried = [key for one in self._later() for key in one.intents]
        back = [f"{self.vpc_id}#{one.key}" for one in self.messages if one.redelivered]
        return tuple(dict.fromkeys([*carried, *back]))

    def tell_late(
        self, begun: Sequence[Intent], still_to_do: Collection[str], now: datetime
    ) -> None:
        """Tell of changes that were made by a try that was cut short before it could."""
        for intent in begun:
            done = intent.done(still_to_do)
            if done and intent.key not in self.told:
                self.findings.append(late(intent.finding, done, now))
                self.told.append(intent.key)

    def _later(self) -> list[Later]:
        return [one.later for one in self.concerns if one.later]


@dataclass(slots=True)
class Worklist:
    """Collects a batch. `vpcs_of` finds the VPCs of a concern that names none itself, and the
    secrets that rotate there; it may add findings.
    """

    now: datetime
    service_name: str
    vpcs_of: "Callable[[Concern, Worklist], tuple[set[str], list[str]]]"
    guard_roles: frozenset[str] = frozenset()
    works: dict[str, Work] = field(default_factory=dict[str, Work])
    findings: list[Finding] = field(default_factory=list[Finding])
    early: list[tuple[Message, Later]] = field(default_factory=list[tuple[Message, Later]])
    rotations: dict[str, list[tuple[Record, Rotation]]] = field(
        default_factory=dict[str, list[tuple[Record, Rotation]]]
    )
    """The rotations that were just turned on, by the VPC they run in."""

    def add(self, message: Message) -> Concern:
        """Find out which VPCs a message concerns. Raises what `concern` and AWS raise."""
        one = concern(message.envelope, self.service_name, self.guard_roles)
        if one.later and one.later.not_before > self.now.timestamp() + EARLY_SECONDS:
            self.early.append((message, one.later))
            return one
        vpc_ids, secrets = self.vpcs_of(one, self)
        for vpc_id in {*one.vpc_ids, *vpc_ids}:
            work = self.works.setdefault(vpc_id, Work(vpc_id))
            work.messages.append(message)
            work.concerns.append(one)
            work.secrets += secrets
        return one


def _all(parts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for part in parts for text in part if text))
