"""What the function does with a batch, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from detect_bypass.findings import unreadable
from detect_bypass.judge import Verdict
from detect_bypass.records import once, read
from guard import alone
from guard.aws.denials import may_not_look, reading_refused
from guard.aws.errors import at_fault, throttled
from guard.cloudtrail.heartbeat_mark import Mark, part
from guard.publishing.topic import PublishError
from guard.reconcile.batch import Batch, Message
from guard.table.items import StateError

if TYPE_CHECKING:
    from pathlib import Path

    from detect_bypass.added import AddedExceptions
    from detect_bypass.inventory import Known
    from detect_bypass.metrics import Measures
    from detect_bypass.pipeline import Judged, Rules
    from detect_bypass.publish import Alerts
    from detect_bypass.repair import Repairs
    from guard.cloudtrail.record import Record, UnreadableRecord
    from guard.findings.finding import Finding
    from guard.settings import Settings
    from guard.table.arrivals import Arrivals

    Received = tuple[Message, Record]
    Found = tuple[Sequence[Message], Sequence[Finding]]

logger = Logger(child=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """The reaction.

    `policies` is the folder of the approved policies; `arrivals` is None where nothing compares
    them with the trail's log files.
    """

    settings: Settings
    heartbeat: Mark
    known: Known
    rules: Rules
    added: AddedExceptions
    alerts: Alerts
    repairs: Repairs
    measures: Measures
    arrivals: Arrivals | None
    policies: Path

    def run(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Judge the records of a batch and publish what ops should know.

        Returns Lambda's partial batch response: the messages that could not be dealt with go back.
        """
        now = datetime.now(UTC)
        batch = Batch.open(event)
        alone.together(
            batch.messages,
            lambda some: self._deal_with(replace(batch, messages=list(some)), now),
            lambda message, error: batch.fail([message], repr(error)),
            lambda error: throttled(error) or at_fault(error),
        )
        batch.log_failures(logger)
        return batch.response()

    def _deal_with(self, batch: Batch, now: datetime) -> None:
        received, not_read = read(batch)
        heartbeats, records = part(self.heartbeat, self._with_known_endpoints(received, batch, now))
        self.measures.heartbeats(heartbeats, now)
        self.repairs.of_trials([r for _, r in records if self.known.is_own(r)], now)
        rules, judged = self._judged([record for _, record in records], now)
        self.measures.judgements(judged, now)
        self.measures.add("Unreadable", len(not_read))
        of = [[records[number][0] for number in one.numbers] for one in judged]
        done, failed = self.repairs.of_broken_vpcs(judged, now)
        for position, why in failed:
            batch.fail(of[position], why)
        found = [([message], [self._unreadable(message, why, now)]) for message, why in not_read]
        for one, messages in zip(judged, of, strict=True):
            new = self._of_exceptions(rules.of_exceptions(one), messages, now)
            found.append((messages, self._findings(one, done) + new))
        self._publish(found, batch, now)
        self._keep_arrivals(received, batch, now)

    def _with_known_endpoints(
        self, received: Sequence[Received], batch: Batch, now: datetime
    ) -> list[Received]:
        """Learn which endpoints are ours. If AWS does not answer, records that name one go back.

        If AWS refuses that for good, they are judged by the account that they name.
        """
        try:
            self.known.learn_endpoints([record for _, record in received])
        except (ClientError, BotoCoreError) as error:
            if may_not_look(error):
                self._publish([([], reading_refused(self.settings, now, error))], batch, now)
                return list(received)
            batch.fail([m for m, record in received if self.known.waits(record)], repr(error))
            return [one for one in received if not self.known.waits(one[1])]
        return list(received)

    def _judged(self, records: Sequence[Record], now: datetime) -> tuple[Rules, list[Judged]]:
        """The judgements, and the rules that they follow from: exceptions that were added at run
        time are read where there would be an alert.
        """
        calls = once(records)
        inventory = self.known.inventory([call.record for call in calls], now)
        judged = self.rules.judged(calls, inventory)
        if not any(one.judgement.alert for one in judged):
            return self.rules, judged
        rules = self.rules.with_added(self.added.read(now))
        return rules, rules.judged(calls, inventory)

    def _unreadable(self, message: Message, error: UnreadableRecord, now: datetime) -> Finding:
        why = str(error)
        logger.warning("a record cannot be read", extra={"why": why, "message_id": message.id})
        return unreadable(
            message.detail,
            why,
            account=self.settings.account_id,
            region=self.settings.region,
            seen=now,
            window=self.rules.window,
        )

    def _findings(self, one: Judged, done: Mapping[str, str]) -> list[Finding]:
        """What ops should know of one call, with what was done for its VPC."""
        asked = done.get(one.judgement.vpc_id) if one.judgement.alert else None
        refused = one.judgement.verdict is Verdict.ENDPOINT_DENIED
        policy = self.known.policy_of(one.record.vpc_endpoint_id) if refused else ""
        return self.rules.findings(
            one,
            done=(asked,) if asked else (),
            policy=policy,
            policy_name=self._name_of(policy) if policy else "",
        )

    def _name_of(self, policy: str) -> str:
        from detect_bypass.carried import name_of_policy  # few records need it

        return name_of_policy(policy, self.policies, self.settings, self.rules.organization)

    def _of_exceptions(
        self, findings: Sequence[Finding], messages: Sequence[Message], now: datetime
    ) -> list[Finding]:
        """Those about exceptions that were not published yet."""
        redelivered = any(message.redelivered for message in messages)
        new: list[Finding] = []
        for finding in findings:
            try:
                if self.alerts.is_new(finding, now, redelivered=redelivered):
                    new.append(finding)
            except (ClientError, BotoCoreError, StateError) as error:
                logger.warning("the next request publishes it", extra={"error": repr(error)})
        return new

    def _publish(self, found: Sequence[Found], batch: Batch, now: datetime) -> None:
        """Publish the findings of a batch; what cannot be published goes back to the queue."""
        findings = [finding for _, some in found for finding in some]
        try:
            done = self.alerts.publish(findings, now)
        except PublishError:
            raise  # of some findings alone
        except (ClientError, BotoCoreError, StateError) as error:
            batch.fail([m for messages, some in found if some for m in messages], repr(error))
            return
        self.measures.add("FindingsPublished", done.published)
        self.measures.add("FindingsSuppressed", done.suppressed)

    def _keep_arrivals(self, received: Sequence[Received], batch: Batch, now: datetime) -> None:
        """Remember what came and was dealt with, for find_missed; nothing where that is off."""
        if self.arrivals is None:
            return
        try:
            self.arrivals.keep((r for m, r in received if m.id not in batch.failures), now)
        except (ClientError, BotoCoreError) as error:
            # It will be taken for missed, and judged once more: that is the safe side.
            logger.warning("arrivals are not kept", extra={"error": repr(error)})
