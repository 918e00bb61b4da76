"""Which of all VPCs are unhealthy, from calls that list them and next to none for each."""

import hashlib
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from guard import alone
from guard.endpoint.decide import decide
from guard.endpoint.observe import Observer
from guard.endpoint.plan import Desired, Verdict
from guard.endpoint.scope import Scope
from guard.endpoint.state import Vpc

logger = Logger(child=True)

# AWS shows the DNS attributes of one VPC at a time: of so many they are asked in each sweep, and of
# others in the next. Elsewhere private DNS vouches, as AWS switches it on only where both are.
DNS_SAMPLE = 100

# A VPC that is served, is none of the guard's business, or has no subnet yet.
HEALTHY = frozenset({Verdict.WORKS, Verdict.COVERED, Verdict.EXEMPT, Verdict.WAITING})


def unhealthy_vpcs(
    observer: Observer, ids: Collection[str], desired: Desired, guarded: Scope, now: datetime
) -> tuple[list[str], dict[str, str]]:
    """Those that ensure_endpoint would have something to do or to say about; and those that are
    opted out, with what it would have: empty for one that is well. Raises ClientError.
    """
    vpcs: dict[str, Vpc] = {}
    unhealthy: list[str] = []
    opted_out: dict[str, str] = {}

    def fails(id_: str, error: Exception) -> None:
        """It is left to ensure_endpoint, whose message fails alone and ends where people see it."""
        if concerns_all(error):
            raise error
        logger.error("a VPC cannot be judged", exc_info=error, extra={"vpc_id": id_})
        unhealthy.append(id_)

    def judge(id_: str) -> None:
        vpc = vpcs[id_]
        if guarded.why_excluded(vpc, has_rotation=lambda: True):
            return
        if decide(vpc, desired).verdict not in HEALTHY:
            unhealthy.append(id_)
        elif (left := left_alone(vpc, desired)) is not None:
            opted_out[id_] = left

    assumed = set(ids) - sample(ids, now)
    alone.together(
        sorted(ids),
        lambda some: vpcs.update(observer.vpcs(some, dns_assumed=assumed & set(some))),
        fails,
        concerns_all,
    )
    alone.each(vpcs, judge, fails)
    return unhealthy, opted_out


def concerns_all(error: Exception) -> bool:
    """Whether AWS would answer so for any VPC."""
    return isinstance(error, ClientError | BotoCoreError)


def left_alone(vpc: Vpc, desired: Desired) -> str | None:
    """What is not well in a VPC that is opted out, in words; None for one that is not."""
    if desired.opt_out_tag not in vpc.tags:
        return None
    tags = {key: value for key, value in vpc.tags.items() if key != desired.opt_out_tag}
    plan = decide(replace(vpc, tags=tags), desired)
    return "" if plan.verdict in HEALTHY else "; ".join(plan.reasons)


def sample(ids: Collection[str], now: datetime) -> set[str]:
    """The VPCs whose DNS attributes are asked for this time: all, where there are not many."""

    def drawn(id_: str) -> bytes:
        return hashlib.sha256(f"{now:%Y-%m-%dT%H} {id_}".encode()).digest()

    return set(sorted(ids, key=drawn)[:DNS_SAMPLE])
