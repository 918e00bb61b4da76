"""The guard among Terraform, CloudFormation, people and a bill: events in, end state out."""

import json
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from emulator import Cloud
from emulator.cloudtrail import envelope
from emulator.strict import options
from guard.endpoint.groups import group_name
from guard.reconcile.batch import BACKED_OFF
from tests.reactions.account import SERVICE, Account, kinds, make_endpoint, writes

ENSURE = "EnsureEndpointFunction"
SLACK = "/vpce-guard/slack-webhook"


def endpoint_of_theirs(account: Account, vpc_id: str, subnets, *, private_dns: bool) -> str:
    if private_dns:
        account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
    return make_endpoint(account, vpc_id, subnets, private_dns=private_dns)


def groups_of_ours(account: Account, vpc_id: str) -> list[str]:
    found = account.ec2.describe_security_groups(
        Filters=[
            {"Name": "vpc-id", "Values": [vpc_id]},
            {"Name": "tag:vpce-guard:managed", "Values": ["true"]},
        ]
    )["SecurityGroups"]
    return [group["GroupId"] for group in found]


def recorded(account: Account, endpoint_id: str) -> None:
    """As if the guard had made it: tags alone prove nothing."""
    item = {"pk": {"S": f"made#123456789012/us-east-1/{endpoint_id}"}, "made_at": {"N": "1"}}
    table = account.cloud.resource("StateTable")
    account.client("dynamodb").put_item(TableName=table, Item=item)


def findings(cloud: Cloud, kind: str):
    return [one for one in cloud.findings if one["kind"] == kind]


def created_at(cloud: Cloud):
    return [
        call.when
        for call in cloud.calls
        if call.function == ENSURE and call.action == "CreateVpcEndpoint" and not call.error
    ]


# Grace.


def test_an_endpoint_is_created_only_after_the_grace(cloud, account):
    began = cloud.clock.now()
    vpc_id, _ = account.vpc_with_subnets()

    cloud.settle()

    (when,) = created_at(cloud)
    assert timedelta(minutes=10) <= when - began < timedelta(minutes=11)
    created = findings(cloud, "endpoint-created")[0]
    assert created["evidence"]["who"] == ["arn:aws:iam::123456789012:user/alice"]
    assert created["evidence"]["triggered_by"] == ["CreateVpc", "CreateSubnet"]
    assert len(account.endpoints(vpc_id)) == 1


def test_infrastructure_code_that_brings_its_endpoint_in_time_keeps_it(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.route()
    theirs = endpoint_of_theirs(account, vpc_id, subnets, private_dns=True)

    cloud.settle()

    (endpoint,) = account.endpoints(vpc_id)
    assert endpoint["VpcEndpointId"] == theirs
    assert "CreateVpcEndpoint" not in writes(cloud, ENSURE)
    assert "DeleteVpcEndpoints" not in writes(cloud, ENSURE)


def test_a_grace_longer_than_a_queue_can_delay_is_a_chain(deployed):
    account = deployed(GraceMinutes="40")
    began = account.cloud.clock.now()
    account.vpc_with_subnets()

    account.cloud.settle()

    (when,) = created_at(account.cloud)
    assert timedelta(minutes=40) <= when - began < timedelta(minutes=41)
    delays = [
        call.params["DelaySeconds"]
        for call in account.cloud.calls
        if call.function == ENSURE and call.action == "SendMessage"
    ]
    assert max(delays) == 900


def test_no_grace_means_at_once(deployed):
    account = deployed(GraceMinutes="0")
    began = account.cloud.clock.now()
    account.vpc_with_subnets()

    account.cloud.settle()

    (when,) = created_at(account.cloud)
    assert when - began < timedelta(minutes=1)


def test_another_event_does_not_end_the_grace_early(cloud, account):
    began = cloud.clock.now()
    vpc_id, _ = account.vpc_with_subnets()
    account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
    cloud.fire_schedule("ScheduleRule")

    cloud.settle()

    (when,) = created_at(cloud)
    assert when - began >= timedelta(minutes=10)


def test_a_repair_does_not_wait(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    began = cloud.clock.now()

    account.subnet(vpc_id, "10.20.9.0/24", "us-east-1d")
    cloud.settle()

    repaired = [c.when for c in cloud.calls if c.function and c.action == "ModifyVpcEndpoint"]
    assert repaired[0] - began < timedelta(minutes=1)


# An endpoint of their own that comes later.


def test_ours_yields_to_an_endpoint_of_theirs_which_is_repaired(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    (ours,) = account.endpoints(vpc_id)
    theirs = endpoint_of_theirs(account, vpc_id, subnets[:1], private_dns=False)

    cloud.settle()

    (endpoint,) = account.endpoints(vpc_id)
    assert endpoint["VpcEndpointId"] == theirs != ours["VpcEndpointId"]
    assert endpoint["PrivateDnsEnabled"] is True
    assert sorted(endpoint["SubnetIds"]) == sorted(subnets)
    assert account.admitted_to_https([g["GroupId"] for g in endpoint["Groups"]]) == {"10.20.0.0/16"}
    done = writes(cloud, ENSURE)
    assert done.index("DeleteVpcEndpoints") < done.index("ModifyVpcEndpoint")
    assert findings(cloud, "endpoint-yielded")[0]["evidence"]["endpoint_id"] == theirs
    assert "endpoint-not-repairable" not in kinds(cloud)
    assert cloud.dead_letters("VpcQueue") == []


def test_of_several_that_yield_what_was_deleted_is_published_and_no_more(cloud, account):
    """AWS refuses to delete the second."""
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    tags = {"vpce-guard:managed": "true", "vpce-guard:stack": cloud.deployment.stack_id}
    second = endpoint_of_theirs(account, vpc_id, subnets[:1], private_dns=False)
    cloud.lose_events()
    account.ec2.create_tags(
        Resources=[second], Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
    )
    recorded(account, second)
    cloud.lose_events()
    ours = sorted(one["VpcEndpointId"] for one in account.endpoints(vpc_id))
    options.kept_endpoints = {ours[1]}
    endpoint_of_theirs(account, vpc_id, subnets[:1], private_dns=False)
    cloud.settle()

    done = [line for one in findings(cloud, "endpoint-yielded") for line in one["done"]]
    left = {one["VpcEndpointId"] for one in account.endpoints(vpc_id)}
    assert done == [f"delete our endpoint {one}" for one in ours if one not in left]


def test_ours_does_not_yield_to_an_endpoint_that_is_left_alone(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    theirs = endpoint_of_theirs(account, vpc_id, subnets, private_dns=False)
    account.ec2.create_tags(Resources=[theirs], Tags=[{"Key": "vpce-guard:ignore", "Value": ""}])

    cloud.settle()

    assert len(account.endpoints(vpc_id)) == 2
    assert "DeleteVpcEndpoints" not in writes(cloud, ENSURE)


def test_ours_does_not_yield_in_a_vpc_that_is_left_alone(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    (ours,) = account.endpoints(vpc_id)
    account.ec2.create_tags(Resources=[vpc_id], Tags=[{"Key": "vpce-guard:ignore", "Value": ""}])
    endpoint_of_theirs(account, vpc_id, subnets, private_dns=False)

    cloud.settle()

    assert ours["VpcEndpointId"] in {one["VpcEndpointId"] for one in account.endpoints(vpc_id)}
    assert "DeleteVpcEndpoints" not in writes(cloud, ENSURE)


def test_two_guards_do_not_yield_to_each_other(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    account.ec2.create_vpc_endpoint(
        VpcId=vpc_id,
        ServiceName=SERVICE,
        VpcEndpointType="Interface",
        SubnetIds=subnets,
        PrivateDnsEnabled=False,
        TagSpecifications=[
            {
                "ResourceType": "vpc-endpoint",
                "Tags": [
                    {"Key": "vpce-guard:managed", "Value": "true"},
                    {"Key": "vpce-guard:stack", "Value": "arn:aws:cloudformation:...:other/1"},
                ],
            }
        ],
    )

    cloud.settle()

    assert "DeleteVpcEndpoints" not in writes(cloud, ENSURE)


def test_in_observe_mode_ours_stays_and_ops_are_notified(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    (ours,) = account.endpoints(vpc_id)
    observe(cloud, account)
    endpoint_of_theirs(account, vpc_id, subnets, private_dns=False)

    cloud.settle()

    assert ours["VpcEndpointId"] in {one["VpcEndpointId"] for one in account.endpoints(vpc_id)}
    todo = findings(cloud, "endpoint-drift")[0]["todo"]
    assert f"the guard would delete our endpoint {ours['VpcEndpointId']}" in todo


def observe(cloud: Cloud, account: Account) -> None:
    parameter = cloud.outputs["ModeParameterName"]
    account.client("ssm").put_parameter(Name=parameter, Value="observe", Overwrite=True)
    cloud.lose_events()  # of the switch itself, which watch_guard would publish
    cloud.clock.skip(61)


# Tear-down.


def retried(cloud: Cloud, delete, **what: str) -> int:
    """What Terraform does with a deletion: again and again while something is in use."""
    for tries in range(1, 31):
        try:
            delete(**what)
            return tries
        except ClientError as error:
            if error.response["Error"]["Code"] != "DependencyViolation":
                raise
        cloud.pass_time(timedelta(seconds=20))
    raise AssertionError(f"{what} cannot be deleted: {cloud.calls[-5:]}")


def test_terraform_destroy_succeeds_by_itself(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()

    tries = [retried(cloud, account.ec2.delete_subnet, SubnetId=one) for one in subnets]
    retried(cloud, account.ec2.delete_vpc, VpcId=vpc_id)

    assert tries[0] > 1
    assert account.ec2.describe_vpcs()["Vpcs"] == []
    assert writes(cloud, ENSURE).count("DeleteVpcEndpoints") == 1
    assert writes(cloud, ENSURE).count("CreateVpcEndpoint") == 1
    published = findings(cloud, "stood-down")
    assert [len(one["done"]) for one in published] == [1, 1]
    assert "being torn down" in published[0]["title"]
    cloud.settle()
    assert cloud.dead_letters("VpcQueue") == []


def test_a_vpc_without_subnets_left_is_let_go_as_well(cloud, account):
    """Only our group is left: somebody deleted our endpoint and the subnets by hand."""
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    (ours,) = account.endpoints(vpc_id)
    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[ours["VpcEndpointId"]])
    cloud.lose_events()
    cloud.clock.skip(120)
    for subnet in subnets:
        account.ec2.delete_subnet(SubnetId=subnet)
    cloud.lose_events()

    retried(cloud, account.ec2.delete_vpc, VpcId=vpc_id)

    assert account.ec2.describe_vpcs()["Vpcs"] == []


def test_what_was_torn_down_is_not_made_again_until_it_is_used_again(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    retried(cloud, account.ec2.delete_subnet, SubnetId=subnets[0])
    cloud.settle()
    assert groups_of_ours(account, vpc_id) == []

    for _ in range(2):
        cloud.fire_schedule("ScheduleRule")
        cloud.settle()
    account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": False})
    cloud.settle()
    assert account.endpoints(vpc_id) == []

    account.subnet(vpc_id, "10.20.8.0/24", "us-east-1c")
    cloud.settle()
    assert len(account.endpoints(vpc_id)) == 1


def test_a_rotation_ends_the_stand_down(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    retried(cloud, account.ec2.delete_subnet, SubnetId=subnets[0])
    function, secret = account.function("rotate", subnets[1:]), account.secret("db")

    account.client("secretsmanager").rotate_secret(SecretId=secret, RotationLambdaARN=function)
    cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1


def test_an_event_from_before_the_tear_down_does_not_end_the_stand_down(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    early = [one for one in cloud.records if one["eventName"] == "CreateSubnet"]
    cloud.settle()
    cloud.clock.skip(5)
    retried(cloud, account.ec2.delete_subnet, SubnetId=subnets[0])

    cloud.inject(*(envelope(one) for one in early))
    cloud.settle()

    assert account.endpoints(vpc_id) == []


def test_somebody_else_s_dependency_is_not_our_business(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    # After the endpoint, which might otherwise stand in this subnet: its AZ has two then.
    third = account.subnet(vpc_id, "10.20.7.0/24", "us-east-1a")
    cloud.settle()
    account.ec2.create_network_interface(SubnetId=third)
    done = writes(cloud, ENSURE)

    with pytest.raises(ClientError, match="DependencyViolation"):
        account.ec2.delete_subnet(SubnetId=third)
    cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1
    assert writes(cloud, ENSURE) == done


def attempted(cloud: Cloud, delete, **what: str) -> None:
    """A deletion that fails, and all that comes of it at once."""
    with pytest.raises(ClientError, match="DependencyViolation"):
        delete(**what)
    cloud.pass_time(timedelta(minutes=3))


def test_a_tear_down_that_could_not_be_read_at_once_is_answered_later(cloud, account):
    """EC2 throttles the read of the interfaces; a later attempt must know of the deletion, too."""
    _, subnets = account.vpc_with_subnets()
    cloud.settle()
    slow = cloud.fault(
        "ec2", "DescribeNetworkInterfaces", "RequestLimitExceeded", times=4, function=ENSURE
    )
    with pytest.raises(ClientError, match="DependencyViolation"):
        account.ec2.delete_subnet(SubnetId=subnets[0])
    cloud.pass_time(timedelta(minutes=5))

    assert slow.times == 0
    account.ec2.delete_subnet(SubnetId=subnets[0])
    assert len(findings(cloud, "stood-down")) >= 1


def test_the_builders_keep_their_time_when_the_table_is_busy(cloud, account):
    began = cloud.clock.now()
    busy = cloud.fault("dynamodb", "GetItem", "ThrottlingException", times=2, function=ENSURE)
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()

    assert busy.times == 0
    assert len(account.endpoints(vpc_id)) == 1
    assert created_at(cloud)[-1] - began >= timedelta(minutes=10)


def test_a_message_of_several_vpcs_is_requeued_once(cloud, account):
    vpc_ids = [account.vpc_with_subnets()[0] for _ in range(3)]
    cloud.settle()
    ids = [one["VpcEndpointId"] for vpc_id in vpc_ids for one in account.endpoints(vpc_id)]
    account.ec2.delete_vpc_endpoints(VpcEndpointIds=ids)
    cloud.clock.skip(120)
    busy = cloud.fault("dynamodb", "GetItem", "ThrottlingException", times=6, function=ENSURE)
    since = len(cloud.calls)
    cloud.settle()

    assert busy.times == 0
    sent = [one for one in cloud.calls[since:] if one.action == "SendMessage"]
    assert len([one for one in sent if BACKED_OFF in json.dumps(one.params)]) == 1
    assert [len(account.endpoints(vpc_id)) for vpc_id in vpc_ids] == [1, 1, 1]


@pytest.mark.parametrize("error", ["RequestLimitExceeded", "InternalError"])
def test_a_deletion_that_was_not_made_is_not_published_when_the_vpc_is_used_again(
    cloud, account, error
):
    """The tear-down's message comes back after a use, and our endpoint is still there."""
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    cloud.clock.skip(30)
    fault = cloud.fault("ec2", "DeleteVpcEndpoints", error, times=2, function=ENSURE)
    with pytest.raises(ClientError, match="DependencyViolation"):
        account.ec2.delete_subnet(SubnetId=subnets[0])
    for _ in range(70):  # the batch window, and not the next try
        if fault.times:
            cloud.pass_time(timedelta(seconds=1))
    assert fault.times == 0
    cloud.clock.skip(1)
    account.subnet(vpc_id, "10.20.8.0/24", "us-east-1a")
    cloud.settle()

    assert [one["State"] for one in account.endpoints(vpc_id)] == ["available"]
    assert findings(cloud, "stood-down") == []


def test_a_failed_deletion_of_a_living_vpc_is_no_lever(cloud, account):
    """The VPC has subnets, and in the subnet something else is: the endpoint is not what holds."""
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    for subnet in subnets:
        account.ec2.create_network_interface(SubnetId=subnet)
    done, published = writes(cloud, ENSURE), len(cloud.findings)

    attempted(cloud, account.ec2.delete_vpc, VpcId=vpc_id)
    attempted(cloud, account.ec2.delete_subnet, SubnetId=subnets[0])
    cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1
    assert writes(cloud, ENSURE) == done
    assert len(cloud.findings) == published


def test_a_vpc_that_has_subnets_does_not_lose_its_endpoint_to_delete_vpc(cloud, account):
    """EC2 would not delete it without our endpoint either, be it idle or not."""
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()

    attempted(cloud, account.ec2.delete_vpc, VpcId=vpc_id)

    assert len(account.endpoints(vpc_id)) == 1
    assert findings(cloud, "stood-down") == []


@pytest.mark.parametrize("name", ["DeleteVpc", "DeleteSubnet"])
def test_a_forged_tear_down_takes_nothing_from_a_living_vpc(cloud, account, name):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    account.ec2.create_network_interface(SubnetId=subnets[0])
    with pytest.raises(ClientError, match="DependencyViolation"):
        account.ec2.delete_subnet(SubnetId=subnets[0])
    forged = envelope(cloud.records[-1])
    cloud.lose_events()
    forged["detail"] |= {
        "eventName": name,
        "eventTime": "2099-01-01T00:00:00Z",
        "requestParameters": {"vpcId": vpc_id, "subnetId": subnets[0]},
    }

    account.client("sqs").send_message(
        QueueUrl=cloud.resource("VpcQueue"), MessageBody=json.dumps(forged)
    )
    cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1
    assert findings(cloud, "stood-down") == []


def test_whoever_never_deletes_the_subnet_has_not_moved_the_endpoint_for_good(cloud, account):
    """Nor does a time of the event that has yet to come make it last longer."""
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    account.ec2.create_network_interface(SubnetId=subnets[1])
    with pytest.raises(ClientError, match="DependencyViolation"):
        account.ec2.delete_subnet(SubnetId=subnets[0])
    late = envelope(cloud.records[-1])
    cloud.lose_events()
    late["detail"]["eventTime"] = "2099-01-01T00:00:00Z"
    cloud.inject(late)

    cloud.pass_time(timedelta(minutes=5))
    assert account.endpoints(vpc_id)[0]["SubnetIds"] == subnets[1:]
    # What the guard made is not in the way any more: such attempts make it wait no longer.
    cloud.clock.skip(600)
    account.ec2.create_network_interface(SubnetId=subnets[0])
    attempted(cloud, account.ec2.delete_subnet, SubnetId=subnets[0])
    cloud.pass_time(timedelta(minutes=10))

    (endpoint,) = account.endpoints(vpc_id)
    assert sorted(endpoint["SubnetIds"]) == sorted(subnets)


def test_an_opted_out_vpc_is_let_go_too(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    account.ec2.create_tags(Resources=[vpc_id], Tags=[{"Key": "vpce-guard:ignore", "Value": ""}])

    for subnet in subnets:
        retried(cloud, account.ec2.delete_subnet, SubnetId=subnet)

    assert account.endpoints(vpc_id) == []


# Ownership.


def test_what_is_not_ours_is_never_deleted(cloud, account):
    """Their endpoint, and a group that bears our name but not our stack's tags, in a tear-down."""
    vpc_id, subnets = account.vpc_with_subnets(tags={"vpce-guard:ignore": ""})
    theirs = endpoint_of_theirs(account, vpc_id, subnets, private_dns=True)
    group = account.ec2.create_security_group(
        GroupName=group_name(vpc_id, cloud.deployment.stack_id), Description="theirs", VpcId=vpc_id
    )["GroupId"]
    account.ec2.create_tags(
        Resources=[theirs, group],
        Tags=[
            {"Key": "vpce-guard:managed", "Value": "true"},
            {"Key": "vpce-guard:stack", "Value": "arn:aws:cloudformation:...:other/1"},
        ],
    )
    cloud.settle()

    for attempt in (
        lambda: account.ec2.delete_subnet(SubnetId=subnets[0]),
        lambda: account.ec2.delete_vpc(VpcId=vpc_id),
    ):
        with pytest.raises(ClientError, match="DependencyViolation"):
            attempt()
        cloud.settle()

    assert [one["VpcEndpointId"] for one in account.endpoints(vpc_id)] == [theirs]
    assert writes(cloud, ENSURE) == []


def test_a_refusal_to_delete_is_published(cloud, account):
    cloud.fault(service="ec2", action="DeleteVpcEndpoints", error="UnauthorizedOperation", times=9)
    _, subnets = account.vpc_with_subnets()
    cloud.settle()

    with pytest.raises(ClientError, match="DependencyViolation"):
        account.ec2.delete_subnet(SubnetId=subnets[0])
    cloud.settle()

    (published,) = findings(cloud, "stood-down")
    assert published["severity"] == "high"
    assert "UnauthorizedOperation" in published["cause"]


# Scope.


@pytest.mark.parametrize(
    ("scope", "tags", "served"),
    [
        ("tagged", {"team:guarded": ""}, True),
        ("tagged", {}, False),
        ("tagged", {"team:guarded": "", "vpce-guard:ignore": ""}, False),
        ("not-default", {}, True),
        ("rotation", {}, False),
    ],
)
def test_scope(deployed, scope, tags, served):
    account = deployed({"SCOPE_TAG": "team:guarded"}, Scope=scope)
    vpc_id, _ = account.vpc_with_subnets(tags=tags)

    account.cloud.settle()
    account.cloud.fire_schedule("ScheduleRule")
    account.cloud.settle()

    assert bool(account.endpoints(vpc_id)) is served


def test_the_default_vpc_is_left_out_where_that_is_set(deployed):
    account = deployed(Scope="not-default")
    account.ec2.create_default_vpc()
    (vpc,) = account.ec2.describe_vpcs()["Vpcs"]

    account.cloud.settle()

    assert vpc["IsDefault"]
    assert account.endpoints(vpc["VpcId"]) == []


def test_vpcs_with_rotation_functions_are_found_by_the_secrets_that_rotate(deployed):
    account = deployed(Scope="rotation")
    vpc_id, subnets = account.vpc_with_subnets()
    other, _ = account.vpc_with_subnets()
    function, secret = account.function("rotate", subnets), account.secret("db")
    account.client("secretsmanager").rotate_secret(
        SecretId=secret,
        RotationLambdaARN=function,
        RotationRules={"AutomaticallyAfterDays": 30},
    )
    account.cloud.lose_events()

    account.cloud.fire_schedule("ScheduleRule")
    account.cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1
    assert account.endpoints(other) == []


# Cost.


def test_the_price_is_in_the_finding(cloud, account):
    account.vpc_with_subnets()

    cloud.settle()

    created = findings(cloud, "endpoint-created")[0]
    assert created["evidence"]["monthly_price_usd"] == 14.60
    assert "$14.60 a month" in created["cause"]


def test_the_price_is_in_what_would_be_done(cloud, account):
    observe(cloud, account)
    account.vpc_with_subnets()

    cloud.settle()

    assert any("$14.60 a month" in one for one in findings(cloud, "endpoint-drift")[0]["todo"])


def test_beyond_the_creations_of_an_hour_there_is_a_finding_and_later_an_endpoint(deployed):
    account = deployed({"MAXIMUM_CREATIONS_PER_HOUR": "2"})
    vpc_ids = [account.vpc_with_subnets()[0] for _ in range(3)]

    account.cloud.settle()

    served = [bool(account.endpoints(one)) for one in vpc_ids]
    assert sum(served) == 2
    (published,) = findings(account.cloud, "cost-limit-reached")
    assert published["resource"] == vpc_ids[served.index(False)]
    assert "2 endpoints were created within an hour" in published["title"]

    account.cloud.settle(until=timedelta(hours=6))
    assert all(account.endpoints(one) for one in vpc_ids)


def test_beyond_the_monthly_budget_there_is_a_finding(deployed):
    account = deployed({"PRICE_PER_AZ_HOUR": "0.011"}, MonthlyBudget="20")
    vpc_ids = [account.vpc_with_subnets()[0] for _ in range(2)]

    account.cloud.settle()

    assert sum(bool(account.endpoints(one)) for one in vpc_ids) == 1
    (published,) = findings(account.cloud, "cost-limit-reached")
    assert published["evidence"]["monthly_price_usd"] == 16.06
    assert "monthly budget of $20" in published["title"]


def test_an_endpoint_made_again_in_the_month_is_not_charged_again(deployed):
    account = deployed(MonthlyBudget="20")
    vpc_id, _ = account.vpc_with_subnets()
    account.cloud.settle()
    (first,) = account.endpoints(vpc_id)

    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[first["VpcEndpointId"]])
    account.cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1
    assert findings(account.cloud, "cost-limit-reached") == []


# Fights.


def test_a_fight_is_left_after_the_budget_and_escalated_once(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()

    for number in range(9):
        attribute = "EnableDnsHostnames" if number % 2 else "EnableDnsSupport"
        account.ec2.modify_vpc_attribute(VpcId=vpc_id, **{attribute: {"Value": False}})
        cloud.settle()

    (published,) = findings(cloud, "change-budget-spent")
    assert published["severity"] == "high"
    assert "user/alice" in published["cause"]
    assert published["evidence"]["left_alone_until"]
    before = len(writes(cloud, ENSURE))
    account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": False})
    cloud.settle()
    assert len(writes(cloud, ENSURE)) == before

    cloud.settle(until=timedelta(hours=6))
    assert account.dns_attributes(vpc_id) == (True, True)


# What could not be published at once.


def test_a_finding_that_sns_refused_is_published_when_the_message_comes_back(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    (endpoint,) = account.endpoints(vpc_id)
    before = writes(cloud, ENSURE).count("ModifyVpcEndpoint")
    cloud.fault(
        service="sns", action="PublishBatch", error="InternalError", times=2, function=ENSURE
    )
    account.ec2.modify_vpc_endpoint(
        VpcEndpointId=endpoint["VpcEndpointId"], PrivateDnsEnabled=False
    )

    cloud.settle()

    assert account.endpoints(vpc_id)[0]["PrivateDnsEnabled"]
    (published,) = findings(cloud, "endpoint-repaired")
    assert "(reported late)" in published["title"]
    assert any("private DNS" in step for step in published["done"])
    assert writes(cloud, ENSURE).count("ModifyVpcEndpoint") == before + 1


def test_a_restoration_that_could_not_be_published_is_published_late(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    (endpoint,) = account.endpoints(vpc_id)
    cloud.fault(
        service="sns",
        action="PublishBatch",
        error="InternalError",
        times=2,
        function="RestorePolicyFunction",
    )

    account.ec2.modify_vpc_endpoint(
        VpcEndpointId=endpoint["VpcEndpointId"],
        PolicyDocument=json.dumps(
            {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
        ),
    )
    cloud.settle()

    (published,) = findings(cloud, "policy-restored")
    assert "(reported late)" in published["title"]
    assert published["evidence"]["changed_by"].startswith("arn:aws:iam::123456789012:user/alice")


def test_a_withdrawal_that_could_not_be_published_is_published_late(cloud, account):
    _, subnets = account.vpc_with_subnets()
    cloud.settle()
    cloud.fault(
        service="sns", action="PublishBatch", error="InternalError", times=2, function=ENSURE
    )

    with pytest.raises(ClientError, match="DependencyViolation"):
        account.ec2.delete_subnet(SubnetId=subnets[0])
    cloud.settle()

    done = [step for one in findings(cloud, "stood-down") for step in one["done"]]
    assert sum("delete our endpoint" in step for step in done) == 1
    assert sum("delete our security group" in step for step in done) == 1
