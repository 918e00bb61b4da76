"""What the deployed functions would publish of the records, on the records' own clock.

One code path decides it: the records go, in batches as the detection queue would bring them,
through detect_bypass's own pipeline, storms, windows and publisher, with a table and a topic in
memory. The digest runs at every whole hour. What AWS would have been asked is not known: where
callers are, what they read before, an endpoint's policy.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from detect_bypass.findings import collapse, unreadable
from detect_bypass.judge import Inventory
from detect_bypass.pipeline import Rules
from detect_bypass.publish import Alerts
from detect_bypass.records import once
from detect_bypass.sessions import Sessions
from digest.deferred import Digest
from digest.windows import Windows
from guard.cloudtrail.heartbeat_mark import Mark
from guard.cloudtrail.record import Record, UnreadableRecord, parse
from guard.findings.finding import Finding
from guard.publishing.publish import Published, Publisher
from guard.settings import Publishing, Settings
from guard.table.budgets import Budgets
from guard.table.deferred import DIGEST, Deferred
from guardctl.replay.judging import is_heartbeat
from guardctl.replay.memory import MemoryItems, MemoryTopic
from guardctl.replay.spool import Batch, Place, Spool

WINDOW = 3_600  # `AlertWindow`
DIGEST_EVERY = timedelta(hours=1)  # `DigestSchedule`


@dataclass(slots=True)
class ReplayedFinding:
    """One finding of the whole log: what its occurrences come to, and how it would be published.

    `finding` has the highest severity, and the number of occurrences in `count`; `alerts` counts
    the messages at once, `deferred` how often it was put into a digest.
    """

    finding: Finding
    alerts: int = 0
    deferred: int = 0

    def to_json(self) -> dict[str, Any]:
        """The finding with its occurrences, and how often it would be published."""
        body = self.finding.to_json()
        evidence = body["evidence"]
        named = evidence.get("principals") or [evidence.get("principal")]
        kept = ("fingerprint", "kind", "severity", "resource", "title", "cause")
        return {
            **{name: body[name] for name in kept},
            "principals": [name for name in named if name],
            "occurrences": self.finding.count,
            "alerts": self.alerts,
            "deferred": self.deferred,
            "first_seen": body["first_seen"],
            "last_seen": body["last_seen"],
            **{name: evidence.get(name, []) for name in ("actions", "secrets", "addresses")},
        }


@dataclass(slots=True)
class Result:
    """What came of a log: its findings by fingerprint, and the messages in their order."""

    findings: dict[str, ReplayedFinding] = field(default_factory=dict[str, ReplayedFinding])
    alerts: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    digests: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])

    @property
    def deferred(self) -> int:
        return sum(one.deferred for one in self.findings.values())

    @property
    def occurrences(self) -> int:
        return sum(one.finding.count for one in self.findings.values())

    def worst_first(self) -> list[ReplayedFinding]:
        """The findings, gravest and most frequent first."""
        return sorted(
            self.findings.values(), key=lambda one: (-one.finding.severity.rank, -one.finding.count)
        )


def published(
    spool: Spool, rules: Rules, inventory: Inventory, heartbeats: Sequence[Mark] = ()
) -> Result:
    """Publish everything that was spooled, from the first record to the last digest.

    Each account and Region has a stack, as the deployed ones are: windows, storms and digests of
    its own.
    """
    result = Result()
    stacks: dict[Place, _Stack] = {}
    for batch in spool.batches():
        if batch.place not in stacks:
            stacks[batch.place] = _Stack(rules, inventory, heartbeats, result, batch)
        stacks[batch.place].receive(batch)
    for stack in stacks.values():
        stack.end()
    return result


class _Stack:
    """A deployment in memory: its table, its topic, and the two functions that publish."""

    def __init__(
        self,
        rules: Rules,
        inventory: Inventory,
        heartbeats: Sequence[Mark],
        result: Result,
        first: Batch,
    ) -> None:
        self.rules, self.inventory, self.result = rules, inventory, result
        self.heartbeats = heartbeats
        self.settings = _settings(*first.place)
        self.items = MemoryItems.empty()
        self.topic = MemoryTopic.empty(self.settings.publishing)
        noting = _Noting(self.settings, self.items, self.topic, result)
        self.alerts = Alerts(cast(Publisher, noting), Budgets(self.items))
        self.sessions = Sessions(self.items)
        self.deferred = Deferred(self.items, DIGEST)
        self.digest = Digest(self.settings, self.topic, self.deferred, Windows(self.items))
        self.next_digest = _next_hour(first.now)
        self.quiet_after = first.now

    def receive(self, batch: Batch) -> None:
        """What `detect_bypass.detector` does with a batch, as far as it needs no AWS."""
        self._run_digests(batch.now)
        self.quiet_after = batch.now + timedelta(seconds=self.rules.window) + 2 * DIGEST_EVERY
        findings = list(self._findings(batch.details, batch.now))
        with redirect_stdout(io.StringIO()):  # metrics and log lines are Lambda's
            self.alerts.publish(findings, batch.now)

    def _findings(self, details: Sequence[dict[str, Any]], now: datetime) -> Iterator[Finding]:
        records: list[Record] = []
        for detail in details:
            try:
                records.append(parse(detail))
            except UnreadableRecord as error:
                yield unreadable(
                    detail,
                    str(error),
                    account=self.settings.account_id,
                    region=self.settings.region,
                    seen=now,
                    window=self.rules.window,
                )
        calls = once([one for one in records if not is_heartbeat(one, self.heartbeats)])
        addresses = self.sessions.addresses([call.record for call in calls], now)
        for one in self.rules.judged(calls, replace(self.inventory, signed_in_from=addresses)):
            yield from self.rules.findings(one)
            expired = self.rules.of_exceptions(one)
            yield from (each for each in expired if self.alerts.is_new(each, now))

    def _run_digests(self, until: datetime) -> None:
        """Run the digest at each whole hour, but for those in which it has nothing left to say."""
        while self.next_digest <= until:
            if self.next_digest > self.quiet_after:
                self.items.expire(until)
                self.next_digest = _next_hour(until)
            else:
                self._run_digest()

    def _run_digest(self) -> None:
        before = len(self.topic.messages)
        with redirect_stdout(io.StringIO()):
            self.digest.publish(self.next_digest)
        self.result.digests += self.topic.messages[before:]
        if self.next_digest.hour == 0:
            self.items.expire(self.next_digest)
        self.next_digest += DIGEST_EVERY

    def end(self) -> None:
        """Let the last windows end: the digest runs until it has nothing left to say."""
        self._run_digests(self.quiet_after)


class _Noting:
    """The publisher, noting what becomes of each finding."""

    def __init__(
        self, settings: Settings, items: MemoryItems, topic: MemoryTopic, result: Result
    ) -> None:
        self.items, self.topic, self.result = items, topic, result
        publisher = Publisher.of(settings, topic.sns, items)
        real = publisher.deferred
        self.publisher = replace(
            publisher,
            topic=topic,
            deferred=lambda name: cast(Deferred, _NotedDeferred(real(name), result)),
        )

    def publish(self, findings: Sequence[Finding], now: datetime) -> Published:
        known = self.result.findings
        for one in findings:
            if seen := known.get(one.fingerprint):
                seen.finding = collapse([seen.finding, one])[0]
            else:
                known[one.fingerprint] = ReplayedFinding(one)
        before = len(self.topic.messages)
        done = self.publisher.publish(findings, now)
        for message in self.topic.messages[before:]:
            self.result.alerts.append(message)
            known[message["fingerprint"]].alerts += 1
        return done


@dataclass(frozen=True, slots=True)
class _NotedDeferred:
    deferred: Deferred
    result: Result

    def add(self, id_: str, body: str, now: datetime) -> bool:
        done = self.deferred.add(id_, body, now)
        if done and self.deferred.name == DIGEST:
            self.result.findings[json.loads(body)["fingerprint"]].deferred += 1
        return done


def _settings(account: str, region: str) -> Settings:
    return Settings(
        account_id=account,
        region=region,
        partition="aws",
        stack_id="",
        topic_arn="",
        table_name="",
        mode_parameter="",
        opt_out_tag="",
        publishing=Publishing(collect=True, partition="aws"),
    )


def _next_hour(when: datetime) -> datetime:
    return when.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + DIGEST_EVERY
