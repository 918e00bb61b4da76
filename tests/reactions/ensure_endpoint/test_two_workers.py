"""Two workers at one VPC: whatever one does between two calls of the other, one endpoint."""

import json
from typing import Any

from emulator import Cloud
from ensure_endpoint.act import Actor
from guard.endpoint.decide import decide
from guard.endpoint.observe import Observer
from guard.endpoint.plan import Desired
from guard.settings import OPT_OUT_TAG
from tests.reactions.account import ALLOW_ALL, SERVICE, Account
from tests.reactions.stories import ENSURE, served


def desired_by(cloud: Cloud) -> Desired:
    settings = cloud.deployment.functions[ENSURE].environment
    return Desired(
        account_id=cloud.account,
        stack_id=settings["STACK_ID"],
        service_name=SERVICE,
        opt_out_tag=OPT_OUT_TAG,
        policy=json.dumps(ALLOW_ALL),
    )


def work(cloud: Cloud, client: Any, vpc_id: str) -> None:
    """What a worker does about one VPC: observe, decide, act."""
    desired = desired_by(cloud)
    vpc = Observer(client, SERVICE).vpcs([vpc_id])[vpc_id]
    Actor(client, desired.stack_id, cloud.clock.now).apply(decide(vpc, desired), "a test", {})


def test_two_workers_make_one_endpoint_however_they_interleave(cloud, subtests):
    calls = interleaved(cloud, at=-1)
    assert calls > 10
    for at in range(calls):
        with subtests.test(f"the other worker runs before call {at}"):
            interleaved(cloud, at)
            (vpc,) = cloud.session("alice").client("ec2").describe_vpcs()["Vpcs"]
            account = Account(cloud)
            cloud.lose_events()
            cloud.clock.skip(200)
            assert served(account, vpc["VpcId"])
            assert len(groups_of_ours(account, vpc["VpcId"])) == 1


def groups_of_ours(account: Account, vpc_id: str) -> list[Any]:
    filters = [
        {"Name": "vpc-id", "Values": [vpc_id]},
        {"Name": "tag:vpce-guard:managed", "Values": ["true"]},
    ]
    return account.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]


def interleaved(cloud: Cloud, at: int) -> int:
    """Let one worker run, and another one from first to last before its call number `at`.

    Returns how many calls the first one made.
    """
    cloud.reset()
    vpc_id, _ = Account(cloud).vpc_with_subnets()
    first = cloud.session("first").client("ec2")
    second = cloud.session("second").client("ec2")
    made = 0

    def before(**_: Any) -> None:
        nonlocal made
        made += 1
        if made - 1 == at:
            work(cloud, second, vpc_id)

    first.meta.events.register("before-call.ec2", before)
    work(cloud, first, vpc_id)
    return made
