"""The guard does no more than it must to what others live in, and says what it did and why."""

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from moto.ec2.models import ec2_backends

from emulator import Caller, Cloud
from guard.settings import OPT_OUT_TAG
from tests.reactions.account import SERVICE, Account, kinds, make_endpoint, writes

ENSURE = "EnsureEndpointFunction"
MANAGED, STACK = "vpce-guard:managed", "vpce-guard:stack"


def findings(cloud: Cloud, kind: str, since: int = 0):
    return [one for one in cloud.findings[since:] if one["kind"] == kind]


def endpoint_of_theirs(account: Account, vpc_id: str, subnets, *, private_dns: bool) -> str:
    """One that lacks nothing but perhaps private DNS."""
    group = account.ec2.create_security_group(GroupName="https", Description="https", VpcId=vpc_id)
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    account.ec2.authorize_security_group_ingress(
        GroupId=group["GroupId"], IpPermissions=[https | {"IpRanges": [{"CidrIp": "10.20.0.0/16"}]}]
    )
    account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
    return account.ec2.create_vpc_endpoint(
        VpcId=vpc_id,
        ServiceName=SERVICE,
        VpcEndpointType="Interface",
        SubnetIds=list(subnets),
        SecurityGroupIds=[group["GroupId"]],
        PrivateDnsEnabled=private_dns,
    )["VpcEndpoint"]["VpcEndpointId"]


def lives_in(account: Account, subnet_id: str) -> None:
    account.ec2.create_network_interface(SubnetId=subnet_id)


def in_use(delete, **what: str) -> None:
    with pytest.raises(ClientError, match="DependencyViolation"):
        delete(**what)


def subnets_of(account: Account, vpc_id: str) -> set[str]:
    return {id_ for one in account.endpoints(vpc_id) for id_ in one["SubnetIds"]}


def tag(account: Account, id_: str, **tags: str) -> None:
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    account.ec2.create_tags(Resources=[id_], Tags=listed)


# One subnet is deleted of a VPC that is lived in.


def test_only_the_deleted_subnet_leaves_the_endpoint_of_a_living_vpc(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets(zones=("us-east-1a", "us-east-1b", "us-east-1c"))
    cloud.settle()
    (before,) = account.endpoints(vpc_id)
    for one in subnets[:2]:
        lives_in(account, one)
    since = len(cloud.findings)

    in_use(account.ec2.delete_subnet, SubnetId=subnets[2])
    cloud.pass_time(timedelta(minutes=3))

    (now,) = account.endpoints(vpc_id)
    assert now["VpcEndpointId"] == before["VpcEndpointId"]
    assert subnets_of(account, vpc_id) == set(subnets[:2])
    (left,) = findings(cloud, "stood-down", since)
    assert left["severity"] == "low"
    assert subnets[2] in left["title"]
    assert "torn down" not in left["title"]
    account.ec2.delete_subnet(SubnetId=subnets[2])
    cloud.settle()
    assert subnets_of(account, vpc_id) == set(subnets[:2])
    assert "DeleteVpcEndpoints" not in writes(cloud, ENSURE)
    assert kinds(cloud)[since:] == ["stood-down"]


@pytest.mark.parametrize("event", ["none", "sweep", "another subnet"])
def test_a_subnet_that_stays_empty_is_added_again_after_twenty_minutes(cloud, account, event):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    lives_in(account, subnets[1])
    in_use(account.ec2.delete_subnet, SubnetId=subnets[0])
    cloud.pass_time(timedelta(minutes=3))
    if event == "sweep":
        cloud.fire_schedule("ScheduleRule")
    if event == "another subnet":
        account.subnet(vpc_id, "10.20.8.0/24", "us-east-1b")

    cloud.pass_time(timedelta(minutes=15))
    assert subnets_of(account, vpc_id) == {subnets[1]}
    cloud.pass_time(timedelta(minutes=6))
    assert subnets_of(account, vpc_id) == set(subnets)


def test_a_subnet_that_is_used_again_is_added_again_at_once(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    lives_in(account, subnets[1])
    in_use(account.ec2.delete_subnet, SubnetId=subnets[0])
    cloud.pass_time(timedelta(minutes=3))
    lives_in(account, subnets[0])

    cloud.fire_schedule("ScheduleRule")
    cloud.pass_time(timedelta(minutes=3))

    assert subnets_of(account, vpc_id) == set(subnets)


def test_another_subnet_of_the_az_takes_the_place_of_the_deleted_one(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    beside = account.subnet(vpc_id, "10.20.9.0/24", "us-east-1a")
    lives_in(account, beside)
    cloud.settle()

    in_use(account.ec2.delete_subnet, SubnetId=subnets[0])
    cloud.pass_time(timedelta(minutes=6))

    assert subnets_of(account, vpc_id) == {beside, subnets[1]}
    account.ec2.delete_subnet(SubnetId=subnets[0])


def test_an_endpoint_in_one_az_alone_moves_to_where_something_lives(deployed):
    account = deployed(MaximumZones="1", GraceMinutes="0")
    cloud = account.cloud
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    (alone,) = subnets_of(account, vpc_id)
    (other,) = set(subnets) - {alone}
    lives_in(account, other)

    in_use(account.ec2.delete_subnet, SubnetId=alone)
    cloud.pass_time(timedelta(minutes=1))

    assert subnets_of(account, vpc_id) == {other}
    assert "DeleteVpcEndpoints" not in writes(cloud, ENSURE)


def test_subnet_by_subnet_the_endpoint_goes_and_with_the_last_the_whole(cloud, account):
    """A tear-down in which something lives until the end."""
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    lives_in(account, subnets[1])
    in_use(account.ec2.delete_subnet, SubnetId=subnets[0])
    cloud.pass_time(timedelta(minutes=3))
    account.ec2.delete_subnet(SubnetId=subnets[0])
    theirs = account.ec2.describe_network_interfaces(
        Filters=[{"Name": "interface-type", "Values": ["interface"]}]
    )["NetworkInterfaces"]
    for one in theirs:
        account.ec2.delete_network_interface(NetworkInterfaceId=one["NetworkInterfaceId"])

    in_use(account.ec2.delete_subnet, SubnetId=subnets[1])
    cloud.pass_time(timedelta(minutes=3))
    account.ec2.delete_subnet(SubnetId=subnets[1])
    cloud.pass_time(timedelta(minutes=3))
    account.ec2.delete_vpc(VpcId=vpc_id)

    assert account.ec2.describe_vpcs()["Vpcs"] == []


def test_what_begins_to_run_in_a_vpc_that_was_torn_down_is_served_at_once(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    in_use(account.ec2.delete_subnet, SubnetId=subnets[0])
    cloud.pass_time(timedelta(minutes=4))
    assert account.endpoints(vpc_id) == []
    lives_in(account, subnets[1])

    cloud.fire_schedule("ScheduleRule")
    cloud.pass_time(timedelta(minutes=3))

    assert subnets_of(account, vpc_id) == {subnets[1]}


def test_a_workload_is_not_blamed_while_a_subnet_is_deleted_beside_it(cloud, account):
    """It uses the endpoint all the time, so nothing bypasses it."""
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    lives_in(account, subnets[1])
    states: set[str] = set()

    in_use(account.ec2.delete_subnet, SubnetId=subnets[0])
    for _ in range(60):
        cloud.pass_time(timedelta(seconds=30))
        states |= {subnets[1] in one["SubnetIds"] for one in account.endpoints(vpc_id)} or {False}

    assert states == {True}
    assert "bypass" not in kinds(cloud)


def test_aws_refuses_to_let_the_endpoint_leave(cloud, account):
    _, subnets = account.vpc_with_subnets()
    cloud.settle()
    lives_in(account, subnets[1])
    cloud.fault("ec2", "ModifyVpcEndpoint", "UnauthorizedOperation", times=9, function=ENSURE)

    in_use(account.ec2.delete_subnet, SubnetId=subnets[0])
    cloud.pass_time(timedelta(minutes=5))

    (published,) = findings(cloud, "stood-down")
    assert published["severity"] == "high"
    assert "UnauthorizedOperation" in published["cause"]


# Whose it is.


def test_an_endpoint_of_theirs_with_the_guards_tags_is_never_deleted(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    theirs = endpoint_of_theirs(account, vpc_id, subnets, private_dns=True)
    cloud.settle()
    mallory = Account(cloud, "mallory")
    tag(mallory, theirs, **{MANAGED: "true", STACK: cloud.deployment.stack_id})

    make_endpoint(mallory, vpc_id, subnets[:1])
    cloud.pass_time(timedelta(minutes=15))
    for one in subnets:
        in_use(mallory.ec2.delete_subnet, SubnetId=one)
    cloud.settle()

    assert theirs in {one["VpcEndpointId"] for one in account.endpoints(vpc_id)}
    assert "DeleteVpcEndpoints" not in writes(cloud, ENSURE)
    published = findings(cloud, "endpoint-not-repairable")
    assert any(theirs in one["title"] and "no record" in one["title"] for one in published)


def test_an_endpoint_of_a_version_before_is_known_by_its_history(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    (ours,) = account.endpoints(vpc_id)
    item = f"made#123456789012/us-east-1/{ours['VpcEndpointId']}"
    account.client("dynamodb").delete_item(
        TableName=cloud.resource("StateTable"), Key={"pk": {"S": item}}
    )
    theirs = make_endpoint(account, vpc_id, subnets)

    cloud.settle()

    assert [one["VpcEndpointId"] for one in account.endpoints(vpc_id)] == [theirs]


def test_a_creation_of_which_the_answer_was_lost_is_the_guards_all_the_same(cloud, account):
    """The process dies, or the table fails, between the creation and its record."""
    cloud.fault("ec2", "CreateVpcEndpoint", "InternalError", times=2, when="after", function=ENSURE)
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    theirs = make_endpoint(account, vpc_id, subnets)

    cloud.settle()

    assert [one["VpcEndpointId"] for one in account.endpoints(vpc_id)] == [theirs]


def test_a_vpc_left_without_an_endpoint_because_theirs_is_opted_out_is_published(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    theirs = make_endpoint(account, vpc_id, subnets[:1])
    cloud.pass_time(timedelta(seconds=60))
    tag(account, theirs, **{OPT_OUT_TAG: ""})

    cloud.settle(timedelta(hours=2))

    (published,) = findings(cloud, "endpoint-not-repairable")
    assert published["severity"] == "high"
    assert theirs in published["cause"]
    assert "deleted its endpoint" in published["cause"]


def test_a_withdrawal_that_does_not_come_to_its_end_is_published(cloud, account):
    """Somebody's rule names our group, so that AWS does not delete it."""
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    (ours,) = account.endpoints(vpc_id)
    held = ours["Groups"][0]["GroupId"]
    cloud.fault("ec2", "DeleteSecurityGroup", "DependencyViolation", times=99, function=ENSURE)

    in_use(account.ec2.delete_subnet, SubnetId=subnets[0])
    cloud.pass_time(timedelta(minutes=15))

    (published,) = [one for one in findings(cloud, "stood-down") if "not finished" in one["title"]]
    assert held in published["cause"]


# Grace.


def test_who_keeps_building_delays_an_endpoint_three_graces_at_most(cloud, account):
    vpc_id = account.vpc()
    began = cloud.clock.now()
    subnet = account.subnet(vpc_id, "10.20.0.0/24", "us-east-1a")
    account.subnet(vpc_id, "10.20.1.0/24", "us-east-1b")
    while not account.endpoints(vpc_id) and cloud.clock.now() - began < timedelta(hours=3):
        cloud.pass_time(timedelta(minutes=9))
        if not account.endpoints(vpc_id):
            account.ec2.delete_subnet(SubnetId=subnet)
            subnet = account.subnet(vpc_id, "10.20.0.0/24", "us-east-1a")

    assert timedelta(minutes=30) <= cloud.clock.now() - began < timedelta(minutes=40)
    cloud.settle()
    (published,) = findings(cloud, "endpoint-created")
    assert published["severity"] == "medium"
    assert "keeps building" in published["cause"]


def deleted(cloud: Cloud, by: Account, vpc_id: str) -> str:
    (endpoint,) = by.endpoints(vpc_id)
    by.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])
    return endpoint["VpcEndpointId"]


@pytest.mark.parametrize("late", [0, 150], ids=["seen deleting", "seen when it is gone"])
@pytest.mark.parametrize("whose", ["ours", "theirs"])
def test_a_deleted_endpoint_is_made_again_without_grace_and_its_deleter_named(
    cloud, account, whose, late
):
    vpc_id, subnets = account.vpc_with_subnets()
    if whose == "theirs":
        endpoint_of_theirs(account, vpc_id, subnets, private_dns=True)
    cloud.settle()
    since, began = len(cloud.findings), cloud.clock.now()
    mallory = Account(cloud, "mallory")
    gone = deleted(cloud, mallory, vpc_id)
    cloud.clock.skip(late)
    mallory.subnet(vpc_id, "10.20.50.0/28", "us-east-1a")

    while not account.endpoints(vpc_id) and cloud.clock.now() - began < timedelta(hours=1):
        cloud.pass_time(timedelta(seconds=30))
    cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1
    assert cloud.clock.now() - began < timedelta(hours=1)
    assert "endpoint-created" not in kinds(cloud)[since:]
    (published,) = findings(cloud, "endpoint-repaired", since)
    assert (
        f"The endpoint {gone} was deleted by arn:aws:iam::123456789012:user/mallory"
        in published["cause"]
    )


def test_the_deletion_of_an_endpoint_elsewhere_names_nobody_here(cloud, account):
    """Near miss: DeleteVpcEndpoints names no VPC, so that all are reconciled."""
    vpc_id, _ = account.vpc_with_subnets()
    other, _ = account.vpc_with_subnets()
    cloud.settle()
    deleted(cloud, Account(cloud, "mallory"), vpc_id)
    cloud.settle()

    repaired = findings(cloud, "endpoint-repaired")
    assert [one["resource"] for one in repaired] == [vpc_id]
    assert len(account.endpoints(other)) == 1


def test_a_vpc_that_was_torn_down_and_is_built_again_has_its_grace(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    in_use(account.ec2.delete_subnet, SubnetId=subnets[0])
    cloud.pass_time(timedelta(minutes=5))
    began = cloud.clock.now()
    account.subnet(vpc_id, "10.20.8.0/24", "us-east-1c")

    while not account.endpoints(vpc_id) and cloud.clock.now() - began < timedelta(hours=1):
        cloud.pass_time(timedelta(minutes=1))

    assert timedelta(minutes=10) <= cloud.clock.now() - began < timedelta(minutes=13)


# What somebody else made minutes ago.


def hosted_zone(account: Account, vpc_id: str, target: str = "") -> None:
    route53 = account.client("route53")
    name = "secretsmanager.us-east-1.amazonaws.com"
    zone = route53.create_hosted_zone(
        Name=name,
        CallerReference="hub",
        VPC={"VPCRegion": "us-east-1", "VPCId": vpc_id},
        HostedZoneConfig={"PrivateZone": True},
    )["HostedZone"]["Id"]
    entry = account.ec2.describe_vpc_endpoints(VpcEndpointIds=[target])["VpcEndpoints"][0]
    alias = {
        "HostedZoneId": entry["DnsEntries"][0]["HostedZoneId"],
        "DNSName": entry["DnsEntries"][0]["DnsName"],
        "EvaluateTargetHealth": False,
    }
    record = {"Name": name, "Type": "A", "AliasTarget": alias}
    route53.change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]},
    )


def test_a_pipeline_that_brings_its_hosted_zone_later_succeeds(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.pass_time(timedelta(minutes=9))
    theirs = endpoint_of_theirs(account, vpc_id, subnets, private_dns=False)
    cloud.pass_time(timedelta(minutes=8))

    hosted_zone(account, vpc_id, theirs)
    cloud.settle()

    (now,) = account.endpoints(vpc_id)
    assert (now["VpcEndpointId"], now["PrivateDnsEnabled"]) == (theirs, False)
    assert writes(cloud, ENSURE) == []


def test_what_nobody_finishes_is_repaired_when_the_grace_is_over(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.pass_time(timedelta(minutes=2))
    began = cloud.clock.now()
    make_endpoint(account, vpc_id, subnets)

    while not account.endpoints(vpc_id)[0]["PrivateDnsEnabled"]:
        assert cloud.clock.now() - began < timedelta(hours=1)
        cloud.pass_time(timedelta(minutes=1))

    assert timedelta(minutes=10) <= cloud.clock.now() - began < timedelta(minutes=13)


def test_who_tampers_with_a_new_endpoint_that_was_well_gets_no_grace(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    theirs = endpoint_of_theirs(account, vpc_id, subnets, private_dns=True)
    cloud.pass_time(timedelta(minutes=4))

    Account(cloud, "mallory").ec2.modify_vpc_endpoint(VpcEndpointId=theirs, PrivateDnsEnabled=False)
    cloud.pass_time(timedelta(minutes=4))

    assert account.endpoints(vpc_id)[0]["PrivateDnsEnabled"]


# What is not the guard's to change.


@pytest.mark.usefixtures("no_heartbeats")
def test_an_endpoint_that_an_aws_service_made_is_left_alone_and_published_once(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    theirs = endpoint_of_theirs(account, vpc_id, subnets[:1], private_dns=True)
    ec2_backends[cloud.account][cloud.region].vpc_end_points[theirs].requester_managed = True
    cloud.lose_events()

    for _ in range(3):
        cloud.fire_schedule("ScheduleRule")
        cloud.settle(timedelta(hours=25))

    assert writes(cloud, ENSURE) == []
    (found,) = findings(cloud, "endpoint-degraded")
    assert theirs in found["cause"]
    assert [one["VpcEndpointId"] for one in account.endpoints(vpc_id)] == [theirs]


def test_what_our_group_admits_beyond_the_vpc_is_revoked_and_nothing_of_theirs(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    (endpoint,) = account.endpoints(vpc_id)
    ours = endpoint["Groups"][0]["GroupId"]
    theirs = account.ec2.create_security_group(GroupName="x", Description="x", VpcId=vpc_id)
    pair = {"GroupId": theirs["GroupId"]}
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    for group in (ours, theirs["GroupId"]):
        account.ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[
                {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
                https | {"Ipv6Ranges": [{"CidrIpv6": "::/0"}], "UserIdGroupPairs": [pair]},
                https | {"FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.20.0.0/16"}]},
            ],
        )

    cloud.fire_schedule("ScheduleRule")
    cloud.settle()

    groups = account.ec2.describe_security_groups(GroupIds=[ours, theirs["GroupId"]])
    rules = {one["GroupId"]: one["IpPermissions"] for one in groups["SecurityGroups"]}
    assert [one["IpRanges"] for one in rules[ours]] == [
        [{"CidrIp": "10.20.0.0/16", "Description": "addresses of this VPC"}]
    ]
    assert len(rules[theirs["GroupId"]]) == 3
    (found,) = findings(cloud, "endpoint-repaired")
    assert "admits more than port 443" in found["cause"]
    assert "all traffic from 0.0.0.0/0" in found["done"][0]


def test_groups_that_admit_chosen_clients_are_not_widened(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    theirs = endpoint_of_theirs(account, vpc_id, subnets, private_dns=True)
    (group,) = [one["GroupId"] for one in account.endpoints(vpc_id)[0]["Groups"]]
    rules = account.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    account.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rules["IpPermissions"])
    clients = account.ec2.create_security_group(GroupName="c", Description="c", VpcId=vpc_id)
    pair = {"GroupId": clients["GroupId"]}
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    account.ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[https | {"UserIdGroupPairs": [pair]}]
    )

    cloud.settle(timedelta(minutes=40))

    assert writes(cloud, ENSURE) == []
    assert [one["GroupId"] for one in account.endpoints(vpc_id)[0]["Groups"]] == [group]
    (found,) = findings(cloud, "endpoint-degraded")
    assert group in found["cause"]
    assert theirs == account.endpoints(vpc_id)[0]["VpcEndpointId"]


# What the guard's own absence does to others is not blamed on them.


def test_who_reads_while_the_guard_stood_down_is_not_blamed(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    secret = account.secret("prod/db")
    cloud.settle()
    in_use(account.ec2.delete_subnet, SubnetId=subnets[0])
    cloud.pass_time(timedelta(minutes=4))
    assert account.endpoints(vpc_id) == []
    interface = account.ec2.create_network_interface(SubnetId=subnets[1])["NetworkInterface"]
    address = account.ec2.allocate_address(Domain="vpc")
    account.ec2.associate_address(
        AllocationId=address["AllocationId"], NetworkInterfaceId=interface["NetworkInterfaceId"]
    )
    app = cloud.session("app", Caller(kind="role", source_ip=address["PublicIp"]))
    app.client("secretsmanager").get_secret_value(SecretId=secret)
    cloud.settle(timedelta(minutes=30))

    (bypass,) = [one for one in findings(cloud, "bypass") if "role/app" in one["title"]]
    assert bypass["severity"] == "medium"
    assert f"out of {vpc_id}" in bypass["cause"]
    assert "the guard itself had taken its endpoint at" in bypass["cause"]
    assert account.endpoints(vpc_id) != []

    cloud.settle(timedelta(hours=2))
    app = cloud.session("later", Caller(kind="role", source_ip=address["PublicIp"]))
    app.client("secretsmanager").get_secret_value(SecretId=secret)
    cloud.settle(timedelta(minutes=10))
    (later,) = [one for one in findings(cloud, "bypass") if "role/later" in one["title"]]
    assert later["severity"] == "high"
    assert "the guard itself" not in later["cause"]
