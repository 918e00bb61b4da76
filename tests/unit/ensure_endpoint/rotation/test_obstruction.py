"""What keeps a rotation function from its endpoint: groups, subnets, the approved policy."""

import json

import pytest

from ensure_endpoint.rotation.function import Rotation
from ensure_endpoint.rotation.obstruction import obstruction, refused_actions
from guard.approved.policies import Placeholders, load
from guard.endpoint.decide import decide
from guard.policy import parse
from guardctl.policies import SHIPPED
from tests.builders import ACCOUNT, DESIRED, endpoint, group, subnet, vpc, zone

FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:rotate-db"
SECRET = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:db-AbCdEf"
HERE = Rotation(
    "db",
    FUNCTION,
    "vpc-1",
    secret_arn=SECRET,
    role_arn=f"arn:aws:iam::{ACCOUNT}:role/service-role/rotate-db",
    subnet_ids=frozenset({"subnet-1"}),
    group_ids=frozenset({"sg-function"}),
)


def obstructed(one=None, *, reaches=("0.0.0.0/0",), **rules) -> str:
    one = one or vpc()
    own = group("sg-function", [], {}, reaches, **rules)
    return obstruction(one, decide(one, DESIRED), HERE, {"sg-function": own})


@pytest.mark.parametrize(
    "rules",
    [
        {"reaches": ["0.0.0.0/0"]},
        {"reaches": ["10.0.0.0/16"]},
        {"reaches": ["10.0.1.7/32"]},
        {"reaches": [], "reaches_groups": ["sg-ours"]},
        {"reaches": [], "prefix_lists": True},
    ],
    ids=["anywhere", "the VPC", "perhaps its address", "the endpoint's group", "a prefix list"],
)
def test_a_way_out_that_may_lead_to_the_endpoint_is_none_to_complain_of(rules):
    assert obstructed(**rules) == ""


@pytest.mark.parametrize(
    "rules",
    [
        {"reaches": []},
        {"reaches": ["192.0.2.0/24"]},
        {"reaches": ["2001:db8::/32"]},
        {"reaches": [], "reaches_groups": ["sg-database"]},
    ],
    ids=["nowhere", "elsewhere", "IPv6 where the endpoint has IPv4", "another group"],
)
def test_a_function_that_is_not_let_out_to_the_endpoint_is_published(rules):
    assert "sg-function" in obstructed(**rules)


def test_an_az_that_the_function_is_not_let_out_to_is_published_by_its_subnet():
    both = ["subnet-1", "subnet-2"]
    wide = vpc(
        subnets=[subnet(), subnet("subnet-2", "use1-az2")], endpoints=[endpoint(subnet_ids=both)]
    )

    cause = obstructed(wide, reaches=["10.0.1.0/24"])
    assert "subnet-2" in cause
    assert "subnet-1" not in cause


def test_an_endpoint_still_to_be_made_is_judged_by_where_it_will_be():
    bare = vpc(endpoints=[], groups=[])

    assert obstructed(bare) == ""
    assert "subnet-1" in obstructed(bare, reaches=["192.0.2.0/24"])


def test_an_endpoint_whose_groups_shut_the_function_out_is_published_unless_it_is_being_repaired():
    shut = vpc(
        endpoints=[endpoint(group_ids=["sg-theirs"])], groups=[group("sg-theirs", [], tags={})]
    )
    function_only = group("sg-theirs", [], {}, admits_groups=["sg-function"])
    plan = decide(vpc(), DESIRED)
    groups = {"sg-function": group("sg-function", [], {})}

    assert obstructed(shut) == ""
    assert "sg-theirs" in obstruction(shut, plan, HERE, groups)
    admitted = vpc(endpoints=shut.endpoints, groups=[function_only])
    assert obstruction(admitted, plan, HERE, groups) == ""


def test_a_function_in_subnets_of_ipv6_alone_cannot_use_an_ipv4_endpoint():
    v6 = vpc(subnets=[subnet(ipv6_only=True), subnet("subnet-2", "use1-az2")])

    assert "no IP version" in obstructed(v6, reaches=["::/0"])


def test_where_a_hub_serves_the_vpc_the_function_must_get_out_at_all():
    covered = vpc(endpoints=[], zone=zone("vpce-hub", live=["vpce-hub"]))

    assert obstructed(covered, reaches=["192.0.2.0/24"]) == ""
    assert "nothing out" in obstructed(covered, reaches=[])


# The approved policy. Expected answers are those of IAM's evaluation of the shipped documents.


def refused(policy: str, rotation: Rotation = HERE) -> tuple[str, ...]:
    values = Placeholders(
        account_id=ACCOUNT, region="us-east-1", partition="aws", org_id="o-a1b2c3d4e5"
    )
    return refused_actions(load(policy, SHIPPED, values).policy, rotation, "aws")


@pytest.mark.parametrize("policy", ["own-account", "one-account", "own-organization"])
def test_policies_that_let_the_account_through_refuse_no_rotation(policy):
    assert refused(policy) == ()


def test_a_policy_that_only_lets_one_secret_be_read_refuses_its_rotation():
    example = Rotation(
        "example",
        FUNCTION,
        "vpc-1",
        secret_arn=SECRET.replace("db-AbCdEf", "example-AbCdEf"),
        role_arn=HERE.role_arn,
    )

    assert refused("one-secret", example) == (
        "PutSecretValue",
        "UpdateSecretVersionStage",
        "GetRandomPassword",
    )
    assert len(refused("one-secret")) == 5


def by(**element) -> tuple[str, ...]:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}
    document = json.dumps({"Statement": [everything | element]})
    return refused_actions(parse(document), HERE, "aws")


def test_a_role_is_known_by_its_path_and_by_its_session():
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/rotate-db/rotate-db"
    stranger = f"arn:aws:iam::{ACCOUNT}:role/rotate-db"

    assert by(Principal={"AWS": HERE.role_arn}) == ()
    assert by(Principal={"AWS": session}) == ()
    assert len(by(Principal={"AWS": stranger})) == 5


def test_what_depends_on_what_is_not_known_is_no_refusal():
    by_org = {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}

    assert by(Condition=by_org) == ()
    assert len(by(Condition={"StringEquals": {"aws:SourceVpc": "vpc-2"}})) == 5
    assert by(Condition={"StringEquals": {"aws:SourceVpc": "vpc-1"}}) == ()


def test_a_secret_that_could_not_be_described_is_judged_only_where_it_does_not_matter():
    unknown = Rotation("db", FUNCTION, "vpc-1", role_arn=HERE.role_arn)

    assert refused("own-account", unknown) == ()
    assert refused("one-secret", unknown) == (
        "PutSecretValue",
        "UpdateSecretVersionStage",
        "GetRandomPassword",
    )
