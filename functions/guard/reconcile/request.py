"""The guard's own message: look at this VPC, or at this endpoint, whatever has or hasn't happened.

It has the form of an EventBridge envelope, so one reader serves rules, sweeps and follow-ups.
"""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from guard.reconcile.batch import HOPS
from guard.settings import Settings

SOURCE = "vpce-guard"
DETAIL_TYPE = "VPCE Guard Reconcile"


def request(settings: Settings, now: datetime, detail: Mapping[str, Any]) -> dict[str, Any]:
    """The envelope. `detail` names a `vpcId` or `vpcEndpointId`, a `reason`, and for a follow-up
    the `attempt` it is.
    """
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "source": SOURCE,
        "detail-type": DETAIL_TYPE,
        "account": settings.account_id,
        "region": settings.region,
        "time": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "resources": [],
        "detail": dict(detail),
    }


def envelope(settings: Settings, now: datetime, detail: Mapping[str, Any], hops: int = 0) -> str:
    """The envelope as a message's body; `hops` for one that follows from a message of ours."""
    return json.dumps({**request(settings, now, detail), **({HOPS: hops} if hops else {})})


def is_reconcile(message: Mapping[str, Any]) -> bool:
    """Whether an envelope is one of ours."""
    return message.get("source") == SOURCE and message.get("detail-type") == DETAIL_TYPE


def asked_at(message: Mapping[str, Any]) -> float:
    """When one of ours was written, in epoch seconds; 0 where it does not say."""
    try:
        return datetime.fromisoformat(str(message.get("time"))).timestamp()
    except (ValueError, OverflowError):
        return 0
