"""Whatever a VPC is like, the plan carried out on the emulator makes it work, or says why not.

Here observe, decide and act meet AWS's own rules as the emulator has them: a plan that AWS would
refuse, or that leaves something to do, fails.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from moto.ec2 import ec2_backends

from emulator import Cloud
from ensure_endpoint.act import Actor
from guard.endpoint.decide import decide
from guard.endpoint.groups import group_name
from guard.endpoint.hosted_zones import HostedZones
from guard.endpoint.observe import Observer
from guard.endpoint.plan import Desired, Plan, Verdict
from guard.endpoint.state import MANAGED_TAG, PREFERRED_SUBNET_TAG, STACK_TAG, Vpc
from tests.builders import STACK
from tests.reactions.account import SERVICE, Account

NAME = "secretsmanager.us-east-1.amazonaws.com"
POLICY = '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'
SAYS_WHY = {Verdict.NOT_REPAIRABLE, Verdict.DEGRADED, Verdict.WAITING, Verdict.SETTLING}


@dataclass(frozen=True)
class SubnetPlan:
    """`family`: IPv4 alone, both, or IPv6 alone. A small subnet is full."""

    zone: str
    family: str
    full: bool = False
    preferred: bool = False


@dataclass(frozen=True)
class EndpointPlan:
    """An endpoint made by hand: in the first `subnets` AZs, with one kind of security group."""

    state: str
    subnets: int
    group: str
    private_dns: bool
    fips: bool = False


@dataclass(frozen=True)
class VpcPlan:
    hostnames: bool
    support: bool
    second_cidr: bool
    subnets: list[SubnetPlan]
    endpoints: list[EndpointPlan] = field(default_factory=list)
    our_group: bool = False
    zone: str = ""
    maximum_zones: int = 0


SUBNETS = st.lists(
    st.builds(
        SubnetPlan,
        zone=st.sampled_from(["a", "b", "d", "e"]),  # the service is not in us-east-1e
        family=st.sampled_from(["ipv4", "ipv4", "ipv4", "dualstack", "ipv6"]),
        full=st.sampled_from([False, False, False, True]),
        preferred=st.booleans(),
    ),
    max_size=4,
)
ENDPOINTS = st.lists(
    st.builds(
        EndpointPlan,
        state=st.sampled_from(
            [
                *("available", "available", "pending", "partial", "pendingAcceptance"),
                *("deleting", "failed", "rejected", "expired"),
            ]
        ),
        subnets=st.integers(0, 2),
        group=st.sampled_from(["closed", "open", "by group", "half"]),
        private_dns=st.booleans(),
        fips=st.sampled_from([False, False, False, True]),
    ),
    max_size=2,
)
VPCS = st.builds(
    VpcPlan,
    hostnames=st.booleans(),
    support=st.booleans(),
    second_cidr=st.booleans(),
    subnets=SUBNETS,
    endpoints=ENDPOINTS,
    our_group=st.booleans(),
    zone=st.sampled_from(["", "", "", "hub", "elsewhere"]),
    maximum_zones=st.sampled_from([0, 0, 1, 2]),
)


@dataclass
class Builder:
    """Builds VPCs in the emulated account as its owner would, in an order AWS allows."""

    cloud: Cloud
    ec2: Any
    route53: Any
    hub_target: str
    numbers: Iterator[int] = field(default_factory=count)

    def build(self, plan: VpcPlan) -> str:
        vpc_id = self.ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        self._attribute(vpc_id, "EnableDnsHostnames", on=True)
        if plan.second_cidr:
            self.ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock="10.21.0.0/16")
        subnets = [self._subnet(vpc_id, n, one, plan) for n, one in enumerate(plan.subnets)]
        if plan.our_group:
            self._group(vpc_id, "ours", ours=True)
        names = set()
        if plan.zone:
            self._zone(vpc_id, plan.zone)
            names.add(False)
        for one in plan.endpoints:
            self._endpoint(vpc_id, one, subnets, names)
        if not plan.hostnames:
            self._attribute(vpc_id, "EnableDnsHostnames", on=False)
        if not plan.support:
            self._attribute(vpc_id, "EnableDnsSupport", on=False)
        return vpc_id

    def _attribute(self, vpc_id: str, name: str, *, on: bool) -> None:
        self.ec2.modify_vpc_attribute(VpcId=vpc_id, **{name: {"Value": on}})

    def _subnet(self, vpc_id: str, number: int, one: SubnetPlan, plan: VpcPlan) -> Any:
        asked: dict[str, Any] = {"VpcId": vpc_id, "AvailabilityZone": f"us-east-1{one.zone}"}
        if one.family != "ipv6":
            asked["CidrBlock"] = f"10.20.{number}.0/{28 if one.full else 24}"
        if one.family != "ipv4":
            asked["Ipv6CidrBlock"] = f"{self._v6(vpc_id)}{number:02x}::/64"
        if one.family == "ipv6":
            asked["Ipv6Native"] = True
        made = self.ec2.create_subnet(**asked)["Subnet"]
        if one.preferred:
            tag = {"Key": PREFERRED_SUBNET_TAG, "Value": ""}
            self.ec2.create_tags(Resources=[made["SubnetId"]], Tags=[tag])
        return one, made["SubnetId"]

    def _v6(self, vpc_id: str) -> str:
        def blocks() -> list[Any]:
            (vpc,) = self.ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"]
            return vpc.get("Ipv6CidrBlockAssociationSet", [])

        if not blocks():
            self.ec2.associate_vpc_cidr_block(VpcId=vpc_id, AmazonProvidedIpv6CidrBlock=True)
        return blocks()[0]["Ipv6CidrBlock"].removesuffix("00::/56")

    def _group(self, vpc_id: str, kind: str, *, ours: bool = False) -> str:
        tags = [{"Key": MANAGED_TAG, "Value": "true"}, {"Key": STACK_TAG, "Value": STACK}]
        id_ = self.ec2.create_security_group(
            GroupName=group_name(vpc_id, STACK) if ours else f"{kind}-{next(self.numbers)}",
            Description="x",
            VpcId=vpc_id,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}] if ours else [],
        )["GroupId"]
        rule: dict[str, Any] = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
        sources = {
            "open": {"IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
            "half": {"IpRanges": [{"CidrIp": "10.20.0.0/17"}]},
            "by group": {"UserIdGroupPairs": [{"GroupId": id_}]},
        }
        if kind in sources:
            permission = [rule | sources[kind]]
            self.ec2.authorize_security_group_ingress(GroupId=id_, IpPermissions=permission)
        return id_

    def _zone(self, vpc_id: str, kind: str) -> None:
        elsewhere = "vpce-0123456789abcdef0-x.vpce.amazonaws.com"
        target = self.hub_target if kind == "hub" else elsewhere
        zone_id = self.route53.create_hosted_zone(
            Name=NAME,
            CallerReference=vpc_id,
            VPC={"VPCRegion": "us-east-1", "VPCId": vpc_id},
            HostedZoneConfig={"PrivateZone": True},
        )["HostedZone"]["Id"]
        alias = {"DNSName": target, "HostedZoneId": "Z7HUB8P4", "EvaluateTargetHealth": False}
        record = {"Name": NAME, "Type": "A", "AliasTarget": alias}
        change = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        self.route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=change)

    def _endpoint(
        self, vpc_id: str, one: EndpointPlan, subnets: list[Any], names: set[bool]
    ) -> None:
        """Each in subnets of IPv4 in AZs of their own, with a private name where that is free."""
        usable = {s.zone: id_ for s, id_ in subnets if s.family != "ipv6" and s.zone != "e"}
        made = self.ec2.create_vpc_endpoint(
            VpcId=vpc_id,
            ServiceName=f"{SERVICE}-fips" if one.fips else SERVICE,
            VpcEndpointType="Interface",
            SubnetIds=list(usable.values())[: one.subnets],
            SecurityGroupIds=[self._group(vpc_id, one.group)],
            PrivateDnsEnabled=one.private_dns and one.fips not in names,
        )["VpcEndpoint"]
        if made["PrivateDnsEnabled"]:
            names.add(one.fips)
        id_ = made["VpcEndpointId"]
        if one.state == "deleting":
            self.ec2.delete_vpc_endpoints(VpcEndpointIds=[id_])
        elif one.state not in ("available", "pending"):
            self._emulated(id_).end_in(one.state)
        elif one.state == "available":
            self._emulated(id_).state = "available"

    def _emulated(self, id_: str) -> Any:
        return ec2_backends[self.cloud.account][self.cloud.region].vpc_end_points[id_]


@dataclass
class Guard:
    """Observe, decide and act as the function does, again until nothing is left to do."""

    cloud: Cloud
    observer: Observer
    actor: Actor
    desired: Desired
    refused: list[str] = field(default_factory=list)

    def decide_for(self, vpc_id: str) -> tuple[Vpc, Plan]:
        vpc = self.observer.vpcs([vpc_id])[vpc_id]
        return vpc, decide(vpc, self.desired)

    def settle(self, vpc_id: str) -> Plan:
        for _ in range(8):
            _, plan = self.decide_for(vpc_id)
            if plan.verdict is not Verdict.SETTLING and not plan.steps:
                return plan
            if plan.steps:
                outcome = self.actor.apply(plan, reason="test", tags={})
                if outcome.refused:
                    self.refused.append(str(outcome.refused))
                    return plan
            self.cloud.clock.skip(seconds=120)
        return plan


@pytest.fixture(scope="module")
def built(deployment: Cloud) -> tuple[Builder, Guard]:
    """The emulated account with a hub in it, and the guard's core with clients of its own."""
    deployment.reset()
    ec2 = Account(deployment).ec2
    builder = Builder(deployment, ec2, Account(deployment).client("route53"), "")
    hub = builder.build(VpcPlan(True, True, False, [SubnetPlan("a", "ipv4")]))
    (subnet,) = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [hub]}])["Subnets"]
    made = ec2.create_vpc_endpoint(
        VpcId=hub,
        ServiceName=SERVICE,
        VpcEndpointType="Interface",
        SubnetIds=[subnet["SubnetId"]],
        PrivateDnsEnabled=False,
    )["VpcEndpoint"]
    builder.hub_target = made["DnsEntries"][0]["DnsName"]
    client = deployment.session("guard").client
    zones = HostedZones(lambda: client("route53"), deployment.region, deployment.account)
    observed = client("ec2")
    desired = Desired(
        account_id=deployment.account,
        stack_id=STACK,
        service_name=SERVICE,
        opt_out_tag="vpce-guard:ignore",
        policy=POLICY,
    )
    actor = Actor(observed, STACK, lambda: datetime.now(UTC))
    return builder, Guard(deployment, Observer(observed, SERVICE, zones), actor, desired)


@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,  # the same VPCs for everybody: a red build is then about the change
)
@given(VPCS)
def test_any_vpc_ends_well_or_with_a_reason_and_stays_as_it_is(built, plan):
    builder, guard = built
    vpc_id = builder.build(plan)
    guard = replace(guard, desired=replace(guard.desired, maximum_zones=plan.maximum_zones))

    last = guard.settle(vpc_id)
    event(last.verdict)

    assert guard.refused == []
    assert not last.steps
    assert last.verdict in {Verdict.WORKS, Verdict.COVERED} or (
        last.verdict in SAYS_WHY and last.reasons
    )
    assert_works_or_is_published(guard, vpc_id, last)
    before = len(guard.cloud.calls)
    assert guard.settle(vpc_id) == last
    changed = [c.action for c in guard.cloud.calls[before:] if not c.action.startswith("Desc")]
    assert set(changed) <= {"ListHostedZonesByVPC", "ListResourceRecordSets"}


def assert_works_or_is_published(guard: Guard, vpc_id: str, last: Plan) -> None:
    """The verdict, held against what a client in the VPC would see; distinguished from `decide`."""
    if last.verdict not in {Verdict.WORKS, Verdict.DEGRADED}:
        return
    vpc, _ = guard.decide_for(vpc_id)
    (serving,) = [one for one in vpc.endpoints if one.id == last.endpoint_id]
    assert serving.state == "available"
    assert serving.interface_ids
    assert vpc.dns_support
    assert vpc.dns_hostnames
    assert serving.private_dns or (vpc.zone and serving.id in vpc.zone.endpoint_ids)
    admitted = {n for id_ in serving.group_ids for n in vpc.groups[id_].admits_https_from}
    chosen = any("that somebody chose" in one for one in last.reasons)
    assert not (chosen and last.verdict is Verdict.WORKS)
    for network in vpc.networks:
        within = any(n.version == network.version and network.subnet_of(n) for n in admitted)
        assert within or chosen or network.version not in serving.ip_versions
    if last.verdict is Verdict.WORKS:
        assert all(one.ip_versions & serving.ip_versions for one in vpc.subnets)
