"""Many endpoints tampered at once: all restored at EC2's own pace, on a simulated clock, none lost.

EC2 gives writes to endpoints a bucket of 4 that refills by 0.3 a second. As many endpoints as are
played in a few seconds; PACED_ENDPOINTS=500 plays a whole account.
"""

import os
from collections import Counter
from datetime import timedelta

import pytest

from emulator import delivery, strict
from tests.reactions.account import Account, kinds, make_endpoint
from tests.reactions.policies import tamper

RESTORE = "RestorePolicyFunction"
ENDPOINTS = int(os.environ.get("PACED_ENDPOINTS", "40"))
BUCKET, RATE = 4, 0.3
PER_VPC = 50  # AWS's quota


@pytest.fixture
def account(cloud, monkeypatch):
    """Only restore_policy runs: the other functions would take their time here."""
    monkeypatch.setattr(delivery, "MAX_INVOCATIONS", 5_000 + 50 * ENDPOINTS)
    monkeypatch.setattr(delivery, "MAX_ROUNDS", 50_000 + 500 * ENDPOINTS)
    mappings = cloud.deployment.mappings
    mappings[:] = [one for one in mappings if one.function == RESTORE]
    return Account(cloud)


def endpoints(account, count):
    """So many endpoints that somebody made, without private DNS and with AWS's own policy."""
    made = []
    for start in range(0, count, PER_VPC):
        vpc_id = account.vpc()
        subnet = account.subnet(vpc_id, "10.20.0.0/24", "us-east-1a")
        made += [
            make_endpoint(account, vpc_id, [subnet])
            for _ in range(start, min(start + PER_VPC, count))
        ]
    return made


def test_all_are_restored_within_a_tenth_more_than_ec2_s_throttle_needs(cloud, account):
    ids = endpoints(account, ENDPOINTS)
    cloud.lose_events()
    for endpoint_id in ids:
        tamper(cloud, endpoint_id)
    began = cloud.clock.now()
    strict.options.throttle = True

    cloud.settle(timedelta(seconds=1))

    calls = [
        one for one in cloud.calls if one.function == RESTORE and one.action == "ModifyVpcEndpoint"
    ]
    written = Counter(one.params["VpcEndpointId"] for one in calls if not one.error)
    assert written == dict.fromkeys(ids, 1)
    assert kinds(cloud).count("policy-restored") == ENDPOINTS
    assert set(kinds(cloud)) == {"policy-restored"}
    assert cloud.dead_letters("PolicyQueue") == []
    assert cloud.queue_depth("PolicyQueue") == 0
    refused = [one for one in calls if one.error]
    assert {one.error for one in refused} == {"RequestLimitExceeded"}
    tags_read = sum(one.function == RESTORE and one.action == "DescribeVpcs" for one in cloud.calls)
    needed = (ENDPOINTS - BUCKET) / RATE
    took = max(one.when for one in calls if not one.error) - began
    print(  # noqa: T201 - the figures in docs/decisions.md
        f"{ENDPOINTS} endpoints: {took.total_seconds():.0f} s, EC2 needs {needed:.0f} s;"
        f" {len(refused)} calls refused, tags of VPCs read {tags_read} times"
    )
    assert took.total_seconds() <= 1.1 * needed
    assert tags_read <= took.total_seconds() / 60 + 5  # the endpoints are new at first
