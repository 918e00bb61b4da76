"""Ask the other reactions to reconcile what callers show to be broken.

A VPC whose endpoint does not work goes on the VPC queue, an endpoint whose new policy refused a
request on the policy queue: restore_policy then undoes the trial of that policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from detect_bypass.judge import Verdict
from detect_bypass.pipeline import Judged
from guard.cloudtrail.record import Record
from guard.cloudtrail.resource_ids import secret_ids
from guard.reconcile.messages import envelope
from guard.settings import Settings
from guard.table.budgets import Budgets
from guard.table.items import Items, StateError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# An exception keeps a request from being published, and not its VPC from being repaired.
REPAIRED = frozenset({Verdict.BYPASS, Verdict.EXEMPT})
REPAIR_SECONDS = 900  # how often a VPC is put on the queue for what callers in it do

# An event is in the history "within an average of about 5 minutes" (CloudTrail user guide).
HISTORY_SECONDS = 900

logger = Logger(child=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repairs:
    """Sends to the VPC and the policy queue. Needs sqs:SendMessage and dynamodb:UpdateItem.

    Only requests of `own_accounts` speak against a new policy.
    """

    settings: Settings
    sqs: SQSClient
    items: Items
    budgets: Budgets
    own_accounts: frozenset[str]
    vpc_queue_url: str
    policy_queue_url: str

    def of_broken_vpcs(
        self, judged: Sequence[Judged], now: datetime
    ) -> tuple[dict[str, str], list[tuple[int, str]]]:
        """Put each VPC that callers bypass because its endpoint is broken on the VPC queue.

        That happens once in `REPAIR_SECONDS`, whether or not an alert is published again. Returns
        what was done, by VPC, and the positions in `judged` for which it failed, with the reason.
        """
        by_vpc: dict[str, list[int]] = {}
        for position, one in enumerate(judged):
            if one.judgement.broken and one.judgement.verdict in REPAIRED:
                by_vpc.setdefault(one.judgement.vpc_id, []).append(position)
        done: dict[str, str] = {}
        failed: list[tuple[int, str]] = []
        for vpc_id, some in by_vpc.items():
            try:
                asked = self._ask_once(vpc_id, judged[some[0]].record, now)
            except (ClientError, BotoCoreError, StateError) as error:
                failed += [(position, repr(error)) for position in some]
            else:
                done[vpc_id] = (
                    f"asked for the endpoint of {vpc_id} to be repaired"
                    if asked
                    else f"the endpoint of {vpc_id} is being repaired already"
                )
        return done, failed

    def of_trials(self, records: Sequence[Record], now: datetime) -> None:
        """Have the trial of a new policy reconciled for requests that an endpoint refused.

        Raises ClientError or BotoCoreError, upon which the whole batch comes back and does so
        again.
        """
        if refused := [one for one in records if one.refused_by_endpoint]:
            from guard.approved.rollouts import note_denials
            from guard.reconcile.request import Key, asking
            from guard.reconcile.requeue import Requeue

            here = self.settings.account_id, self.settings.region, "endpoint"
            asked = [
                asking(Key(*here, id_), "it refused a request", trial=("true",))
                for id_ in note_denials(refused, self.items, self.own_accounts)
            ]
            Requeue(self.sqs, self.policy_queue_url).fan_out(asked, now)

    def _ask_once(self, vpc_id: str, record: Record, now: datetime) -> bool:
        """Send one VPC to the queue, unless that was done a moment ago."""
        key = f"repair#{vpc_id}"
        if not self.budgets.take(key, 1, REPAIR_SECONDS, now):
            return False
        detail = {
            "vpcId": vpc_id,
            "reason": f"{record.event_name} bypassed the endpoint",
            "eventIds": [record.event_id] if record.event_id else [],
        }
        if _is_of_another_account(record):
            # Before an endpoint cuts such a caller off, the event history must have the read.
            detail["notBefore"] = int(now.timestamp()) + HISTORY_SECONDS
        body = envelope(self.settings, now, detail)
        try:
            self.sqs.send_message(QueueUrl=self.vpc_queue_url, MessageBody=body)
        except (ClientError, BotoCoreError):
            self.budgets.return_(key, now)
            raise
        return True


def _is_of_another_account(record: Record) -> bool:
    """Whether it names a secret that is not of the account in which it was recorded."""
    arns = (one.split(":") for one in secret_ids(record) if one.count(":") >= 6)
    return any(arn[4] != record.account for arn in arns)
