"""What AWS refuses is published in its words, and costs and claims nothing; the rest is made good.

Every write of every reaction meets every kind of error: a refusal, whoever has listed its code, a
throttle, and a fault of AWS's own. `FAULT_MATRIX=all` plays every code at every write.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from emulator import Cloud
from emulator.strict import options
from guard.aws.errors import FAULTS, THROTTLES
from tests.reactions.account import ALLOW_ALL, Account, kinds, make_endpoint
from tests.reactions.stories import ENSURE, STORIES, begin, phase

EVERYTHING = os.environ.get("FAULT_MATRIX") == "all"
FOR_GOOD = 10_000
CLAIMS = {
    "endpoint-created",
    "endpoint-repaired",
    "policy-restored",
    "policy-rollout",
    "secret-perimeter-restored",
}
REFUSALS = (
    "InsufficientFreeAddressesInSubnet",
    "NobodyHasListedThis",
    "InsufficientCidrBlocks",
    "UnauthorizedOperation",
    "TagPolicyViolation",
    "ConflictingDomainExists",
    "VpcEndpointLimitExceeded",
    "OperationNotPermitted",
    "AccessDeniedException",
    "InvalidGroup.NotFound",
)


@dataclass(frozen=True, slots=True)
class Write:
    """One write, and the story in which it is made; `prepares`: something was changed before it."""

    story: str
    service: str
    action: str
    prepares: bool = False
    explains: str = "endpoint-not-repairable"

    def __str__(self) -> str:
        return f"{self.story}: {self.action}"


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a write: the budgets that it `used`, and the findings."""

    account: Account
    subject: str
    used: dict[str, int]
    findings: list[dict[str, Any]]


WORDS = "AWS's own words"
WRITES = (
    Write("creation", "ec2", "ModifyVpcAttribute"),
    Write("creation", "ec2", "CreateSecurityGroup", prepares=True),
    Write("creation", "ec2", "AuthorizeSecurityGroupIngress", prepares=True),
    Write("creation", "ec2", "CreateVpcEndpoint", prepares=True),
    Write("repair", "ec2", "ModifyVpcEndpoint"),
    Write("narrowing", "ec2", "RevokeSecurityGroupIngress"),
    Write("leaving", "ec2", "ModifyVpcEndpoint", explains="stood-down"),
    Write("tear-down", "ec2", "DeleteVpcEndpoints", explains="stood-down"),
    Write("tear-down", "ec2", "DeleteSecurityGroup", explains="stood-down"),
    Write("restoration", "ec2", "ModifyVpcEndpoint", explains="policy-not-restorable"),
    Write("rollback", "ec2", "ModifyVpcEndpoint", explains="policy-not-restorable"),
    Write("perimeter", "secretsmanager", "PutResourcePolicy", explains="secret-perimeter-lost"),
)


def played(codes: Iterable[str]) -> list[tuple[Write, str]]:
    """Every write with every code; by day, every write and every code at least once."""
    codes = list(codes)
    if EVERYTHING:
        return [(write, code) for write in WRITES for code in codes]
    most = max(len(WRITES), len(codes))
    return [(WRITES[n % len(WRITES)], codes[n % len(codes)]) for n in range(most)]


def run(cloud: Cloud, write: Write, code: str, times: int) -> Played:
    """Play the write's story with the write gone wrong."""
    story = STORIES[write.story]
    account, subject = begin(cloud, story)
    known, published = budgets(account), len(cloud.findings)
    fault = cloud.fault(
        write.service, write.action, code, times=times, function=story.function, message=WORDS
    )
    story.act(account, subject)
    cloud.settle()
    assert fault.times < times, "the write was not made at all"
    used = {key: n - known.get(key, 0) for key, n in budgets(account).items()}
    return Played(account, subject, used, cloud.findings[published:])


def dead(cloud: Cloud) -> list[Any]:
    queues = ("VpcQueue", "PolicyQueue", "DetectionQueue", "RuleDeadLetterQueue")
    return [letter for queue in queues for letter in cloud.dead_letters(queue)]


def budgets(account: Account) -> dict[str, int]:
    """What is used up of each budget."""
    table = account.cloud.outputs["StateTableName"]
    items = account.client("dynamodb").scan(TableName=table)["Items"]
    return {
        key: int(item["tally"]["N"])
        for item in items
        if (key := item["pk"]["S"]).startswith("budget#") and int(item["tally"]["N"])
    }


@pytest.mark.parametrize(("write", "code"), played(REFUSALS), ids=str)
def test_a_refusal_is_a_finding_in_aws_s_words_and_nothing_else(cloud, write, code):
    one = run(cloud, write, code, FOR_GOOD)

    explaining = [json.dumps(it) for it in one.findings if it["kind"] == write.explains]
    assert any(code in text and WORDS in text for text in explaining)
    assert dead(cloud) == []
    assert not CLAIMS & {it["kind"] for it in one.findings}
    assert sum(one.used.values()) == write.prepares
    assert not one.used.get("budget#creations")


@pytest.mark.parametrize(("write", "code"), played(sorted(THROTTLES)), ids=str)
def test_what_is_throttled_is_done_later(cloud, write, code):
    one = run(cloud, write, code, 4)
    assert STORIES[write.story].ends_well(one.account, one.subject)
    assert dead(cloud) == []


@pytest.mark.parametrize(("write", "code"), played(sorted(FAULTS)), ids=str)
def test_what_aws_failed_at_is_done_when_its_message_comes_back(cloud, write, code):
    one = run(cloud, write, code, 2)
    assert STORIES[write.story].ends_well(one.account, one.subject)
    assert dead(cloud) == []


# --- one full subnet does not leave the others without --------------------------------------------


def zone_of(account: Account, subnet_id: str) -> str:
    (subnet,) = account.ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"]
    return subnet["AvailabilityZoneId"]


def sweep(cloud: Cloud) -> None:
    cloud.clock.skip(61)
    cloud.fire_schedule()
    cloud.settle()


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("full", [0, 1, 2])
def test_a_full_subnet_leaves_its_az_out_until_there_is_room(cloud, account, full, named):
    options.names_crowded_subnet = named
    vpc_id, subnets = account.vpc_with_subnets(("us-east-1a", "us-east-1b", "us-east-1d"))
    options.crowded_subnets = {subnets[full]}
    cloud.settle()

    (endpoint,) = account.endpoints(vpc_id)
    assert set(endpoint["SubnetIds"]) == set(subnets) - {subnets[full]}
    published = [
        one["cause"] for one in cloud.findings if zone_of(account, subnets[full]) in one["cause"]
    ]
    assert any("InsufficientFreeAddressesInSubnet" in cause for cause in published)
    assert not {"endpoint-not-repairable", "change-budget-spent"} & set(kinds(cloud))

    before = len(cloud.findings)
    for _ in range(3):  # it stays full: nothing is claimed, and nothing used up
        sweep(cloud)
    assert not CLAIMS & {one["kind"] for one in cloud.findings[before:]}
    options.crowded_subnets = set()
    sweep(cloud)
    (endpoint,) = account.endpoints(vpc_id)
    assert set(endpoint["SubnetIds"]) == set(subnets)
    assert dead(cloud) == []


def test_another_subnet_of_the_az_is_used_where_there_is_one(cloud, account):
    options.names_crowded_subnet = False
    vpc_id, subnets = account.vpc_with_subnets(("us-east-1a", "us-east-1b", "us-east-1b"))
    options.crowded_subnets = {subnets[1]}
    cloud.settle()
    (endpoint,) = account.endpoints(vpc_id)
    assert set(endpoint["SubnetIds"]) == {subnets[0], subnets[2]}


def test_where_all_are_full_there_is_one_finding_a_day_and_one_group(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    options.crowded_subnets = set(subnets)
    cloud.settle()
    for _ in range(3):
        sweep(cloud)
    assert kinds(cloud) == ["endpoint-not-repairable"]
    ours = [{"Name": "tag:vpce-guard:managed", "Values": ["true"]}]
    (group,) = account.ec2.describe_security_groups(Filters=ours)["SecurityGroups"]
    assert any(group["GroupId"] in line for line in cloud.findings[0]["todo"])
    options.crowded_subnets = set()
    sweep(cloud)
    (endpoint,) = account.endpoints(vpc_id)
    assert [one["GroupId"] for one in endpoint["Groups"]] == [group["GroupId"]]


# --- what is said of it ---------------------------------------------------------------------------


def test_a_refusal_that_is_encoded_anew_each_time_is_one_finding(cloud, account):
    for number in range(9):
        message = f"No. Encoded authorization failure message: {str(number) * 200}"
        cloud.fault("ec2", "CreateVpcEndpoint", "UnauthorizedOperation", message=message)
    account.vpc_with_subnets()
    cloud.settle()
    sweep(cloud)
    assert kinds(cloud) == ["endpoint-not-repairable"]
    (finding,) = cloud.findings
    assert "0" * 200 not in finding["cause"]
    assert finding["evidence"]["encoded_message"]
    assert any("decode-authorization-message" in line for line in finding["todo"])


def test_what_was_only_intended_is_not_published_as_done(cloud, account):
    """The guard could not reach EC2 to create the endpoint; somebody else has made one since."""
    lost = cloud.fault("ec2", "CreateVpcEndpoint", "", times=99, when="unserved", function=ENSURE)
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.pass_time(timedelta(minutes=12))
    assert lost.times < 99
    assert account.endpoints(vpc_id) == []
    lost.times = 0
    make_endpoint(account, vpc_id, subnets, private_dns=True)
    cloud.settle()

    assert "endpoint-created" not in kinds(cloud)
    done = [line for one in cloud.findings for line in one["done"]]
    assert not [line for line in done if line.startswith("create the endpoint")]


def test_a_fight_is_not_with_the_guard_itself(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    for _ in range(7):
        account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": False})
        cloud.settle()
    (fight,) = [one for one in cloud.findings if one["kind"] == "change-budget-spent"]
    assert "user/alice" in fight["cause"]
    assert "EnsureEndpoint" not in json.dumps([fight["cause"], fight["evidence"].get("who")])


def test_a_rollback_that_aws_refuses_is_said_and_tried_on_nobody_else(cloud):
    (write,) = [one for one in WRITES if one.story == "rollback"]
    one = run(cloud, write, "NobodyHasListedThis", FOR_GOOD)
    found = {it["kind"]: it for it in one.findings}
    assert "wrote the policy of before" not in json.dumps(found["policy-rollout-failed"]["done"])
    assert phase(one.account) == "rejected"


@pytest.mark.parametrize("code", ["NobodyHasListedThis", "AccessDeniedException"])
@pytest.mark.parametrize(
    ("service", "action", "function"),
    [
        ("lambda", "GetFunctionConfiguration", ENSURE),
        ("ec2", "DescribeVpcEndpoints", "RestorePolicyFunction"),
    ],
)
def test_what_may_not_be_read_is_a_finding(cloud, account, service, action, function, code):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    cloud.fault(service, action, code, times=FOR_GOOD, function=function, message=WORDS)
    if function == ENSURE:
        rotate = account.function("rotate", subnets)
        sm = account.client("secretsmanager")
        sm.rotate_secret(SecretId=account.secret("db"), RotationLambdaARN=rotate)
    else:
        (endpoint,) = account.endpoints(vpc_id)
        account.ec2.modify_vpc_endpoint(
            VpcEndpointId=endpoint["VpcEndpointId"], PolicyDocument=json.dumps(ALLOW_ALL)
        )
    cloud.settle()
    (found,) = [it for it in cloud.findings if it["kind"] == "endpoint-not-repairable"]
    assert f"{service}:{action}: {code}: {WORDS}" in found["cause"]
    assert dead(cloud) == []
