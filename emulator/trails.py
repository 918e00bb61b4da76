"""The account's trails, which decide what EventBridge hears of CloudTrail.

"To record events with one of the CloudTrail detail-type values, you must enable a CloudTrail trail
with logging" (EventBridge user guide, "AWS service events delivered via CloudTrail"): a call that
no trail logs in its Region is in the event history all the same, and on no bus. The account begins
with one trail of all Regions that logs every management event, as trails do by default.

moto keeps trails and their selectors, and heeds neither.
"""

from collections.abc import Mapping
from typing import Any

from moto.cloudtrail.models import Trail, cloudtrail_backends
from moto.s3.models import s3_backends

from emulator.partition import partition_of
from emulator.strict.trails import selectors_of

TRAIL = "management-events"
BUCKET = "trail-logs"


def begin(account: str, region: str) -> None:
    """The one trail that the account begins with, or is left with after a reset."""
    buckets = s3_backends[account][partition_of(region)]
    if BUCKET not in buckets.buckets:
        buckets.create_bucket(BUCKET, region)
    for backend in cloudtrail_backends[account].values():
        backend.trails.clear()
    backend = cloudtrail_backends[account][region]
    none = dict.fromkeys(("cw_log_group_arn", "cw_role_arn", "kms_key_id", "s3_key_prefix"))
    backend.create_trail(
        TRAIL,
        BUCKET,
        sns_topic_name=None,  # type: ignore[arg-type]
        is_global=True,
        is_multi_region=True,
        log_validation=True,
        is_org_trail=False,
        tags_list=[],
        **none,  # type: ignore[arg-type]
    ).start_logging()


def logged(account: str, region: str, record: Mapping[str, Any]) -> bool:
    """Whether a trail logs this management event, so that EventBridge is sent it."""
    here = cloudtrail_backends[account][region].describe_trails(include_shadow_trails=True)
    return any(trail.status.is_logging and _selects(trail, record) for trail in here)


def _selects(trail: Trail, record: Mapping[str, Any]) -> bool:
    selectors, advanced = selectors_of(trail)
    return any(_by_type(one, record) for one in selectors) or any(
        all(_by_field(field, record) for field in one["FieldSelectors"]) for one in advanced
    )


def _by_type(selector: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    kinds = {"All": (True, False), "ReadOnly": (True,), "WriteOnly": (False,)}
    return (
        selector.get("IncludeManagementEvents", True)
        and record["readOnly"] in kinds[selector.get("ReadWriteType", "All")]
        and record["eventSource"] not in selector.get("ExcludeManagementEventSources", [])
    )


def _by_field(field: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Of the operators, those that CloudTrail takes for fields of management events."""
    value = {**record, "readOnly": str(record["readOnly"]).lower()}.get(field["Field"])
    unlike = field.get("NotEquals")
    return value in field["Equals"] if "Equals" in field else value not in (unlike or ())
