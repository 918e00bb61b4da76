"""Many broken VPCs at once, at EC2's own pace: bucket of 4, refilled by 0.3 a second."""

import json
import os
from datetime import timedelta

import pytest

from emulator import delivery, strict
from tests.reactions.account import ALLOW_ALL, SERVICE, Account, kinds

ENSURE = "EnsureEndpointFunction"
RESTORE = "RestorePolicyFunction"
# As many as can be played in a few seconds; PACED_VPCS=500 plays an account in ruins.
VPCS = int(os.environ.get("PACED_VPCS", "40"))
RATE = 0.3


@pytest.fixture
def account(cloud, monkeypatch):
    """EC2 throttles. Slack and the judge of requests are left out: they take time here."""
    monkeypatch.setattr(delivery, "MAX_INVOCATIONS", 5_000 + 50 * VPCS)
    monkeypatch.setattr(delivery, "MAX_ROUNDS", 50_000 + 500 * VPCS)
    mappings = cloud.deployment.mappings
    mappings[:] = [one for one in mappings if one.function in (ENSURE, RESTORE)]
    strict.options.throttle = True
    return Account(cloud)


def creations(cloud, *, refused: bool):
    return [
        call
        for call in cloud.calls
        if call.function == ENSURE
        and call.action == "CreateVpcEndpoint"
        and bool(call.error) is refused
    ]


def test_hundreds_of_broken_vpcs_are_repaired_at_ec2_s_rate(cloud, account):
    ec2 = account.ec2
    for _ in range(VPCS):
        vpc_id = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.20.0.0/24", AvailabilityZone="us-east-1a")
    cloud.lose_events()
    cloud.fire_schedule()

    cloud.settle()

    made = creations(cloud, refused=False)
    assert len(made) == VPCS
    assert len({call.params["VpcId"] for call in made}) == VPCS
    assert cloud.dead_letters("VpcQueue") == []
    assert kinds(cloud).count("endpoint-created") == VPCS
    assert "change-budget-spent" not in kinds(cloud)
    took = (made[-1].when - made[0].when).total_seconds()
    assert VPCS / RATE * 0.8 <= took <= VPCS / RATE * 1.5
    assert len(creations(cloud, refused=True)) <= VPCS


def test_many_changed_policies_are_restored_at_ec2_s_rate(cloud, account):
    strict.options.throttle = False
    endpoint_ids = [endpoint_of(account) for _ in range(8)]
    cloud.lose_events()
    strict.options.throttle = True
    cloud.fire_schedule()

    cloud.settle()
    cloud.pass_time(timedelta(hours=1))  # the first enforcement is a rollout: one endpoint first

    assert not any(account.policy(one) == ALLOW_ALL for one in endpoint_ids)
    assert cloud.dead_letters("PolicyQueue") == []
    writes = [one for one in cloud.calls if one.function == RESTORE and one.action[:6] == "Modify"]
    assert sum(not one.error for one in writes) == len(endpoint_ids)
    assert any(one.error == "RequestLimitExceeded" for one in writes)


def endpoint_of(account: Account) -> str:
    """An endpoint of somebody that works, and lets everybody do anything."""
    vpc_id = account.vpc()
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        account.ec2.modify_vpc_attribute(VpcId=vpc_id, **{name: {"Value": True}})
    made = account.ec2.create_vpc_endpoint(
        VpcId=vpc_id,
        ServiceName=SERVICE,
        VpcEndpointType="Interface",
        SubnetIds=[account.subnet(vpc_id, "10.20.0.0/24", "us-east-1a")],
        PrivateDnsEnabled=True,
        PolicyDocument=json.dumps(ALLOW_ALL),
    )
    return made["VpcEndpoint"]["VpcEndpointId"]
