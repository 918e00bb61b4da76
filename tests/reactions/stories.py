"""One story or more for each function, in which it makes every call that it can make.

The fault matrix plays them with each of these calls gone wrong: see fault_matrix.py. A new function
needs a story here, and nothing else.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator import Caller, Cloud
from guard.approved.policies import ApprovedPolicy
from guard.approved.rollout import Phase
from guard.approved.rollouts import Rollouts
from guard.policy import parse
from guard.publishing.message import entry
from guard.settings import Publishing
from guard.table.items import Items
from tests.findings import bypass
from tests.reactions.account import ALLOW_ALL, SERVICE, Account, kinds
from tests.reactions.hub import Net
from tests.reactions.policies import History, place

ENSURE = "EnsureEndpointFunction"
RESTORE = "RestorePolicyFunction"
SECRET_POLICY = "SecretPolicyFunction"


@dataclass(frozen=True, slots=True)
class Story:
    """`before` is history, `act` what calls for the function, `holds` whether it ended well.

    `before` returns what the other two are about. `reports` are the kinds of the findings that must
    not be lost; `kept_in` is the queue in whose dead-letter queue the work ends that could not be
    done (its own, where it has none). Only functions in `awake` work off their queues when the
    story is played. `anew` are calls that other stories make as well, but other code here: they
    are played in both.
    """

    function: str
    before: Callable[[Account], str]
    act: Callable[[Account, str], None]
    holds: Callable[[Account, str], bool]
    reports: frozenset[str]
    kept_in: str
    awake: tuple[str, ...]
    anew: frozenset[str] = frozenset()

    def ends_well(self, account: Account, subject: str) -> bool:
        return self.holds(account, subject) and self.reports <= set(kinds(account.cloud))


def anything(account: Account, _: str) -> bool:
    return True


def nothing(account: Account) -> str:
    return ""


# --- ensure_endpoint ------------------------------------------------------------------------------


EVERYTHING = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


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


def hub_zone(account: Account) -> str:
    """A VPC in which a hosted zone has the service's name, but no endpoint is behind it."""
    vpc_id = account.vpc()
    account.client("route53").create_hosted_zone(
        Name="secretsmanager.us-east-1.amazonaws.com",
        CallerReference="hub",
        VPC={"VPCRegion": "us-east-1", "VPCId": vpc_id},
        HostedZoneConfig={"PrivateZone": True},
    )
    account.cloud.lose_events()
    return vpc_id


def unrouted_hub(account: Account) -> str:
    """A VPC to which a Profile brings an endpoint's name, and to which no route leads."""
    net = Net(account.cloud, account, routed=False)
    net.profile(net.arn)
    account.cloud.lose_events()
    return net.spoke


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


def lived_in_vpc(account: Account) -> str:
    """A VPC with its endpoint, and with something else in one subnet."""
    vpc_id = served_vpc(account)
    (*_, subnet) = account.ec2.describe_subnets()["Subnets"]
    account.ec2.create_network_interface(SubnetId=subnet["SubnetId"])
    account.cloud.lose_events()
    return vpc_id


def open_our_group(account: Account, vpc_id: str) -> None:
    (endpoint,) = account.endpoints(vpc_id)
    account.ec2.authorize_security_group_ingress(
        GroupId=endpoint["Groups"][0]["GroupId"], IpPermissions=[EVERYTHING]
    )
    account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})


def exactly_the_vpc_is_admitted(account: Account, vpc_id: str) -> bool:
    (endpoint,) = account.endpoints(vpc_id)
    ids = [group["GroupId"] for group in endpoint["Groups"]]
    groups = account.ec2.describe_security_groups(GroupIds=ids)["SecurityGroups"]
    rules = [rule for group in groups for rule in group["IpPermissions"]]
    return served(account, vpc_id) and [rule["IpProtocol"] for rule in rules] == ["tcp"]


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


def add_first_subnet(account: Account, vpc_id: str) -> None:
    (vpc,) = account.ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"]
    account.subnet(vpc_id, vpc["CidrBlock"].replace("/16", "/24"), "us-east-1a")


def without_endpoint(account: Account, vpc_id: str) -> bool:
    return account.endpoints(vpc_id) == []


def _ensure(
    before: Callable[[Account], str],
    act: Callable[[Account, str], None],
    holds: Callable[[Account, str], bool],
    reports: str,
) -> Story:
    return Story(ENSURE, before, act, holds, frozenset({reports}), "VpcQueue", (ENSURE,))


# --- restore_policy -------------------------------------------------------------------------------


READS = {
    "Effect": "Allow",
    "Principal": "*",
    "Action": "secretsmanager:Get*",
    "Resource": "*",
}


def endpoint_of_theirs(account: Account) -> str:
    """An endpoint that no event named, in a VPC of which a subnet is shared; its id."""
    vpc_id, subnets = account.vpc_with_subnets()
    share(account, subnets[0])
    bring_endpoint(account, vpc_id)
    account.cloud.lose_events()
    return account.endpoints(vpc_id)[0]["VpcEndpointId"]


def share(account: Account, subnet_id: str) -> None:
    """Share a subnet with somebody whom the approved policy does not refuse."""
    own = account.cloud.account
    account.client("ram").create_resource_share(
        name="network",
        resourceArns=[f"arn:aws:ec2:us-east-1:{own}:subnet/{subnet_id}"],
        principals=[own],
    )


def guarded_endpoint(account: Account) -> str:
    """An endpoint whose policy restore_policy has seen, and put right."""
    endpoint_id = endpoint_of_theirs(account)
    open_to_everyone(account, endpoint_id)
    account.cloud.settle()
    return endpoint_id


def open_to_everyone(account: Account, endpoint_id: str) -> None:
    account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PolicyDocument=json.dumps(ALLOW_ALL))


def open_while_ec2_is_busy(account: Account, endpoint_id: str) -> None:
    account.cloud.fault(
        "ec2", "ModifyVpcEndpoint", "RequestLimitExceeded", times=2, function=RESTORE
    )
    open_to_everyone(account, endpoint_id)


def approved_again(account: Account, endpoint_id: str) -> bool:
    return account.policy(endpoint_id)["Statement"] != ALLOW_ALL["Statement"]


# The version before the deployed one, in stories in which a deployment has changed the policy.
BEFORE = {"Version": "2012-10-17", "Statement": [READS]}


def rollouts(account: Account) -> Rollouts:
    client = account.client("dynamodb")
    return Rollouts(Items(client, account.cloud.outputs["StateTableName"], place(account.cloud)))


def endpoints_of_before(account: Account) -> list[str]:
    """The endpoints that carry the version before."""
    every = account.ec2.describe_vpc_endpoints()["VpcEndpoints"]
    ids = [one["VpcEndpointId"] for one in every]
    return sorted(id_ for id_ in ids if account.policy(id_)["Statement"] == [READS])


def deployed_anew(account: Account) -> str:
    """Two endpoints with the version before; the id of the one that will try the new one."""
    text = json.dumps(BEFORE)
    for _ in range(2):
        id_ = endpoint_of_theirs(account)
        account.ec2.modify_vpc_endpoint(VpcEndpointId=id_, PolicyDocument=text)
    account.cloud.lose_events()
    rollouts(account).remember(None, ApprovedPolicy("own-account", text, parse(text)))
    return endpoints_of_before(account)[0]


def on_trial(account: Account) -> str:
    """An endpoint that tries the new version, and another one; its id."""
    canary = deployed_anew(account)
    time_passes(account, "")
    account.cloud.pass_time(timedelta(minutes=3))
    return canary


def deny(account: Account, endpoint_id: str) -> None:
    account.cloud.inject(account.cloud.denied_at_endpoint("app", endpoint_id))


def phase(account: Account) -> str:
    rollout = rollouts(account).of("own-account", account.cloud.clock.now())
    return rollout.phase if rollout else ""


def rolled_out(account: Account, _: str) -> bool:
    return phase(account) == Phase.STEADY and not endpoints_of_before(account)


def rolled_back(account: Account, canary: str) -> bool:
    last = [one["action"] for one in History(account.cloud).of(canary)][-1:]
    undone = len(endpoints_of_before(account)) == 2
    return phase(account) == Phase.REJECTED and undone and last == ["rolled back"]


def fought_over_endpoint(account: Account) -> str:
    """An endpoint whose policy was put back as often as it is before the guard lets go."""
    endpoint_id = guarded_endpoint(account)
    open_to_everyone(account, endpoint_id)
    account.cloud.settle()
    return endpoint_id


# --- detect_bypass --------------------------------------------------------------------------------


def secret_beside_an_endpoint(account: Account) -> str:
    """A secret in an account that has an endpoint. The events of making it are lost."""
    endpoint_of_theirs(account)
    arn = account.secret("prod/db")
    account.cloud.lose_events()
    return arn


def read_past_the_endpoint(account: Account, secret: str) -> None:
    """Once over the internet, and once through an endpoint that nobody knows."""
    ways = {
        "mallory": Caller(source_ip="198.51.100.7"),
        "trudy": Caller(
            vpc_endpoint_id="vpce-0f2f2f2f2f2f2f2f2", vpc_endpoint_account_id="444455556666"
        ),
    }
    for name, way in ways.items():
        caller = account.cloud.session(name, way).client("secretsmanager")
        caller.get_secret_value(SecretId=secret)


def callers_of_ours(account: Account) -> str:
    """A secret, a function, and an instance in a VPC without endpoint; its id."""
    account.secret("prod/db")
    account.function("report")
    _, subnets = account.vpc_with_subnets()
    made = account.ec2.run_instances(
        ImageId="ami-12c6146b", MinCount=1, MaxCount=1, SubnetId=subnets[0]
    )
    account.cloud.lose_events()
    return made["Instances"][0]["InstanceId"]


def ours_read_past_the_endpoint(account: Account, instance_id: str) -> None:
    for session in ("report", instance_id):
        agent = "Boto3/1.43 exec-env/AWS_Lambda_python3.13"
        way = Caller(kind="role", source_ip="203.0.113.9", session=session, user_agent=agent)
        client = account.cloud.session(f"role-{session}", way).client("secretsmanager")
        client.get_secret_value(SecretId="prod/db")


# --- secret_policy --------------------------------------------------------------------------------


def bound_secret(account: Account) -> str:
    """A secret that is read from inside alone, by its owner's own words; no event named it."""
    ids = [endpoint_of_theirs(account)]
    (endpoint,) = account.ec2.describe_vpc_endpoints(VpcEndpointIds=ids)["VpcEndpoints"]
    where = {"StringNotEquals": {"aws:SourceVpc": endpoint["VpcId"]}}
    arn = account.bound_secret("prod/ledger")
    put_policy(account, arn, {**READER, "Effect": "Deny", "Principal": "*", "Condition": where})
    function = account.function("rotate", endpoint["SubnetIds"])
    account.client("secretsmanager").rotate_secret(
        SecretId=arn, RotationLambdaARN=function, RotateImmediately=False
    )
    account.cloud.lose_events()
    return arn


READER = {
    "Effect": "Allow",
    "Principal": {"AWS": "111122223333"},
    "Action": "secretsmanager:GetSecretValue",
    "Resource": "*",
}


def put_policy(account: Account, secret: str, *statements: dict[str, Any]) -> None:
    document = {"Version": "2012-10-17", "Statement": [READER, *statements]}
    account.client("secretsmanager").put_resource_policy(
        SecretId=secret, ResourcePolicy=json.dumps(document)
    )


def open_perimeter(account: Account, secret: str) -> None:
    put_policy(account, secret)


def open_perimeter_unseen(account: Account, secret: str) -> None:
    put_policy(account, secret)
    account.cloud.lose_events()
    account.cloud.fire_schedule("ScheduleRule")


def open_perimeter_while_sns_fails(account: Account, secret: str) -> None:
    account.cloud.fault("sns", "PublishBatch", "InternalError", times=2, function=SECRET_POLICY)
    put_policy(account, secret)


def closed_again(account: Account, secret: str) -> bool:
    policy = account.secret_policy(secret) or {"Statement": []}
    return READER in policy["Statement"] and any(
        one.get("Sid") == "VpceGuardPerimeter" for one in policy["Statement"]
    )


# --- sweep ----------------------------------------------------------------------------------------


def unserved_and_tampered(account: Account) -> str:
    """A VPC without endpoint, one whose endpoint is open to everyone, and one without endpoint that
    is opted out; no event spoke of them.
    """
    endpoint_id = endpoint_of_theirs(account)
    account.vpc_with_subnets(tags={"vpce-guard:ignore": ""})
    account.subnet(account.vpc("10.77.0.0/16"), "10.77.0.0/24", "us-east-1a")
    account.cloud.lose_events()
    return endpoint_id


def with_a_read_refused(account: Account) -> str:
    """The same, and the sweep may not read network ACLs."""
    endpoint_id = unserved_and_tampered(account)
    denied, sweep = "UnauthorizedOperation", "SweepFunction"
    account.cloud.fault("ec2", "DescribeNetworkAcls", denied, times=10_000, function=sweep)
    return endpoint_id


def time_passes(account: Account, _: str) -> None:
    account.cloud.fire_schedule("ScheduleRule")


def both_are_asked_for(account: Account, endpoint_id: str) -> bool:
    """A message about the VPC and one about the endpoint wait for the reactions."""
    vpcs = {vpc["VpcId"] for vpc in account.ec2.describe_vpcs()["Vpcs"] if not vpc.get("Tags")}
    bare = {vpc_id for vpc_id in vpcs if not account.endpoints(vpc_id)}
    asked = {"vpcId": set[str](), "vpcEndpointId": set[str]()}
    for queue in ("VpcQueue", "PolicyQueue"):
        for message in account.cloud.messages(queue):
            detail = json.loads(message["body"])["detail"]
            for key, found in asked.items():
                found.update({detail[key]} if key in detail else set())
    return bare <= asked["vpcId"] and endpoint_id in asked["vpcEndpointId"]


# --- notify_slack ---------------------------------------------------------------------------------


def slow_slack(account: Account) -> str:
    account.cloud.slack.answer_next(429, headers={"Retry-After": "3"})
    return "was read over the internet"


def publish(account: Account, _: str) -> None:
    account.client("sns").publish_batch(
        TopicArn=account.cloud.resource("FindingsTopic"),
        PublishBatchRequestEntries=[entry("0", bypass(), Publishing())],
    )


def in_slack(account: Account, words: str) -> bool:
    return any(words in message["text"] for message in account.cloud.slack.messages)


def in_channel(account: Account, words: str) -> bool:
    return any(words in json.dumps(one) for one in account.cloud.slack.channel.values())


def _perimeter(act: Callable[[Account, str], None]) -> Story:
    return Story(
        "SecretPolicyFunction",
        bound_secret,
        act,
        closed_again,
        frozenset({"secret-perimeter-restored"}),
        "SecretPolicyQueue",
        (SECRET_POLICY,),
    )


# --- digest, find_missed, heartbeat, watch_guard --------------------------------------------------


def finding_that_waits(account: Account) -> str:
    """Findings of low severity, and an alert that came again within its window."""
    for name in ("prod/db", "prod/api"):
        secret = account.secret(name)
        account.client("secretsmanager").delete_resource_policy(SecretId=secret)
    account.cloud.settle()
    stranger = account.cloud.session("mallory", Caller(source_ip="198.51.100.7"))
    for _ in range(3):
        stranger.client("secretsmanager").get_secret_value(SecretId="prod/db")
        account.cloud.settle()
    return ""


def two_mornings(account: Account, _: str) -> None:
    for _day in range(2):
        morning = account.cloud.clock.now().replace(hour=9, minute=0, second=0)
        account.cloud.clock.skip_to(morning + timedelta(days=1))
        account.cloud.fire_schedule("DigestRule")
        account.cloud.settle()


def message_given_up(account: Account) -> str:
    """One that cannot be read, one that can be put back, and a failed invocation."""
    cloud = account.cloud
    queue = cloud.resource("PolicyDeadLetterQueue")
    sweep = cloud.deployment.functions["SweepFunction"].arn
    invocation = {"requestContext": {"functionArn": sweep}, "requestPayload": {"detail": {}}}
    for body in ({}, {"detail": {"vpcEndpointId": "vpce-0a"}}, invocation):
        account.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(body))
    cloud.clock.skip(seconds=2 * 3600)
    return ""


def send_heartbeat(account: Account, _: str) -> None:
    account.cloud.fire_schedule("HeartbeatRule")


def heartbeat_came(account: Account, _: str) -> bool:
    return any(record["eventName"] == "DescribeSecret" for record in account.cloud.records)


def event_that_never_came(account: Account) -> str:
    """A read over the internet that is in the trail's log file and on no bus."""
    account.secret("prod/db")
    account.cloud.lose_events()
    account.cloud.invoke("FindMissedFunction", {})  # it begins with what comes from then on
    account.cloud.clock.skip(seconds=1800)
    stranger = account.cloud.session("mallory", Caller(source_ip="198.51.100.7"))
    stranger.client("secretsmanager").get_secret_value(SecretId="prod/db")
    account.log_file(account.cloud.records[-1])
    account.cloud.lose_events()
    account.cloud.clock.skip(seconds=4 * 3600)
    return ""


def compare(account: Account, _: str) -> None:
    account.cloud.fire_schedule("FindMissedRule")


def switch_a_rule_off(account: Account, _: str) -> None:
    """By a stack of somebody else's, while the guard's own rests."""
    way = Caller(kind="role", invoked_by="cloudformation.amazonaws.com")
    events = account.cloud.session("mallory", way).client("events")
    events.disable_rule(Name=account.cloud.resource("BypassRule"))


def add_an_exception(account: Account, _: str) -> None:
    account.client("ssm").put_parameter(
        Name="/vpce-guard/vpce-guard/exceptions/ci", Value="{}", Type="String"
    )


STORIES = {
    "creation": _ensure(nothing, create, the_vpc_is_served, "endpoint-created"),
    "repair": _ensure(served_vpc, add_zone, served, "endpoint-repaired"),
    "rotation": _ensure(rotating_vpc, rotate, served, "endpoint-created"),
    "tear-down": _ensure(served_vpc, tear_down, nothing_of_ours_is_left, "stood-down"),
    # After 20 minutes the subnet, which nobody deleted, has the endpoint again.
    "leaving": _ensure(lived_in_vpc, tear_down, served, "stood-down"),
    "narrowing": _ensure(
        served_vpc, open_our_group, exactly_the_vpc_is_admitted, "endpoint-repaired"
    ),
    "yielding": _ensure(served_vpc, bring_endpoint, theirs_serves, "endpoint-yielded"),
    "zone": _ensure(hub_zone, add_first_subnet, without_endpoint, "endpoint-not-repairable"),
    "hub": _ensure(unrouted_hub, add_first_subnet, without_endpoint, "endpoint-not-repairable"),
    "restoration": Story(
        RESTORE,
        endpoint_of_theirs,
        open_to_everyone,
        approved_again,
        frozenset({"policy-restored"}),
        "PolicyQueue",
        (RESTORE,),
    ),
    "restoration in its slot": Story(
        RESTORE,
        endpoint_of_theirs,
        open_while_ec2_is_busy,
        approved_again,
        frozenset({"policy-restored"}),
        "PolicyQueue",
        (RESTORE,),
    ),
    "restoration again": Story(
        RESTORE,
        guarded_endpoint,
        open_to_everyone,
        approved_again,
        frozenset({"policy-restored"}),
        "PolicyQueue",
        (RESTORE,),
    ),
    "rollout": Story(
        RESTORE,
        deployed_anew,
        time_passes,
        rolled_out,
        frozenset({"policy-rollout"}),
        "PolicyQueue",
        (RESTORE,),
    ),
    "rollback": Story(
        RESTORE,
        on_trial,
        deny,
        rolled_back,
        frozenset({"policy-rollout-failed"}),
        "PolicyQueue",
        (RESTORE, "DetectBypassFunction"),
        anew=frozenset({"ec2:ModifyVpcEndpoint", "dynamodb:UpdateItem", "sns:PublishBatch"}),
    ),
    "pause": Story(
        RESTORE,
        fought_over_endpoint,
        open_to_everyone,
        approved_again,
        frozenset({"enforcement-paused"}),
        "PolicyQueue",
        (RESTORE,),
        anew=frozenset({"dynamodb:UpdateItem", "sqs:SendMessage"}),
    ),
    "detection": Story(
        "DetectBypassFunction",
        secret_beside_an_endpoint,
        read_past_the_endpoint,
        anything,
        frozenset({"bypass", "foreign-endpoint"}),
        "DetectionQueue",
        ("DetectBypassFunction",),
    ),
    "detection of ours": Story(
        "DetectBypassFunction",
        callers_of_ours,
        ours_read_past_the_endpoint,
        anything,
        frozenset({"bypass"}),
        "DetectionQueue",
        ("DetectBypassFunction",),
    ),
    "perimeter": _perimeter(open_perimeter),
    "perimeter by the sweep": _perimeter(open_perimeter_unseen),
    "perimeter published late": _perimeter(open_perimeter_while_sns_fails),
    "sweep": Story(
        "SweepFunction",
        unserved_and_tampered,
        time_passes,
        both_are_asked_for,
        frozenset(),
        "RuleDeadLetterQueue",
        (),
    ),
    "sweep that may not read": Story(
        "SweepFunction",
        with_a_read_refused,
        time_passes,
        anything,
        frozenset({"endpoint-not-repairable"}),
        "RuleDeadLetterQueue",
        (),
    ),
    "digest": Story(
        "DigestFunction",
        finding_that_waits,
        two_mornings,
        anything,
        frozenset({"digest", "daily-report"}),
        "RuleDeadLetterQueue",
        ("DetectBypassFunction",),
    ),
    "missing event": Story(
        "FindMissedFunction",
        event_that_never_came,
        compare,
        anything,
        frozenset({"events-missed", "bypass"}),
        "RuleDeadLetterQueue",
        ("DetectBypassFunction",),
    ),
    "heartbeat": Story(
        "HeartbeatFunction",
        message_given_up,
        send_heartbeat,
        heartbeat_came,
        frozenset({"dead-letters"}),
        "RuleDeadLetterQueue",
        (),
    ),
    "hands off": Story(
        "WatchGuardFunction",
        nothing,
        switch_a_rule_off,
        anything,
        frozenset({"guard-changed"}),
        "RuleDeadLetterQueue",
        (),
    ),
    "exception": Story(
        "WatchGuardFunction",
        nothing,
        add_an_exception,
        anything,
        frozenset({"guard-changed"}),
        "RuleDeadLetterQueue",
        (),
    ),
    "slack": Story(
        "NotifySlackFunction",
        slow_slack,
        publish,
        in_slack,
        frozenset(),
        "NotifyQueue",
        ("NotifySlackFunction",),
    ),
    "slack by a bot": Story(
        "NotifySlackFunction",
        slow_slack,
        publish,
        in_channel,
        frozenset(),
        "NotifyQueue",
        ("NotifySlackFunction",),
    ),
}

WITH_BOT = frozenset({"slack by a bot"})
"""Played where the stack is deployed with a bot's token instead of a webhook."""


def begin(cloud: Cloud, story: Story) -> tuple[Account, str]:
    """An account just before what calls for the function, and what the story is about."""
    cloud.reset()
    account = Account(cloud)
    awake(cloud, *story.awake)
    subject = story.before(account)
    return account, subject


def awake(cloud: Cloud, *functions: str) -> None:
    """Let only these functions work off their queues: the others take time."""
    mappings = cloud.deployment.mappings
    mappings[:] = [one for one in cloud.deployed_mappings if one.function in functions]
