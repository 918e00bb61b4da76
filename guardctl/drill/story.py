"""The story: what people do to the account in a day, and what must be true when the guard is done.

Each chapter is one thing that somebody does with plain boto3, and the checks of the state that it
must end in. A check reads AWS and at the alerts, never at the guard's code.
"""

import json
from datetime import timedelta

from emulator import Caller
from guardctl.drill.chapter import ALLOW_ALL, Chapter, Checks, new_kinds, new_writes
from guardctl.drill.deploy import (
    caller_stays_quiet,
    change_policy,
    except_caller,
    one_endpoint_tried_it_first,
)
from guardctl.drill.fight import (
    fight_is_ended,
    fight_over_policy,
    roll_policy_back,
    rollback_was_kept,
)
from guardctl.drill.others import bring_endpoint, tear_down, theirs_is_kept, vpc_is_let_go
from guardctl.drill.perimeter import (
    ask_through_endpoint,
    open_perimeter,
    opening_is_published,
    refusal_is_published,
)
from guardctl.drill.reads import (
    bypass_is_published,
    bypass_led_to_repair,
    nobody_is_bothered,
    read_again_and_again,
    read_by_service,
    read_over_internet,
    read_round_no_endpoint,
    read_through_endpoint,
    repeats_are_summed_up,
)
from guardctl.drill.stage import Stage
from guardctl.drill.watch import (
    blind_the_guard,
    blindness_is_published,
    heartbeat_came_through,
    send_heartbeat,
)

SLACK_QUEUES = ("NotifyQueue", "NotifyUrgentQueue")

# a VPC appears ------------------------------------------------------------------------------------


def create_vpc(stage: Stage) -> None:
    zones = [*stage.zones_in_reach[:2], *stage.zones_out_of_reach[:1]]
    stage.props["shop"], stage.props["shop_subnets"] = stage.make_vpc("nora", "10.20.0.0/16", zones)


def vpc_is_served(stage: Stage) -> Checks:
    endpoints = stage.endpoints(stage.props["shop"])
    yield "one endpoint, although seven events asked for it", len(endpoints) == 1
    endpoint = endpoints[0]
    stage.props["endpoint"] = endpoint["VpcEndpointId"]
    stage.props["approved"] = stage.policy(endpoint["VpcEndpointId"])
    yield (
        "it is available, with private DNS",
        (endpoint["State"] == "available" and endpoint["PrivateDnsEnabled"]),
    )
    yield "the VPC's DNS hostnames were switched on for it", stage.hostnames(stage.props["shop"])
    yield (
        "one subnet in each AZ the service supports, and in no other",
        (stage.zones(endpoint["SubnetIds"]) == set(stage.zones_in_reach[:2])),
    )
    yield "port 443 is open to the whole VPC", stage.admitted(endpoint) == {"10.20.0.0/16"}
    yield (
        "it carries the approved policy from the start",
        ("aws:PrincipalAccount" in json.dumps(stage.props["approved"])),
    )
    yield "ops were notified once", new_kinds(stage) == ["endpoint-created"]


# the policy is replaced ---------------------------------------------------------------------------


def replace_policy(stage: Stage) -> None:
    stage.client("ec2", "mallory").modify_vpc_endpoint(
        VpcEndpointId=stage.props["endpoint"], PolicyDocument=json.dumps(ALLOW_ALL)
    )


def policy_is_back(stage: Stage) -> Checks:
    attached = stage.policy(stage.props["endpoint"])
    yield "the approved policy is attached again", attached == stage.props["approved"]
    yield (
        "written once: our own write came back as an event and changed nothing",
        (new_writes(stage) == ["ModifyVpcEndpoint"]),
    )
    yield "ops were notified", new_kinds(stage) == ["policy-restored"]
    evidence = stage.cloud.findings[-1]["evidence"]
    yield "and who did it", "user/mallory" in evidence.get("changed_by", "")


# the same policy in other words -------------------------------------------------------------------


def reword_policy(stage: Stage) -> None:
    reworded = json.loads(json.dumps(stage.props["approved"]))
    for statement in reworded["Statement"]:
        statement["Sid"] = ""
        if statement.get("Principal") == "*":
            statement["Principal"] = {"AWS": ["*"]}
    stage.client("ec2", "nora").modify_vpc_endpoint(
        VpcEndpointId=stage.props["endpoint"], PolicyDocument=json.dumps(reworded)
    )


def wording_is_left(stage: Stage) -> Checks:
    yield "it means the same, so nothing was written", new_writes(stage) == []


# the endpoint is deleted --------------------------------------------------------------------------


def delete_endpoint(stage: Stage) -> None:
    stage.client("ec2", "mallory").delete_vpc_endpoints(VpcEndpointIds=[stage.props["endpoint"]])


def endpoint_is_back(stage: Stage) -> Checks:
    endpoints = stage.endpoints(stage.props["shop"])
    yield (
        "a new endpoint, made once the old one was gone",
        (len(endpoints) == 1 and endpoints[0]["VpcEndpointId"] != stage.props["endpoint"]),
    )
    stage.props["endpoint"] = endpoints[0]["VpcEndpointId"]
    yield "it is available", endpoints[0]["State"] == "available"
    yield "ops were notified", new_kinds(stage) == ["endpoint-repaired"]
    yield "and know who deleted it", "user/mallory" in stage.cloud.findings[-1]["cause"]


# rotation in a VPC that no event named ------------------------------------------------------------


def enable_rotation(stage: Stage) -> None:
    vpc_id, subnets = stage.make_vpc("nora", "10.30.0.0/16", stage.zones_in_reach[:2])
    stage.props["bank"] = vpc_id
    stage.cloud.lose_events()  # delivery is best effort: this VPC's own events never came
    function = stage.make_function("dev", "rotate-ledger", subnets)
    inside = Caller(vpc_endpoint_id=stage.props["endpoint"], source_ip="10.20.0.77")
    secrets = stage.client("secretsmanager", "dev", inside)
    secrets.create_secret(Name="ledger", SecretString="correct horse")
    secrets.rotate_secret(SecretId="ledger", RotationLambdaARN=function)


def rotation_is_served(stage: Stage) -> Checks:
    endpoints = stage.endpoints(stage.props["bank"])
    yield "the function's VPC was found and has its endpoint", len(endpoints) == 1
    yield "its DNS hostnames, off until then, are on", stage.hostnames(stage.props["bank"])
    created = [one for one in stage.cloud.findings if one["kind"] == "endpoint-created"][-1]
    yield (
        "ops know how to repeat a first rotation that came too early",
        (any("rotate-secret" in one for one in created["todo"])),
    )


# a third AZ ---------------------------------------------------------------------------------------


def add_zone(stage: Stage) -> None:
    stage.make_subnet("nora", stage.props["shop"], stage.zones_in_reach[2], 7)


def zone_is_served(stage: Stage) -> Checks:
    (endpoint,) = stage.endpoints(stage.props["shop"])
    yield (
        "the endpoint reaches into the new AZ",
        (stage.zones(endpoint["SubnetIds"]) == set(stage.zones_in_reach[:3])),
    )
    yield "ops were notified", new_kinds(stage) == ["endpoint-repaired"]


# a function that is not let out -------------------------------------------------------------------


def rotate_behind_closed_doors(stage: Stage) -> None:
    ec2, vpc_id = stage.client("ec2", "dev"), stage.props["bank"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["Subnets"]
    function = stage.make_function("dev", "rotate-vault", [one["SubnetId"] for one in subnets])
    closed = ec2.create_security_group(GroupName="closed", Description="x", VpcId=vpc_id)["GroupId"]
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.revoke_security_group_egress(GroupId=closed, IpPermissions=[everything])
    stage.client("lambda", "dev").update_function_configuration(
        FunctionName=function,
        VpcConfig={"SubnetIds": [one["SubnetId"] for one in subnets], "SecurityGroupIds": [closed]},
    )
    stage.props["closed"] = closed
    inside = Caller(vpc_endpoint_id=stage.props["endpoint"], source_ip="10.20.0.77")
    secrets = stage.client("secretsmanager", "dev", inside)
    secrets.create_secret(Name="vault", SecretString="battery staple")
    secrets.rotate_secret(SecretId="vault", RotationLambdaARN=function)


def obstruction_is_published(stage: Stage) -> Checks:
    published = stage.cloud.findings[stage.props["findings_before"] :]
    cause = next(
        (f["cause"] for f in published if f["kind"] == "rotation-cannot-reach-endpoint"), ""
    )
    yield "ops know which security group is in the way", stage.props["closed"] in cause
    yield "nobody's group was edited", new_writes(stage) == []


# the sweep, and the end ---------------------------------------------------------------------------


def sweep(stage: Stage) -> None:
    stage.cloud.settle(until=timedelta(hours=6))  # the schedule fires on its own


def all_is_well(stage: Stage) -> Checks:
    swept = [
        call
        for call in stage.cloud.calls[stage.props["calls_before"] :]
        if call.function == "SweepFunction" and call.action == "DescribeVpcEndpoints"
    ]
    yield "every VPC and endpoint was checked", len(swept) >= 2
    yield "and nothing had to be changed", new_writes(stage) == []
    letters = sum(
        len(stage.cloud.dead_letters(queue))
        for queue in (
            "VpcQueue",
            "PolicyQueue",
            "SecretPolicyQueue",
            "DetectionQueue",
            *SLACK_QUEUES,
        )
    )
    yield "no message was given up: the dead-letter queues are empty", letters == 0
    yield (
        "every finding reached Slack, those of low severity in a digest",
        len(stage.cloud.slack.messages) == len(stage.cloud.findings) - len(stage.cloud.collected),
    )


STORY = (
    Chapter("A VPC is created, its subnets follow", create_vpc, vpc_is_served),
    Chapter("Somebody opens the endpoint's policy to everyone", replace_policy, policy_is_back),
    Chapter(
        "Somebody writes the approved policy in other words",
        reword_policy,
        wording_is_left,
        quiet=True,
    ),
    Chapter("Terraform and the guard write against each other", fight_over_policy, fight_is_ended),
    Chapter("Ops roll the policy back for two hours", roll_policy_back, rollback_was_kept),
    Chapter("Somebody deletes the endpoint", delete_endpoint, endpoint_is_back),
    Chapter(
        "Rotation is turned on in a second VPC, whose events were lost",
        enable_rotation,
        rotation_is_served,
    ),
    Chapter("A third AZ gets a subnet", add_zone, zone_is_served),
    Chapter(
        "Rotation is turned on with a function that its security group lets nowhere",
        rotate_behind_closed_doors,
        obstruction_is_published,
    ),
    Chapter(
        "A deployment changes the approved policy",
        change_policy,
        one_endpoint_tried_it_first,
        deploys=True,
    ),
    Chapter(
        "A developer reads a secret over the internet, and Slack is busy",
        read_over_internet,
        bypass_is_published,
    ),
    Chapter(
        "The application reads it through the endpoint",
        read_through_endpoint,
        nobody_is_bothered,
        quiet=True,
    ),
    Chapter(
        "An AWS service reads it on the owner's behalf",
        read_by_service,
        nobody_is_bothered,
        quiet=True,
    ),
    Chapter(
        "A build that a reviewed exception covers reads it over the internet",
        except_caller,
        caller_stays_quiet,
        quiet=True,
        deploys=True,
    ),
    Chapter(
        "The endpoint's policy refuses a person who sits inside the VPC",
        ask_through_endpoint,
        refusal_is_published,
    ),
    Chapter(
        "Somebody lets a secret that is bound to the VPCs be read from outside",
        open_perimeter,
        opening_is_published,
    ),
    Chapter(
        "An application reads it by the NAT gateway of a VPC that the guard never heard of",
        read_round_no_endpoint,
        bypass_led_to_repair,
    ),
    Chapter("Terraform brings an endpoint of its own", bring_endpoint, theirs_is_kept),
    Chapter("Terraform destroys the first VPC", tear_down, vpc_is_let_go),
    Chapter("A heartbeat is sent", send_heartbeat, heartbeat_came_through, quiet=True),
    Chapter("Somebody blinds the guard with one call", blind_the_guard, blindness_is_published),
    Chapter(
        "The developer reads the secret twelve times more, and an hour passes",
        read_again_and_again,
        repeats_are_summed_up,
    ),
    Chapter("Six hours later the sweep checks everything", sweep, all_is_well, quiet=True),
)
