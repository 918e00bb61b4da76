"""Every call that ensure_endpoint makes, gone wrong in every way: the end state is right all the
same, or the message is kept and ops are told.

The calls are not listed here: they are read off a run of each story without faults.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator import Cloud
from guard.act import Actor
from guard.decide import Wanted, decide
from guard.observe import Observer
from tests.reactions.account import ALLOW_ALL, SERVICE, Account, kinds

ENSURE = "EnsureEndpointFunction"

THROTTLED = {
    "dynamodb": "ProvisionedThroughputExceededException",
    "ec2": "RequestLimitExceeded",
    "lambda": "TooManyRequestsException",
    "route53": "Throttling",
    "secretsmanager": "ThrottlingException",
    "sns": "Throttling",
    "sqs": "RequestThrottled",
    "ssm": "ThrottlingException",
}
DENIED = {"ec2": "UnauthorizedOperation", "sns": "AuthorizationError"}
# Told where the guard can do no more: ops know why the state is not the wanted one.
EXPLAINS = {"endpoint-not-repairable", "mode-unreadable", "stood-down", "endpoint-yielded"}


@dataclass(frozen=True, slots=True)
class Story:
    """`before` is history, `act` what calls for the guard, `holds` whether it ends well."""

    before: Callable[[Account], str]
    act: Callable[[Account, str], None]
    holds: Callable[[Account, str], bool]
    tells: str


@dataclass(frozen=True, slots=True)
class Played:
    """A story played with one call gone wrong; `happened` if the fault did."""

    what: str
    account: Account
    vpc_id: str
    story: Story
    happened: bool

    @property
    def holds(self) -> bool:
        return self.story.holds(self.account, self.vpc_id)

    @property
    def told(self) -> bool:
        return self.story.tells in kinds(self.account.cloud)

    def mode_was_unreadable(self) -> bool:
        """Not knowing whether it may write, the guard did not; so the sweep has to do it."""
        if not self.what.endswith("ssm:GetParameter"):
            return False
        cloud = self.account.cloud
        assert "mode-unreadable" in kinds(cloud)
        cloud.clock.skip(61)
        cloud.fire_schedule()
        cloud.settle()
        return True


def served(account: Account, vpc_id: str) -> bool:
    """One endpoint, in every AZ that has a subnet, by its private name, for the whole VPC."""
    endpoints = account.endpoints(vpc_id)
    if len(endpoints) != 1:
        return False
    (endpoint,) = endpoints
    subnets = account.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
    groups = [group["GroupId"] for group in endpoint["Groups"]]
    return (
        endpoint["State"] == "available"
        and endpoint["PrivateDnsEnabled"]
        and len(endpoint["SubnetIds"]) == len(subnets["Subnets"])
        and account.admitted_to_https(groups) == {"10.20.0.0/16"}
        and account.dns_attributes(vpc_id) == (True, True)
    )


def nothing(account: Account) -> str:
    return ""


def served_vpc(account: Account) -> str:
    vpc_id, _ = account.vpc_with_subnets()
    account.cloud.settle()
    return vpc_id


def rotating_vpc(account: Account) -> str:
    vpc_id, subnets = account.vpc_with_subnets()
    function, secret = account.function("rotate", subnets), account.secret("db")
    account.client("secretsmanager").rotate_secret(SecretId=secret, RotationLambdaARN=function)
    account.cloud.lose_events()
    return vpc_id


def create(account: Account, _: str) -> None:
    account.vpc_with_subnets()


def the_vpc_is_served(account: Account, _: str) -> bool:
    (vpc,) = account.ec2.describe_vpcs()["Vpcs"]
    return served(account, vpc["VpcId"])


def add_zone(account: Account, vpc_id: str) -> None:
    account.subnet(vpc_id, "10.20.9.0/24", "us-east-1d")


def rotate(account: Account, _: str) -> None:
    account.client("secretsmanager").rotate_secret(SecretId="db")


def tear_down(account: Account, vpc_id: str) -> None:
    (subnet, *_) = account.ec2.describe_subnets()["Subnets"]
    with pytest.raises(ClientError, match="DependencyViolation"):
        account.ec2.delete_subnet(SubnetId=subnet["SubnetId"])


def nothing_of_ours_is_left(account: Account, vpc_id: str) -> bool:
    groups = account.ec2.describe_security_groups(
        Filters=[{"Name": "tag:vpce-guard:managed", "Values": ["true"]}]
    )["SecurityGroups"]
    return not account.endpoints(vpc_id) and not groups


def bring_endpoint(account: Account, vpc_id: str) -> None:
    subnets = account.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
    account.ec2.create_vpc_endpoint(
        VpcId=vpc_id,
        ServiceName=SERVICE,
        VpcEndpointType="Interface",
        SubnetIds=[subnets["Subnets"][0]["SubnetId"]],
        PrivateDnsEnabled=False,
    )


def theirs_serves(account: Account, vpc_id: str) -> bool:
    tags = [tag for one in account.endpoints(vpc_id) for tag in one.get("Tags", [])]
    return served(account, vpc_id) and not tags


STORIES = {
    "creation": Story(nothing, create, the_vpc_is_served, "endpoint-created"),
    "repair": Story(served_vpc, add_zone, served, "endpoint-repaired"),
    "rotation": Story(rotating_vpc, rotate, served, "endpoint-created"),
    "tear-down": Story(served_vpc, tear_down, nothing_of_ours_is_left, "stood-down"),
    "yielding": Story(served_vpc, bring_endpoint, theirs_serves, "endpoint-yielded"),
}


def begin(cloud: Cloud) -> Account:
    """An account in which only ensure_endpoint works through its queue: the others take time."""
    cloud.reset()
    mappings = cloud.deployment.mappings
    mappings[:] = [one for one in mappings if one.function == ENSURE]
    return Account(cloud)


@pytest.fixture(scope="module")
def recorded(deployment: Cloud) -> dict[tuple[str, str], str]:
    """Each call that ensure_endpoint makes, and a story in which it makes it."""
    found: dict[tuple[str, str], str] = {}
    for name, story in STORIES.items():
        account = begin(deployment)
        vpc_id = story.before(account)
        began = len(deployment.calls)
        story.act(account, vpc_id)
        deployment.settle()
        assert story.holds(account, vpc_id), name
        assert story.tells in kinds(deployment), name
        for call in deployment.calls[began:]:
            if call.function == ENSURE:
                found.setdefault((call.service, call.action), name)
    return found


def test_the_stories_make_every_call_that_the_function_can_make(recorded):
    """What the docstring of the handler grants, but for what only a parameter brings about."""
    assert {action for service, action in recorded if service == "ec2"} == {
        "AuthorizeSecurityGroupIngress",
        "CreateSecurityGroup",
        "CreateVpcEndpoint",
        "DeleteSecurityGroup",
        "DeleteVpcEndpoints",
        "DescribeSecurityGroups",
        "DescribeSubnets",
        "DescribeVpcAttribute",
        "DescribeVpcEndpointServices",
        "DescribeVpcEndpoints",
        "DescribeVpcs",
        "ModifyVpcAttribute",
        "ModifyVpcEndpoint",
    }
    assert {service for service, _ in recorded} >= set(THROTTLED)


def played(cloud: Cloud, recorded: dict[tuple[str, str], str], **fault: object) -> Iterator[Played]:
    """Each story with its call gone wrong, and all that follows from it."""
    for (service, action), name in recorded.items():
        if fault.get("when") == "stale" and not action.startswith(("Describe", "Get", "List")):
            continue
        story = STORIES[name]
        account = begin(cloud)
        vpc_id = story.before(account)
        errors = fault.get("errors", {})
        error = errors.get(service, fault.get("error", ""))
        planned = cloud.fault(
            service,
            action,
            str(error),
            times=int(fault["times"]),
            when=fault.get("when", "before"),
            function=ENSURE,
        )
        story.act(account, vpc_id)
        cloud.settle()
        what = f"{name}: {service}:{action}"
        yield Played(what, account, vpc_id, story, happened=planned.times < int(fault["times"]))


def kept(cloud: Cloud) -> bool:
    """Whether a message was kept for ops, whom the alarm of the dead-letter queue tells."""
    return bool(cloud.dead_letters("VpcQueue"))


def test_throttled(cloud, recorded, subtests):
    """AWS asks for patience four times over; then all is done, told, and nothing given up."""
    for one in played(cloud, recorded, errors=THROTTLED, times=4):
        with subtests.test(one.what):
            assert one.happened
            assert not kept(cloud)
            assert one.mode_was_unreadable() or one.told
            assert one.holds


def test_done_but_the_answer_lost(cloud, recorded, subtests):
    for one in played(cloud, recorded, times=2, when="lost"):
        with subtests.test(one.what):
            assert one.happened
            assert not kept(cloud)
            assert one.mode_was_unreadable() or one.told
            assert one.holds


def test_denied(cloud, recorded, subtests):
    """For good: what the guard cannot do, ops are told of, or the message is kept."""
    for one in played(cloud, recorded, errors=DENIED, error="AccessDeniedException", times=10_000):
        with subtests.test(one.what):
            assert one.happened
            assert kept(cloud) or EXPLAINS & set(kinds(cloud)) or (one.holds and one.told)
            assert cloud.queue_depth("VpcQueue") == 0


def test_out_of_date(cloud, recorded, subtests):
    """The answers of reads are as they were before the last write, three times over."""
    happened: set[str] = set()
    for one in played(cloud, recorded, times=3, when="stale"):
        with subtests.test(one.what):
            if one.happened:
                happened.add(one.what)
            assert not kept(cloud)
            assert one.holds
            assert one.told
    assert {"creation: ec2:DescribeVpcEndpoints", "creation: ec2:DescribeVpcAttribute"} <= happened


# Two at once: whatever one worker does between two calls of the other, there is one endpoint.


def wish(cloud: Cloud) -> Wanted:
    settings = cloud.deployment.functions[ENSURE].environment
    return Wanted(
        account_id=cloud.account,
        stack_id=settings["STACK_ID"],
        service_name=SERVICE,
        opt_out_tag=settings["OPT_OUT_TAG"],
        policy=json.dumps(ALLOW_ALL),
    )


def work(cloud: Cloud, client: Any, vpc_id: str) -> None:
    """What a worker does about one VPC: observe, decide, act."""
    wanted = wish(cloud)
    vpc = Observer(client, SERVICE).vpcs([vpc_id])[vpc_id]
    Actor(client, wanted.stack_id, cloud.clock.now).apply(decide(vpc, wanted), "a test")


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
