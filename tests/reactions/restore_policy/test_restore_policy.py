"""Events in, endpoint policies and alerts out: reaction 2 on the emulator."""

import json
from datetime import timedelta

import pytest
from moto.ec2.models import ec2_backends

from emulator import Caller, Cloud
from tests.reactions.account import ALLOW_ALL, SERVICE, Account, kinds, make_endpoint, writes

RESTORE = "RestorePolicyFunction"


@pytest.fixture
def endpoint(account, endpoint_id):
    """A guarded endpoint, settled; its id and policy."""
    return endpoint_id, account.policy(endpoint_id)


def test_a_replaced_policy_is_put_back_and_the_one_who_did_it_named(cloud, account, endpoint):
    endpoint_id, approved = endpoint
    mallory = Account(cloud, "mallory")

    mallory.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PolicyDocument=json.dumps(ALLOW_ALL))
    cloud.settle()

    assert account.policy(endpoint_id) == approved
    finding = cloud.findings[-1]
    assert (finding["kind"], finding["severity"]) == ("policy-restored", "high")
    assert "user/mallory" in finding["evidence"]["changed_by"]
    assert any("everyone" in one["difference"] for one in finding["evidence"]["difference"])


def test_our_own_write_coming_back_changes_nothing(cloud, account, endpoint):
    endpoint_id, _ = endpoint
    account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PolicyDocument=json.dumps(ALLOW_ALL))

    cloud.settle()

    # One write for one change, although each write is an event that sets the reaction off again.
    assert writes(cloud, RESTORE) == ["ModifyVpcEndpoint"]
    assert kinds(cloud).count("policy-restored") == 1


def test_the_same_meaning_in_other_words_is_left_as_it_is(cloud, account, endpoint):
    endpoint_id, approved = endpoint
    reworded = json.loads(json.dumps(approved))
    reworded["Statement"] = reworded["Statement"][::-1]
    for statement in reworded["Statement"]:
        statement["Sid"] = ""
        statement["Principal"] = (
            {"AWS": "*"} if statement["Principal"] == "*" else statement["Principal"]
        )
    assert json.dumps(reworded) != json.dumps(approved)

    account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PolicyDocument=json.dumps(reworded))
    cloud.settle()

    assert writes(cloud, RESTORE) == []
    assert "policy-restored" not in kinds(cloud)


def test_an_endpoint_made_by_hand_gets_the_approved_policy(cloud, account, endpoint):
    _, approved = endpoint
    vpc_id = account.vpc("10.77.0.0/16")
    subnet = account.subnet(vpc_id, "10.77.0.0/24", "us-east-1a")
    made = make_endpoint(account, vpc_id, [subnet])

    cloud.settle()

    assert account.policy(made) == approved
    assert len(account.endpoints(vpc_id)) == 1
    assert severities(cloud, made) == ["low"]  # AWS's default policy, and nobody opened anything


def severities(cloud, endpoint_id: str) -> list[str]:
    """Of the restorations of an endpoint."""
    of = [one for one in cloud.findings if one["resource"] == endpoint_id]
    return [one["severity"] for one in of if one["kind"] == "policy-restored"]


@pytest.mark.parametrize("later", ["opened anew", "made with it", "old"])
def test_only_a_new_endpoint_with_the_default_policy_is_no_high_restoration(
    cloud, account, endpoint, later
):
    vpc_id = account.vpc("10.77.0.0/16")
    subnet = account.subnet(vpc_id, "10.77.0.0/24", "us-east-1a")
    if later == "made with it":
        open_ = {"Statement": [{**ALLOW_ALL["Statement"][0], "Action": "secretsmanager:*"}]}
        made = account.ec2.create_vpc_endpoint(
            VpcId=vpc_id,
            ServiceName=SERVICE,
            VpcEndpointType="Interface",
            SubnetIds=[subnet],
            PolicyDocument=json.dumps({"Version": "2012-10-17", **open_}),
            PrivateDnsEnabled=False,
        )["VpcEndpoint"]["VpcEndpointId"]
        cloud.settle()
        assert severities(cloud, made) == ["high"]
        return
    made = make_endpoint(account, vpc_id, [subnet])
    if later == "old":
        cloud.clock.skip(seconds=1900)
    cloud.settle()
    if later == "opened anew":
        account.ec2.modify_vpc_endpoint(VpcEndpointId=made, PolicyDocument=json.dumps(ALLOW_ALL))
        cloud.settle()
    assert severities(cloud, made)[-1] == "high"


TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.9.8 terraform-provider-aws/5.72.1 m/Q aws-sdk-go-v2"


@pytest.mark.parametrize(
    ("named", "severity"), [({}, "medium"), ({"Version": "2012-10-17"}, "high")]
)
def test_in_observe_mode_a_new_endpoint_of_terraform_is_no_grave_drift(named, severity):
    """Terraform names no policy, so AWS gives its default one: nobody has opened anything. Where it
    names one that is open, somebody has.
    """
    open_ = {**ALLOW_ALL["Statement"][0], "Action": "secretsmanager:*"}
    policy = {"PolicyDocument": json.dumps({**named, "Statement": [open_]})} if named else {}
    with Cloud.start({"Mode": "observe", "GraceMinutes": "0"}) as cloud:
        vpc_id, subnets = Account(cloud).vpc_with_subnets()
        caller = Caller(kind="role", user_agent=TERRAFORM)
        terraform = cloud.session("terraform", caller).client("ec2")
        made = terraform.create_vpc_endpoint(
            VpcId=vpc_id,
            ServiceName=SERVICE,
            VpcEndpointType="Interface",
            SubnetIds=subnets,
            PrivateDnsEnabled=False,
            **policy,
        )["VpcEndpoint"]["VpcEndpointId"]
        cloud.settle()
        drifts = [one for one in cloud.findings if one["kind"] == "policy-drift"]
    assert [(one["resource"], one["severity"]) for one in drifts] == [(made, severity)]
    assert "role/terraform" in drifts[0]["cause"]
    assert "with Terraform" in drifts[0]["cause"]


def test_an_endpoint_of_another_service_is_none_of_ours(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets(tags={"vpce-guard:ignore": ""})
    cloud.lose_events()  # the tag itself is published
    made = account.ec2.create_vpc_endpoint(
        VpcId=vpc_id,
        ServiceName="com.amazonaws.us-east-1.sqs",
        VpcEndpointType="Interface",
        SubnetIds=subnets,
        PrivateDnsEnabled=False,
    )["VpcEndpoint"]["VpcEndpointId"]
    account.ec2.modify_vpc_endpoint(VpcEndpointId=made, PolicyDocument=json.dumps(ALLOW_ALL))

    cloud.settle()

    assert (writes(cloud, RESTORE), kinds(cloud)) == ([], [])


def test_an_opted_out_endpoint_keeps_its_policy(cloud, account, endpoint):
    endpoint_id, _ = endpoint
    account.ec2.create_tags(
        Resources=[endpoint_id], Tags=[{"Key": "vpce-guard:ignore", "Value": ""}]
    )

    account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PolicyDocument=json.dumps(ALLOW_ALL))
    cloud.settle()

    assert account.policy(endpoint_id)["Statement"] == ALLOW_ALL["Statement"]


def test_observe_mode_reports_and_leaves(cloud, account, endpoint):
    endpoint_id, _ = endpoint
    parameter = cloud.outputs["ModeParameterName"]
    account.client("ssm").put_parameter(Name=parameter, Value="observe", Overwrite=True)
    cloud.lose_events()  # of the switch itself, which watch_guard would publish
    cloud.clock.skip(61)  # the mode is cached for a minute

    account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PolicyDocument=json.dumps(ALLOW_ALL))
    cloud.settle()

    assert account.policy(endpoint_id)["Statement"] == ALLOW_ALL["Statement"]
    assert kinds(cloud)[-1] == "policy-drift"


def test_throttling_only_delays(cloud, account, endpoint):
    endpoint_id, approved = endpoint
    cloud.fault(
        service="ec2",
        action="ModifyVpcEndpoint",
        error="RequestLimitExceeded",
        times=4,
        function=RESTORE,
    )

    account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PolicyDocument=json.dumps(ALLOW_ALL))
    cloud.settle()

    assert account.policy(endpoint_id) == approved


def test_a_refused_write_is_published(cloud, account, endpoint):
    endpoint_id, _ = endpoint
    cloud.fault(
        service="ec2",
        action="ModifyVpcEndpoint",
        error="UnauthorizedOperation",
        times=99,
        function=RESTORE,
    )

    account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PolicyDocument=json.dumps(ALLOW_ALL))
    cloud.settle()

    assert cloud.findings[-1]["kind"] == "policy-not-restorable"
    assert "UnauthorizedOperation" in cloud.findings[-1]["cause"]


@pytest.mark.usefixtures("no_heartbeats")
def test_an_endpoint_that_an_aws_service_made_is_left_alone_and_published_once(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    theirs = make_endpoint(account, vpc_id, subnets)
    ec2_backends[cloud.account][cloud.region].vpc_end_points[theirs].requester_managed = True
    cloud.lose_events()
    for _ in range(3):
        cloud.fire_schedule("ScheduleRule")
        cloud.settle(timedelta(hours=25))

    assert writes(cloud, RESTORE) == []
    published = [one for one in cloud.findings if one["kind"] == "policy-not-restorable"]
    assert [(one["resource"], one["severity"]) for one in published] == [(theirs, "low")]
