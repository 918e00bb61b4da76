"""What a judgement needs to know of the account, asked of AWS and of the table."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from detect_bypass.judge import CallerLocation, Case, Inventory, Reach, Verdict, judge, reach
from detect_bypass.judge.spelling import which_secret
from detect_bypass.own_endpoints import OwnEndpoints
from detect_bypass.sessions import Sessions
from guard.cloudtrail.evidence import principal
from guard.cloudtrail.record import Record
from guard.cloudtrail.resource_ids import secret_ids
from guard.settings import Settings
from guard.table.absences import Absences
from guard.table.figures import Figures

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_lambda import LambdaClient

    from detect_bypass.caller import CallerLocator
    from guard.table.items import Items

READERS_AT_ONCE = 25  # callers of whom the table is asked what they read before, in one batch

logger = Logger(child=True)


@dataclass(slots=True, kw_only=True)
class Known:
    """Answers what is asked of the account. `deployed` is what the deployment says of it.

    Needs ec2:DescribeVpcEndpoints, dynamodb:GetItem, dynamodb:UpdateItem, and what `CallerLocator`
    needs.
    """

    settings: Settings
    deployed: Inventory
    maximum_zones: int
    ec2: EC2Client
    functions: LambdaClient
    figures: Figures
    table: Items
    endpoints: OwnEndpoints
    sessions: Sessions
    _locator: CallerLocator | None = None

    def learn_endpoints(self, records: Sequence[Record]) -> None:
        """Learn which of the endpoints that records name are ours.

        Raises ClientError or BotoCoreError: the records that `waits` names must then come back.
        """
        refusing = {record.vpc_endpoint_id for record in records if record.refused_by_endpoint}
        self.endpoints.learn(
            self._unapproved(records), time.monotonic(), policies_of=refusing - {""}
        )

    def waits(self, record: Record) -> bool:
        """Whether a record cannot be judged while AWS does not answer `learn_endpoints`."""
        return bool(self._unapproved([record]))

    def inventory(self, records: Sequence[Record], now: datetime) -> Inventory:
        """What is known for a batch. Where callers are is asked of those alone that bypassed."""
        known = replace(self.deployed, own_endpoints=frozenset(self.endpoints.known))
        known = replace(known, signed_in_from=self.sessions.addresses(records, now))
        suspects = [one for one in records if judge(one, known).verdict is Verdict.BYPASS]
        if not suspects:
            return known
        locator = self._callers()
        locations, strangers = locator.locations(suspects), locator.strangers(suspects)
        known = replace(known, locations=locations, blind=locator.blind, strangers=strangers)
        known = replace(known, absences=self._absences(locations.values(), now))
        return replace(known, read_before=self._readers(suspects, known, now))

    def _absences(self, locations: Iterable[CallerLocation], now: datetime) -> dict[str, range]:
        try:
            return Absences(self.table).of({one.vpc_id for one in locations} - {""}, now)
        except (ClientError, BotoCoreError) as error:
            logger.warning("taken for none", extra={"error": repr(error)})
            return {}

    def is_own(self, record: Record) -> bool:
        """Whether a record names an endpoint of the account, and not only something like one."""
        return record.vpc_endpoint_id in self.endpoints.known

    def policy_of(self, endpoint_id: str) -> str:
        """The policy of an endpoint of ours when it was last read; empty if it is not known."""
        return self.endpoints.policies.get(endpoint_id, "")

    def _callers(self) -> CallerLocator:
        """Who finds callers. What it needs takes long to load, so not before it is asked."""
        if self._locator is None:
            from detect_bypass.caller import CallerLocator
            from guard.endpoint.decide import Desired
            from guard.endpoint.observe import Observer

            service = self.settings.service_name
            desired = Desired(
                account_id=self.settings.account_id,
                stack_id=self.settings.stack_id,
                service_name=service,
                opt_out_tag=self.settings.opt_out_tag,
                policy="",  # it has no part in whether a caller reaches the endpoint
                maximum_zones=self.maximum_zones,
                approved_endpoints=self.deployed.approved_endpoints,
                approved_accounts=self.deployed.approved_accounts,
            )
            self._locator = CallerLocator(
                self.ec2,
                self.functions,
                Observer(self.ec2, service, opt_out_tag=self.settings.opt_out_tag),
                desired,
                self.settings.function_arn_prefix,
            )
        return self._locator

    def _unapproved(self, records: Collection[Record]) -> frozenset[str]:
        named = frozenset(record.vpc_endpoint_id for record in records)
        return named - self.deployed.approved_endpoints - {""}

    def _readers(
        self, suspects: Sequence[Record], known: Inventory, now: datetime
    ) -> frozenset[str]:
        """The events in which a caller in a VPC of ours reads what it has read before."""
        asked: dict[str, bool] = {}
        for record in sorted(suspects, key=lambda one: one.event_time):
            key = reader(record)
            if key in asked or len(asked) >= READERS_AT_ONCE:
                continue
            named = reach(record) is Reach.VALUE and bool(secret_ids(record))
            if named and not record.failed and Case(record, known).vpc:
                try:
                    asked[key] = self.figures.read_before(key, record.event_time, now)
                except (ClientError, BotoCoreError) as error:
                    logger.warning("taken for a first read", extra={"error": repr(error)})
        return frozenset(one.event_id for one in suspects if asked.get(reader(one)))


def reader(record: Record) -> str:
    """Who reads what: 24 hexadecimal digits, equal for the same caller and the same secrets."""
    parts = [principal(record), *sorted(which_secret(one, record) for one in secret_ids(record))]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]
