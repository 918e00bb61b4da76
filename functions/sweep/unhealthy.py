"""Which of all VPCs are unhealthy, from calls that list them and next to none for each."""

import hashlib
from collections.abc import Collection
from datetime import datetime

from guard.endpoint.decide import decide
from guard.endpoint.observe import Observer
from guard.endpoint.plan import Desired, Verdict
from guard.endpoint.scope import Scope

# AWS shows the DNS attributes of one VPC at a time: of so many they are asked in each sweep, and of
# others in the next. Elsewhere private DNS vouches, as AWS switches it on only where both are.
DNS_SAMPLE = 100

# A VPC that is served, is none of the guard's business, or has no subnet yet.
HEALTHY = frozenset({Verdict.WORKS, Verdict.COVERED, Verdict.EXEMPT, Verdict.WAITING})


def unhealthy_vpcs(
    observer: Observer, ids: Collection[str], wanted: Desired, guarded: Scope, now: datetime
) -> list[str]:
    """Those that ensure_endpoint would have something to do or to say about. Raises ClientError."""
    vpcs = observer.vpcs(ids, dns_assumed=set(ids) - sample(ids, now))
    return [
        id_
        for id_, vpc in vpcs.items()
        if not guarded.why_excluded(vpc, has_rotation=lambda: True)
        and decide(vpc, wanted).verdict not in HEALTHY
    ]


def sample(ids: Collection[str], now: datetime) -> set[str]:
    """The VPCs whose DNS attributes are asked for this time: all, where there are not many."""

    def drawn(id_: str) -> bytes:
        return hashlib.sha256(f"{now:%Y-%m-%dT%H} {id_}".encode()).digest()

    return set(sorted(ids, key=drawn)[:DNS_SAMPLE])
