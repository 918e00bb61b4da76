"""Whom a policy would refuse: who counts, where they are, and who may be refused by review."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from guard.approved.refusals import RefusalFinder, refuses_account
from guard.cloudtrail.event_history import Seen
from guard.cloudtrail.record import parse as record_of
from guard.endpoint.inhabitants import Inhabitants
from guard.policy import parse
from tests import records

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HERE, THERE = "111122223333", "222222222222"
FOREIGN = f"arn:aws:secretsmanager:us-east-1:{THERE}:secret:erp-AbCdEf"
OWN = parse(
    '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "secretsmanager:*",'
    ' "Resource": "*", "Condition": {"StringEquals": {'
    f'"aws:PrincipalAccount": "{HERE}", "aws:ResourceAccount": "{HERE}"}}}}}}]}}'
)
ORGANIZATION = parse(
    '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*",'
    ' "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}}]}'
)


def read(secret: str = FOREIGN, address: str = "198.51.100.9", **more: Any):
    body = records.read(requestParameters={"secretId": secret}, sourceIPAddress=address, **more)
    body.pop("vpcEndpointId", None)
    return record_of(body)


def interface(address: str = "", *, kind: str = "interface", **more: Any):
    public = {"Association": {"PublicIp": address}} if address else {}
    return {"InterfaceType": kind, **public, **more}


@dataclass
class Pages:
    answers: Any

    def paginate(self, **asked: Any):
        return [self.answers(asked)]


@dataclass
class Aws:
    """EC2 with interfaces by VPC, and RAM with shares: subnets and principals."""

    vpcs: dict[str, list[Any]] = field(default_factory=dict)
    shares: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)
    fails: str = ""

    def get_paginator(self, operation: str):
        return Pages(getattr(self, operation))

    def describe_network_interfaces(self, asked: Any):
        ((name, values),) = [(one["Name"], one["Values"]) for one in asked["Filters"]]
        if name == "vpc-id":
            return {"NetworkInterfaces": self.vpcs.get(values[0], [])}
        every = [one for some in self.vpcs.values() for one in some]
        named = [one for one in every if one.get("Association", {}).get("PublicIp") in values]
        return {"NetworkInterfaces": named}

    def describe_subnets(self, asked: Any):
        return {"Subnets": [{"SubnetId": f"subnet-{asked['Filters'][0]['Values'][0]}"}]}

    def get_resource_share_associations(self, asked: Any):
        if self.fails:
            raise ClientError({"Error": {"Code": self.fails, "Message": "no"}}, "Get")
        principals = asked["associationType"] == "PRINCIPAL"
        named = asked.get("resourceShareArns", list(self.shares))
        found = [
            {"resourceShareArn": share, "associatedEntity": one}
            for share in named
            for one in self.shares[share][principals]
        ]
        return {"resourceShareAssociations": found}


def finder(*seen: Any, aws: Aws | None = None, accepted: tuple[str, ...] = ()):
    class History:
        def calls(self, name: str, since: datetime) -> Seen:
            return Seen(tuple(one for one in seen if one.event_name == name))

    one = aws or Aws()
    there: Any = one
    history: Any = History()
    return RefusalFinder(history, Inhabitants(there, one), frozenset(accepted))


def asked(*seen: Any, aws: Aws | None = None, **more: Any):
    return finder(*seen, aws=aws, **more).in_vpc(OWN, "a", NOW)


def test_who_reads_another_accounts_secret_is_named_with_how_often():
    (who,) = asked(read(), read()).who
    assert who.endswith(f"GetSecretValue of {FOREIGN} (2 times)")


@pytest.mark.parametrize(
    "record",
    [
        read(secret="prod/own"),
        read(errorCode="AccessDenied"),
        read(userIdentity={"type": "AWSService", "invokedBy": "rds.amazonaws.com"}),
    ],
    ids=["own secret", "denied by rights", "a service of AWS's"],
)
def test_who_loses_nothing_is_not_named(record):
    assert asked(record).named == ()


def test_a_read_that_failed_otherwise_counts():
    assert asked(read(errorCode="ResourceNotFoundException")).who


def test_who_may_be_refused_by_review_is_named_and_not_asked_about():
    record = read(userIdentity=records.role(session="worker"))
    seen = asked(record, accepted=(record.identity.issuer_arn,))
    assert (seen.who, len(seen.agreed)) == ((), 1)


# Where a caller is.

NAT = interface("198.51.100.9", kind="nat_gateway")


@pytest.mark.parametrize(
    ("vpcs", "counts"),
    [
        ({"a": [NAT]}, True),
        ({"a": [interface("203.0.113.1", kind="nat_gateway")]}, False),
        ({"a": [], "b": [interface("198.51.100.9")]}, False),
        ({"a": [], "b": [NAT]}, True),
        ({"a": [interface("203.0.113.1", kind="nat_gateway")], "b": [NAT]}, False),
        ({"a": []}, True),
    ],
    ids=[
        "its own gateway",
        "the VPC has another gateway",
        "an interface of another VPC",
        "another VPC's gateway, and none of its own",
        "another VPC's gateway, beside its own",
        "nobody's address",
    ],
)
def test_a_callers_address_says_where_it_is(vpcs, counts):
    record = read(userIdentity=records.role(session="worker"))
    assert bool(asked(record, aws=Aws(vpcs)).who) is counts


@pytest.mark.parametrize("there", ["a", "b"])
def test_an_instance_is_where_its_interface_is(there):
    id_ = "i-0123456789abcdef0"
    record = read(userIdentity=records.role(session=id_))
    aws = Aws({there: [interface(Attachment={"InstanceId": id_})]})
    assert bool(asked(record, aws=aws).who) is (there == "a")


@pytest.mark.parametrize(
    ("description", "counts"),
    [("AWS Lambda VPC ENI-sync-0a1b", True), ("AWS Lambda VPC ENI-other-0a1b", False)],
)
def test_a_function_is_where_its_interface_is(description, counts):
    scope = {
        "issuerType": "AWS::Lambda::Function",
        "credentialsIssuedTo": f"arn:aws:lambda:us-east-1:{HERE}:function:sync",
    }
    record = read(userIdentity={**records.role(session="sync"), "inScopeOf": scope})
    assert bool(asked(record, aws=Aws({"a": [interface(Description=description)]})).who) is counts


@pytest.mark.parametrize(("address", "counts"), [("198.51.100.9", True), ("192.0.2.1", False)])
def test_a_person_counts_by_the_address_alone(address, counts):
    identity = records.role("AWSReservedSSO_Admin_0123456789abcdef", session="jane")
    record = read(address=address, userIdentity=identity)
    assert bool(asked(record, aws=Aws({"a": [NAT]})).who) is counts


# Accounts that a subnet is shared with.

SHARED = {"share": ([f"arn:aws:ec2:us-east-1:{HERE}:subnet/subnet-a"], [THERE])}


def test_an_account_with_a_share_is_named():
    (who,) = asked(aws=Aws(shares=SHARED)).who
    assert THERE in who


def test_a_subnet_in_two_shares_names_both():
    (subnets, _) = SHARED["share"]
    shares = {**SHARED, "more": (subnets, ["333333333333"])}
    assert len(asked(aws=Aws(shares=shares)).who) == 2


@pytest.mark.parametrize(
    "entity",
    [
        f"arn:aws:ec2:us-east-1:{HERE}:subnet/subnet-b",
        f"arn:aws:ec2:us-east-1:{HERE}:prefix-list/a",
    ],
    ids=["another VPC's subnet", "no subnet"],
)
def test_other_shares_are_nobodys_loss(entity):
    assert asked(aws=Aws(shares={"share": ([entity], [THERE])})).named == ()


@pytest.mark.parametrize(
    ("shared_with", "accepted"),
    [
        (THERE, f"arn:aws:iam::{THERE}:root"),
        (
            f"arn:aws:organizations::{HERE}:ou/o-a1b2c3d4e5/ou-ab12-cd34ef56",
            f"arn:aws:organizations::{HERE}:ou/o-a1b2c3d4e5/ou-ab12-*",
        ),
    ],
)
def test_shares_that_may_be_refused_by_review(shared_with, accepted):
    aws = Aws(shares={"share": (SHARED["share"][0], [shared_with])})
    seen = asked(aws=aws, accepted=(accepted,))
    assert (seen.who, len(seen.agreed)) == ((), 1)


def test_a_policy_that_may_let_them_pass_refuses_nobody():
    assert refuses_account(OWN, THERE)
    assert not refuses_account(ORGANIZATION, THERE)
    assert not refuses_account(OWN, HERE)


def test_shares_that_cannot_be_read_are_named_and_throttling_is_not_swallowed():
    (lacking,) = asked(aws=Aws(fails="AccessDeniedException")).lacking
    assert "shared" in lacking
    with pytest.raises(ClientError, match="Throttling"):
        asked(aws=Aws(fails="Throttling"))


def test_the_event_history_is_read_once_a_minute():
    counted: list[str] = []
    one = finder(read())
    known: Any = one.history
    calls = known.calls
    known.calls = lambda name, since: counted.append(name) or calls(name, since)
    one.in_vpc(OWN, "a", NOW)
    one.in_vpc(OWN, "b", NOW)
    assert len(counted) == 2


def test_who_came_through_an_endpoint_is_split_by_what_the_policy_refuses():
    id_ = "vpce-0a1b2c3d4e5f60718"
    records_seen = [
        record_of(
            records.read(
                requestParameters={"secretId": secret},
                userIdentity=records.role(),
                vpcEndpointId=one,
            )
        )
        for secret, one in ((FOREIGN, id_), ("prod/own", id_), (FOREIGN, "vpce-other"))
    ]
    seen = finder(*records_seen).through(OWN, id_, NOW)
    assert [FOREIGN in one for one in seen.who] == [True]
    assert ["prod/own" in one for one in seen.agreed] == [True]
