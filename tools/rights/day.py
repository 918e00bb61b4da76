"""A day on the embedded cloud in which every reaction has every kind of work."""

import json
from contextlib import suppress
from datetime import timedelta

from botocore.exceptions import ClientError

from emulator import Caller, Cloud
from emulator.people import ALLOW_ALL, Account
from guard.approved.added import folder
from guard.reconcile.messages import DETAIL_TYPE, SOURCE
from guard.settings import OPT_OUT_TAG, PERIMETER_TAG, POLICY_TAG
from secret_policy.correction import corrected
from secret_policy.perimeter import Perimeter
from tools.rights.shapes import PARAMETERS

__all__ = ["PARAMETERS", "play"]


def require(truth: bool, what: str) -> None:
    """Raises RuntimeError for a day that went another way, whose calls would prove nothing."""
    if not truth:
        raise RuntimeError(f"this did not happen: {what}")


def play(cloud: Cloud) -> None:
    """Play the day. Raises RuntimeError where it goes another way than it should."""
    cloud.inject(cloud.stack_event("UPDATE_COMPLETE"))
    vpcs_and_policies(cloud)
    refused_read(cloud)
    requests_to_come(cloud)
    repairs(cloud)
    hub(cloud)
    shared(cloud)
    rotations(cloud)
    requests(cloud)
    verdicts(cloud)
    callers(cloud)
    secret_policies(cloud)
    tags(cloud)
    digests(cloud)
    heartbeats(cloud)
    if "FindMissedFunction" in cloud.deployment.functions:
        missed(cloud)
    hands_off(cloud)


def guarded_vpc(account: Account) -> tuple[str, list[str]]:
    """A VPC with subnets that is in the guard's scope, whatever its scope."""
    vpc_id, subnets = account.vpc_with_subnets()
    into_scope(account, subnets)
    return vpc_id, subnets


def into_scope(account: Account, subnets: list[str]) -> None:
    """In the scope `rotation`, a VPC needs a secret that is rotated from inside it."""
    if account.cloud.deployment.parameters.get("Scope") == "rotation":
        rotated(account, f"in-{subnets[0]}", subnets)


def rotated(account: Account, name: str, subnets: list[str]) -> str:
    """A secret whose rotation is enabled, by a function in these subnets."""
    secret = account.secret(f"prod/{name}")
    account.client("secretsmanager").rotate_secret(
        SecretId=secret,
        RotationLambdaARN=account.function(f"rotate-{name}", subnets),
        RotationRules={"AutomaticallyAfterDays": 30},
    )
    return secret


def vpcs_and_policies(cloud: Cloud) -> None:
    account = Account(cloud)
    vpc_id, _ = guarded_vpc(account)
    cloud.settle()
    (endpoint,) = account.endpoints(vpc_id)
    account.ec2.authorize_security_group_ingress(
        GroupId=endpoint["Groups"][0]["GroupId"],
        IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    )
    account.subnet(vpc_id, "10.20.9.0/24", "us-east-1d")
    modify, restorer = "ModifyVpcEndpoint", "RestorePolicyFunction"
    cloud.fault("ec2", modify, "RequestLimitExceeded", times=2, function=restorer)
    account.ec2.modify_vpc_endpoint(
        VpcEndpointId=endpoint["VpcEndpointId"], PolicyDocument=json.dumps(ALLOW_ALL)
    )
    cloud.fire_schedule()
    cloud.settle()
    tear_down(cloud, account)


def refused_read(cloud: Cloud) -> None:
    """The sweep may not read for once, which it publishes."""
    denied = "UnauthorizedOperation"
    cloud.fault("ec2", "DescribeNetworkAcls", denied, times=1, function="SweepFunction")
    cloud.fire_schedule("ScheduleRule")
    cloud.pass_time(timedelta(minutes=2))
    causes = [one["cause"] for one in cloud.findings]
    require(any(denied in one for one in causes), "the sweep published that it may not read")


def requests_to_come(cloud: Cloud) -> None:
    """An endpoint tries a new policy and refuses a request, and is to be reconciled in an hour."""
    account = Account(cloud)
    vpc_id, _ = guarded_vpc(account)
    cloud.settle()
    endpoint_id = account.endpoints(vpc_id)[0]["VpcEndpointId"]
    account.client("dynamodb").update_item(
        TableName=cloud.outputs["StateTableName"],
        Key={"pk": {"S": f"canary-watch#{cloud.account}/{cloud.region}/{endpoint_id}"}},
        UpdateExpression="SET applied_at = :at, denied = :none",
        ExpressionAttributeValues={":at": {"N": "0"}, ":none": {"S": ""}},
    )
    cloud.inject(cloud.denied_at_endpoint("app", endpoint_id))
    due = int(cloud.clock.now().timestamp()) + 3_000
    asked = {"vpcEndpointId": endpoint_id, "reason": "later", "notBefore": due}
    account.client("sqs").send_message(
        QueueUrl=cloud.outputs["PolicyQueueUrl"],
        MessageBody=json.dumps({"source": SOURCE, "detail-type": DETAIL_TYPE, "detail": asked}),
    )
    cloud.settle()


def tear_down(cloud: Cloud, account: Account) -> None:
    """Somebody takes a VPC away, and the guard is killed once on the way."""
    vpc_id, subnets = guarded_vpc(account)
    cloud.settle()
    cloud.fault(service="sns", action="PublishBatch", error="InternalError", times=2)
    with suppress(ClientError):  # DependencyViolation: the guard's endpoint is in the way
        account.ec2.delete_subnet(SubnetId=subnets[0])
    cloud.settle()
    require(account.endpoints(vpc_id) == [], "the guard withdrew from the VPC")


def repairs(cloud: Cloud) -> None:
    """Subnets of other IP versions come, and somebody switches off what has to do with names."""
    account = Account(cloud)
    vpc_id = account.vpc()
    account.ec2.associate_vpc_cidr_block(VpcId=vpc_id, AmazonProvidedIpv6CidrBlock=True)
    (vpc,) = account.ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"]
    block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].removesuffix("00::/56")
    for number, family in ((1, {"CidrBlock": "10.20.1.0/24"}), (2, {"Ipv6Native": True})):
        made = account.ec2.create_subnet(
            VpcId=vpc_id,
            Ipv6CidrBlock=f"{block}{number:02x}::/64",
            AvailabilityZone="us-east-1a",
            **family,
        )
        into_scope(account, [made["Subnet"]["SubnetId"]])
        cloud.settle()
    (endpoint,) = account.endpoints(vpc_id)
    require(endpoint["IpAddressType"] == "dualstack", "the endpoint serves IPv6, too")
    account.ec2.modify_vpc_endpoint(
        VpcEndpointId=endpoint["VpcEndpointId"], PrivateDnsEnabled=False
    )
    for attribute in ("EnableDnsHostnames", "EnableDnsSupport"):
        account.ec2.modify_vpc_attribute(VpcId=vpc_id, **{attribute: {"Value": False}})
    cloud.settle()
    (endpoint,) = account.endpoints(vpc_id)
    require(endpoint["PrivateDnsEnabled"], "private DNS is on again")


def hub(cloud: Cloud) -> None:
    """VPCs without an endpoint of their own: a hosted zone names a hub's endpoint for one of them,
    and a Route 53 Profile serves the other.
    """
    account = Account(cloud)
    name = "secretsmanager.us-east-1.amazonaws.com"
    hub_id, subnets = account.vpc_with_subnets(tags={OPT_OUT_TAG: "the hub"})
    endpoint = account.ec2.create_vpc_endpoint(
        VpcId=hub_id,
        ServiceName="com.amazonaws.us-east-1.secretsmanager",
        VpcEndpointType="Interface",
        SubnetIds=subnets,
        PrivateDnsEnabled=False,
    )["VpcEndpoint"]
    served, profiled = account.vpc("10.30.0.0/16"), account.vpc("10.31.0.0/16")
    route53 = account.client("route53")
    zone_id = route53.create_hosted_zone(
        Name=name,
        CallerReference="hub",
        VPC={"VPCRegion": "us-east-1", "VPCId": served},
        HostedZoneConfig={"PrivateZone": True},
    )["HostedZone"]["Id"]
    alias = {
        "DNSName": endpoint["DnsEntries"][0]["DnsName"],
        "HostedZoneId": "Z7HUB8P4",
        "EvaluateTargetHealth": False,
    }
    record = {"Name": name, "Type": "A", "AliasTarget": alias}
    route53.change_resource_record_sets(
        HostedZoneId=zone_id,
        ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]},
    )
    profiles = account.client("route53profiles")
    profile_id = profiles.create_profile(Name="dns")["Profile"]["Id"]
    profiles.associate_resource_to_profile(
        ProfileId=profile_id,
        ResourceArn=f"arn:aws:route53:::hostedzone/{zone_id.rpartition('/')[2]}",
        Name="zone",
    )
    profiles.associate_profile(ProfileId=profile_id, ResourceId=profiled, Name="spoke")
    into_scope(account, [account.subnet(served, "10.30.0.0/24", "us-east-1a")])
    into_scope(account, [account.subnet(profiled, "10.31.0.0/24", "us-east-1a")])
    cloud.settle()


def shared(cloud: Cloud) -> None:
    """An endpoint of somebody's that no event named, in a VPC of which a subnet is shared."""
    account = Account(cloud)
    vpc_id, subnets = guarded_vpc(account)
    account.ec2.create_vpc_endpoint(
        VpcId=vpc_id,
        ServiceName="com.amazonaws.us-east-1.secretsmanager",
        VpcEndpointType="Interface",
        SubnetIds=subnets,
        PrivateDnsEnabled=False,
    )
    account.client("ram").create_resource_share(
        name="network",
        resourceArns=[f"arn:aws:ec2:us-east-1:{cloud.account}:subnet/{subnets[0]}"],
        principals=[cloud.account],
    )
    cloud.lose_events()
    cloud.fire_schedule()
    cloud.settle()


def rotations(cloud: Cloud) -> None:
    account = Account(cloud)
    _, subnets = account.vpc_with_subnets()
    secret = rotated(account, "orders-db", subnets)
    account.client("secretsmanager").rotate_secret(SecretId=secret)
    cloud.settle()


def requests(cloud: Cloud) -> None:
    cloud.slack.answer_next(429, headers={"Retry-After": "3"}, times=1)
    ways = [
        Caller(source_ip="198.51.100.7"),
        Caller(vpc_endpoint_id="vpce-0f2f2f2f2f2f2f2f2", vpc_endpoint_account_id="444455556666"),
    ]
    for number, way in enumerate(ways):
        caller = cloud.session(f"reader-{number}", way)
        caller.client("secretsmanager").get_secret_value(SecretId="prod/orders-db")
    cloud.settle()


def callers(cloud: Cloud) -> None:
    """A function and an instance of ours bypass the endpoint, the latter in a VPC without one."""
    account = Account(cloud)
    account.function("report")
    vpc_id, subnets = guarded_vpc(account)
    made = account.ec2.run_instances(
        ImageId="ami-12c6146b", MinCount=1, MaxCount=1, SubnetId=subnets[0]
    )
    cloud.lose_events()
    cloud.clock.skip(seconds=600)  # for longer than the guard remembers which VPCs rotate secrets
    for session in ("report", made["Instances"][0]["InstanceId"]):
        agent = "Boto3/1.43 exec-env/AWS_Lambda_python3.13"
        way = Caller(kind="role", source_ip="203.0.113.9", session=session, user_agent=agent)
        client = cloud.session(f"role-{session}", way).client("secretsmanager")
        client.get_secret_value(SecretId="prod/orders-db")
    cloud.settle()
    require(bool(account.endpoints(vpc_id)), "the instance's VPC has an endpoint by now")


def secret_policies(cloud: Cloud) -> None:
    """A bound secret without its policy; then all of them are reconciled."""
    account = Account(cloud)
    account.bound_secret("prod/ledger")
    cloud.settle()
    # The second attempt asks the outbox what the first one did.
    cloud.fault("sns", "PublishBatch", "InternalError", times=2, function="SecretPolicyFunction")
    account.bound_secret("prod/second-attempt")
    cloud.settle()
    secret = account.bound_secret("prod/closed-by-hand")
    endpoints = account.ec2.describe_vpc_endpoints()["VpcEndpoints"]
    vpcs = frozenset(one["VpcId"] for one in endpoints if one["State"] == "available")
    inside = Perimeter(cloud.account, "aws", vpc_ids=vpcs, served_vpc_ids=vpcs)
    account.client("secretsmanager").put_resource_policy(
        SecretId=secret, ResourcePolicy=corrected(None, secret, inside)
    )
    cloud.settle()
    cloud.inject(cloud.stack_event("UPDATE_COMPLETE"))
    cloud.settle()


def tags(cloud: Cloud) -> None:
    """Tags of the guard's: who set them is asked of CloudTrail. And a rotation that needs a gap."""
    account = Account(cloud)
    vpc_id, subnets = guarded_vpc(account)
    cloud.settle()
    (endpoint,) = account.endpoints(vpc_id)
    for resource, key in ((vpc_id, OPT_OUT_TAG), (endpoint["VpcEndpointId"], POLICY_TAG)):
        account.ec2.create_tags(Resources=[resource], Tags=[{"Key": key, "Value": "nonsense"}])
    secret = rotated(account, "bound", subnets)
    bound = [{"Key": PERIMETER_TAG, "Value": ""}]
    account.client("secretsmanager").tag_resource(SecretId=secret, Tags=bound)
    cloud.settle()
    cloud.fire_schedule()
    cloud.settle()


def digests(cloud: Cloud) -> None:
    """Deferred findings are published, an alert that is over is summed up, a day is reported."""
    stranger = cloud.session("reader-0").client("secretsmanager")
    for _ in range(3):
        stranger.get_secret_value(SecretId="prod/orders-db")
        cloud.settle()
    for _ in range(2):
        morning = cloud.clock.now().replace(hour=9, minute=0, second=0)
        cloud.clock.skip_to(morning + timedelta(days=1))
        cloud.fire_schedule("DigestRule")
        cloud.settle()


def heartbeats(cloud: Cloud) -> None:
    """Of three dead letters one cannot be read, and the others are put back."""
    queue = cloud.resource("PolicyDeadLetterQueue")
    sweep = cloud.deployment.functions["SweepFunction"].arn
    invocation = {"requestContext": {"functionArn": sweep}, "requestPayload": {"detail": {}}}
    for body in ({}, {"detail": {"vpcEndpointId": "vpce-0a"}}, invocation):
        message = json.dumps(body)
        cloud.session("alice").client("sqs").send_message(QueueUrl=queue, MessageBody=message)
    cloud.clock.skip(seconds=2 * 3600)
    cloud.fire_schedule("HeartbeatRule")
    cloud.settle()


def hands_off(cloud: Cloud) -> None:
    """By hand, and by another stack."""
    for through in (None, "cloudformation.amazonaws.com"):
        caller = Caller(kind="role", invoked_by=through)
        events = cloud.session("mallory", caller).client("events")
        events.disable_rule(Name=cloud.resource("BypassRule"))
        cloud.settle()
    cloud.session("mallory").client("ssm").put_parameter(
        Name=f"{folder(cloud.deployment.stack_id.split('/')[1])}/ci", Value="{}", Type="String"
    )
    cloud.settle()


def missed(cloud: Cloud) -> None:
    """A request whose event never comes is found in the trail's log file."""
    cloud.invoke("FindMissedFunction", {})  # the first run begins with what comes from then on
    cloud.clock.skip(seconds=1800)
    read = cloud.session("reader-0").client("secretsmanager").get_secret_value
    read(SecretId="prod/orders-db")
    Account(cloud).log_file(cloud.records[-1])
    cloud.lose_events()
    cloud.clock.skip(seconds=4 * 3600)
    cloud.fire_schedule("FindMissedRule")
    cloud.settle()
    kinds = {finding["kind"] for finding in cloud.findings}
    require("events-missed" in kinds, "the event that never came was published")


def verdicts(cloud: Cloud) -> None:
    """A person in the console, a service, and a request that an endpoint refused."""
    ways = [Caller(kind="console"), Caller(kind="role", invoked_by="rds.amazonaws.com")]
    for number, way in enumerate(ways):
        caller = cloud.session(f"asker-{number}", way)
        caller.client("secretsmanager").get_secret_value(SecretId="prod/orders-db")
    cloud.inject(cloud.denied_at_endpoint("mallory", "vpce-0f3f3f3f3f3f3f3f3"))
    cloud.settle()
