"""Every fact that the verdict rests on wakes the guard within minutes, and what does not, does not.

Events in, state and alerts out. Five minutes are CloudTrail's and the batch window's; the next
sweep is hours away.
"""

from datetime import timedelta

import pytest

from emulator import Cloud
from tests.reactions.account import Account, kinds, writes

ENSURE = "EnsureEndpointFunction"
MINUTES = timedelta(minutes=5)


@pytest.fixture
def mallory(cloud) -> Account:
    return Account(cloud, "mallory")


@pytest.fixture
def served(cloud, account) -> tuple[str, list[str], dict]:
    """A VPC with an endpoint that works, long after it was made: id, subnets, endpoint."""
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle(timedelta(hours=1))
    (made,) = account.endpoints(vpc_id)
    return vpc_id, subnets, made


def runs(cloud: Cloud, since: int) -> list[str]:
    """The VPCs that ensure_endpoint has observed since."""
    return [
        id_
        for one in cloud.calls[since:]
        if one.function == ENSURE and one.action == "DescribeVpcs"
        for given in one.params.get("Filters", [])
        for id_ in given["Values"]
    ]


def since(cloud: Cloud, number: int) -> list[dict]:
    return [f for f in cloud.findings[number:] if f["kind"].startswith("endpoint-")]


def default_acl(account, vpc_id) -> str:
    filters = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "default", "Values": ["true"]}]
    (acl,) = account.ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    return acl["NetworkAclId"]


def test_a_rule_taken_from_the_endpoints_group_is_put_back_and_who_took_it_is_named(
    cloud, account, mallory, served
):
    _, _, made = served
    group = made["Groups"][0]["GroupId"]
    (known,) = account.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    number = len(cloud.findings)
    mallory.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=known["IpPermissions"])
    cloud.pass_time(MINUTES)
    assert account.admitted_to_https([group]) == {"10.20.0.0/16"}
    (finding,) = since(cloud, number)
    assert finding["kind"] == "endpoint-repaired"
    assert any("mallory" in who for who in finding["evidence"]["who"])
    assert finding["evidence"]["triggered_by"] == ["RevokeSecurityGroupIngress"]


def test_groups_of_others_wake_nobody_and_one_list_serves_many_events(cloud, account, served):
    vpc_id, _, _ = served
    group = account.ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc_id)
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    number = len(cloud.calls)
    for port in range(40):
        account.ec2.authorize_security_group_ingress(
            GroupId=group["GroupId"], IpPermissions=[{**rule, "FromPort": port, "ToPort": port}]
        )
    cloud.pass_time(timedelta(minutes=1))
    made = [one.action for one in cloud.calls[number:] if one.function == ENSURE]
    assert set(made) == {"DescribeVpcEndpoints"}
    assert len(made) <= 2


def test_a_group_attached_after_the_list_was_read_is_not_missed(cloud, account, mallory, served):
    """What was listed before a change says nothing of it."""
    vpc_id, _, made = served
    own = made["Groups"][0]["GroupId"]
    other = account.ec2.create_security_group(GroupName="new", Description="new", VpcId=vpc_id)
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "IpRanges": [{"CidrIp": "10.20.0.0/16"}],
    }
    group = other["GroupId"]
    account.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    cloud.pass_time(timedelta(seconds=30))
    account.ec2.modify_vpc_endpoint(
        VpcEndpointId=made["VpcEndpointId"],
        AddSecurityGroupIds=[group],
        RemoveSecurityGroupIds=[own],
    )
    cloud.pass_time(timedelta(seconds=25))
    mallory.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])
    cloud.pass_time(MINUTES)
    (after,) = account.endpoints(vpc_id)
    groups = [one["GroupId"] for one in after["Groups"]]
    assert "10.20.0.0/16" in account.admitted_to_https(groups)


def test_a_network_acl_that_denies_is_published_within_minutes_with_its_author(
    cloud, account, mallory, served
):
    vpc_id, _, _ = served
    number = len(cloud.findings)
    mallory.ec2.create_network_acl_entry(
        NetworkAclId=default_acl(account, vpc_id),
        RuleNumber=1,
        Protocol="6",
        RuleAction="deny",
        Egress=False,
        CidrBlock="0.0.0.0/0",
        PortRange={"From": 443, "To": 443},
    )
    cloud.pass_time(MINUTES)
    (finding,) = since(cloud, number)
    assert (finding["kind"], finding["severity"]) == ("endpoint-not-repairable", "high")
    assert "network ACL" in finding["cause"]
    assert any("mallory" in who for who in finding["evidence"]["who"])


def test_a_network_acl_rule_for_something_else_says_nothing(cloud, account, served):
    vpc_id, _, _ = served
    number = len(cloud.findings)
    account.ec2.create_network_acl_entry(
        NetworkAclId=default_acl(account, vpc_id),
        RuleNumber=1,
        Protocol="6",
        RuleAction="deny",
        Egress=False,
        CidrBlock="0.0.0.0/0",
        PortRange={"From": 22, "To": 22},
    )
    cloud.pass_time(MINUTES)
    assert since(cloud, number) == []


def test_a_subnet_moved_to_another_network_acl_wakes_the_guard(cloud, account, served):
    vpc_id, subnets, _ = served
    empty = account.ec2.create_network_acl(VpcId=vpc_id)["NetworkAcl"]["NetworkAclId"]
    filters = [{"Name": "association.subnet-id", "Values": [subnets[0]]}]
    (now,) = account.ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    (link,) = (one for one in now["Associations"] if one["SubnetId"] == subnets[0])
    number = len(cloud.findings)
    account.ec2.replace_network_acl_association(
        AssociationId=link["NetworkAclAssociationId"], NetworkAclId=empty
    )
    cloud.pass_time(MINUTES)
    assert [one["kind"] for one in since(cloud, number)] == ["endpoint-not-repairable"]
    assert empty in since(cloud, number)[0]["cause"]


def test_dns_servers_of_somebodys_are_published_as_a_limit(cloud, account, mallory, served):
    vpc_id, _, _ = served
    options = mallory.ec2.create_dhcp_options(
        DhcpConfigurations=[{"Key": "domain-name-servers", "Values": ["203.0.113.53"]}]
    )["DhcpOptions"]["DhcpOptionsId"]
    collected = len(cloud.collected)
    mallory.ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=vpc_id)
    cloud.pass_time(MINUTES)
    (finding,) = cloud.collected[collected:]
    assert finding["kind"] == "endpoint-degraded"
    assert "203.0.113.53" in finding["cause"]


def test_a_tag_of_the_guards_wakes_it_and_another_does_not(cloud, account, served):
    vpc_id, _, made = served
    number = len(cloud.calls)
    account.ec2.create_tags(Resources=[vpc_id], Tags=[{"Key": "team", "Value": "x"}])
    cloud.pass_time(MINUTES)
    assert runs(cloud, number) == []
    ignore = {"Key": "vpce-guard:ignore", "Value": ""}
    account.ec2.create_tags(Resources=[made["VpcEndpointId"]], Tags=[ignore])
    cloud.pass_time(MINUTES)
    assert runs(cloud, number) == [vpc_id]
    number = len(cloud.calls)
    account.ec2.delete_tags(Resources=[made["VpcEndpointId"]], Tags=[{"Key": ignore["Key"]}])
    cloud.pass_time(MINUTES)
    assert runs(cloud, number) == [vpc_id]


def test_an_opt_out_that_is_taken_back_is_acted_on_at_once(cloud, account):
    vpc_id, _ = account.vpc_with_subnets(tags={"vpce-guard:ignore": ""})
    cloud.settle(timedelta(hours=1))
    assert account.endpoints(vpc_id) == []
    account.ec2.delete_tags(Resources=[vpc_id], Tags=[{"Key": "vpce-guard:ignore"}])
    cloud.pass_time(MINUTES)
    assert len(account.endpoints(vpc_id)) == 1


@pytest.mark.parametrize("change", ["disassociate", "ipv6"])
def test_ranges_that_come_and_go_wake_the_guard(cloud, account, served, change):
    vpc_id, subnets, _ = served
    given = account.ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock="10.21.0.0/16")
    cloud.settle(timedelta(minutes=10))
    number = len(cloud.calls)
    if change == "disassociate":
        id_ = given["CidrBlockAssociation"]["AssociationId"]
        account.ec2.disassociate_vpc_cidr_block(AssociationId=id_)
    else:
        account.ec2.associate_vpc_cidr_block(VpcId=vpc_id, AmazonProvidedIpv6CidrBlock=True)
        cloud.settle(timedelta(minutes=10))
        number = len(cloud.calls)
        (raw,) = account.ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"]
        block = raw["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
        account.ec2.associate_subnet_cidr_block(
            SubnetId=subnets[0], Ipv6CidrBlock=block.replace("/56", "/64")
        )
    cloud.pass_time(MINUTES)
    assert vpc_id in runs(cloud, number)


def test_refused_changes_wake_nobody(cloud, account, served):
    _, _, made = served
    group = made["Groups"][0]["GroupId"]
    number = len(cloud.calls)
    cloud.fault("ec2", "RevokeSecurityGroupIngress", "UnauthorizedOperation")
    with pytest.raises(account.ec2.exceptions.ClientError):
        account.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[])
    cloud.pass_time(MINUTES)
    assert runs(cloud, number) == []
    assert writes(cloud, ENSURE)  # from before


def test_a_hosted_zone_taken_from_a_spoke_wakes_the_guard(cloud, account):
    hub, subnets = account.vpc_with_subnets(tags={"vpce-guard:ignore": "the hub"})
    account.ec2.modify_vpc_attribute(VpcId=hub, EnableDnsHostnames={"Value": True})
    made = account.ec2.create_vpc_endpoint(
        VpcId=hub,
        ServiceName=cloud.service_name,
        VpcEndpointType="Interface",
        SubnetIds=subnets,
        PrivateDnsEnabled=False,
    )["VpcEndpoint"]
    name = "secretsmanager.us-east-1.amazonaws.com"
    route53 = account.client("route53")
    place = {"VPCRegion": "us-east-1", "VPCId": hub}
    zone = route53.create_hosted_zone(
        Name=name, CallerReference="1", VPC=place, HostedZoneConfig={"PrivateZone": True}
    )["HostedZone"]["Id"]
    entry = made["DnsEntries"][0]
    alias = {
        "DNSName": entry["DnsName"],
        "HostedZoneId": entry["HostedZoneId"],
        "EvaluateTargetHealth": False,
    }
    record = {"Name": name, "Type": "A", "AliasTarget": alias}
    route53.change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]},
    )
    spoke = account.vpc("10.30.0.0/16")
    account.ec2.modify_vpc_attribute(VpcId=spoke, EnableDnsHostnames={"Value": True})
    account.subnet(spoke, "10.30.0.0/24", "us-east-1a")
    place = {"VPCRegion": "us-east-1", "VPCId": spoke}
    route53.associate_vpc_with_hosted_zone(HostedZoneId=zone, VPC=place)
    cloud.settle(timedelta(hours=1))
    assert account.endpoints(spoke) == []
    route53.disassociate_vpc_from_hosted_zone(HostedZoneId=zone, VPC=place)
    cloud.pass_time(timedelta(minutes=15))
    assert len(account.endpoints(spoke)) == 1
    assert "endpoint-created" in kinds(cloud)
