"""Which resource policies keep a secret inside the perimeter, and how the others are corrected."""

# ruff: noqa: E501  (a policy is a row: it reads better long than broken)

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.policy import MAX_CHARACTERS, parse
from guard.policy.evaluate import Outcome, Request, evaluate, principals_of
from secret_policy.correction import NotCorrectable, corrected
from secret_policy.perimeter import (
    SID,
    Bound,
    Perimeter,
    Secret,
    gaps,
    shuts_everybody_out,
    warnings,
)

ACCOUNT = "111122223333"
SECRET = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:prod/db-AbCdEf"
OTHER_SECRET = SECRET.replace("db", "api")
READ = "secretsmanager:GetSecretValue"
VPC, SPARE_VPC, HUB_VPC, STRANGE_VPC = (f"vpc-0{letter * 16}" for letter in "abcf")
ENDPOINT, HUB, STRANGE_ENDPOINT = (f"vpce-0{letter * 16}" for letter in "abf")
PERIMETER = Perimeter(
    account=ACCOUNT,
    partition="aws",
    vpc_ids=frozenset({VPC, SPARE_VPC}),
    endpoint_ids=frozenset({ENDPOINT, HUB}),
    served_vpc_ids=frozenset({VPC}),
    extra_endpoint_ids=frozenset({HUB}),
)
LINKED = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/*"
NO_SERVICE = {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"}


def deny(condition: dict[str, Any] | None = None, **elements: Any) -> dict[str, Any]:
    base: dict[str, Any] = {"Effect": "Deny", "Principal": "*", "Action": READ, "Resource": "*"}
    with_condition = {"Condition": condition} if condition is not None else {}
    merged = base | with_condition | elements
    return {key: value for key, value in merged.items() if value is not None}


def allow(**elements: Any) -> dict[str, Any]:
    return deny(Effect="Allow", **elements)


def d(*statements: dict[str, Any], version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


def outside(vpcs: Any = VPC, operator: str = "StringNotEquals") -> dict[str, Any]:
    return {operator: {"aws:SourceVpc": vpcs}}


OWNER = allow(Principal={"AWS": ACCOUNT})

WHOLE = [
    # AWS's own examples: "Permissions and VPCs", Secrets Manager guide
    ("AWS's example by endpoint", d(deny({"StringNotEquals": {"aws:sourceVpce": ENDPOINT}}))),
    ("AWS's example by VPC", d(deny(outside(), Action=["secretsmanager:Get*", "secretsmanager:Put*"]))),
    # "Data perimeter policy examples", network perimeter
    ("the data perimeter's example", d(deny({
        "StringNotEqualsIfExists": {"aws:SourceVpc": VPC},
        "BoolIfExists": NO_SERVICE,
        "ArnNotLikeIfExists": {"aws:PrincipalArn": LINKED},
    }, Action="secretsmanager:*"))),
    ("beside other statements", d(OWNER, deny(outside()))),
    ("for all of the service", d(deny(outside(), Action="secretsmanager:*"))),
    ("for everything", d(deny(outside(), Action="*"))),
    ("for all but something else", d(deny(outside(), Action=None, NotAction="secretsmanager:Describe*"))),
    ("for this secret by its ARN", d(deny(outside(), Resource=SECRET))),
    ("for everyone, long", d(deny(outside(), Principal={"AWS": "*"}))),
    ("several VPCs, all own", d(deny(outside([VPC, SPARE_VPC])))),
    ("by VPC or endpoint", d(deny({"StringNotEquals": {"aws:SourceVpc": VPC, "aws:SourceVpce": [ENDPOINT, HUB]}}))),
    ("in two denials that together leave nothing", d(
        deny({"Null": {"aws:SourceVpc": "true"}}), deny(outside(operator="StringNotEqualsIfExists"))
    )),
    ("services let through by one key", d(deny(outside() | {"Bool": {"aws:PrincipalIsAWSService": "false"}}))),
    ("service-linked roles of one service let through", d(deny(
        outside() | {"ArnNotEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/rds.amazonaws.com/*"}}
    ))),
    ("nobody at all, from wherever", d(deny())),
    ("in the old language", d(deny(outside()), version="2008-10-17")),
    ("operators and keys in any case", d(deny({"stringnotequals": {"AWS:sourcevpc": VPC}}))),
    ("not like", d(deny(outside(operator="StringNotLike")))),
    ("a VPC let in and kept out", d(deny(outside([VPC, STRANGE_VPC])), deny(outside(STRANGE_VPC, "StringEquals")))),
    ("every value of a key that has one at most", d(deny(outside(operator="ForAllValues:StringNotEquals")))),
    ("by a key that Secrets Manager never sends", d(deny({"StringNotEqualsIfExists": {"aws:VpceOrgID": "o-abcdefghij"}}))),
]  # fmt: skip


def opened(operator: str, other: str) -> str:
    """What the guard itself writes, with another operator in it."""
    return corrected(None, SECRET, PERIMETER).replace(f'"{operator}"', f'"{other}"')


OPEN = [
    ("no policy", None, "no resource policy"),
    ("no statement of it", d(OWNER), "over the internet is not denied"),
    ("text that is no policy", "{", "cannot be read: line 1"),
    ("only those who are let in are published", d(allow(Condition={"StringEquals": {"aws:SourceVpc": VPC}})), "over the internet is not denied"),
    ("another action", d(deny(outside(), Action="secretsmanager:PutSecretValue")), "is not denied"),
    ("all but reading", d(deny(outside(), Action=None, NotAction=READ)), "is not denied"),
    ("another secret", d(deny(outside(), Resource=OTHER_SECRET)), "is not denied"),
    ("some principal alone", d(deny(outside(), Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/app"})), "hangs on principal"),
    ("the own account alone", d(deny(outside(), Principal={"AWS": ACCOUNT})), "hangs on principal"),
    ("everyone but one", d(deny(outside(), Principal=None, NotPrincipal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/app"})), "hangs on principal"),
    ("an exception for a role", d(deny(outside() | {"ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/admin"}})), "hangs on aws:principalarn"),
    ("an exception that hides beside service-linked roles", d(deny(outside() | {"ArnNotLike": {"aws:PrincipalArn": [LINKED, "arn:aws:iam::*:role/a*"]}})), "hangs on aws:principalarn"),
    ("an exception by tag", d(deny(outside() | {"StringNotEquals": {"aws:SourceVpc": VPC, "aws:PrincipalTag/dp": "true"}})), "hangs on aws:principaltag/dp"),
    ("an office's addresses", d(deny(outside() | {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}})), "hangs on aws:sourceip"),
    ("a VPC of somebody else", d(deny(outside([VPC, STRANGE_VPC]))), f"from {STRANGE_VPC} (not approved) is not denied"),
    ("an endpoint of somebody else", d(deny({"StringNotEquals": {"aws:SourceVpce": STRANGE_ENDPOINT}})), f"from {STRANGE_ENDPOINT}"),
    ("any VPC", d(deny(outside("vpc-*", "StringNotLike"))), "of somebody else is not denied"),
    ("any endpoint", d(deny({"Null": {"aws:SourceVpce": "true"}})), "of somebody else is not denied"),
    ("the wrong way round", d(deny({"StringEquals": {"aws:SourceVpc": VPC}})), "over the internet is not denied"),
    ("a typo in the key", d(deny({"StringNotEquals": {"aws:SourceVpcId": VPC}})), "hangs on aws:sourcevpcid"),
    ("a key that must be there", d(deny(outside() | {"Null": {"aws:SourceVpc": "false"}})), "over the internet is not denied"),
    ("for services only", d(deny(outside() | {"Bool": {"aws:PrincipalIsAWSService": "true"}})), "is not denied"),
    ("until a date", d(deny(outside() | {"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}})), "hangs on aws:currenttime"),
    ("any value of a key that may be absent", d(deny(outside(operator="ForAnyValue:StringNotEquals"))), "over the internet is not denied"),
    ("the guard's own statement, opened by a prefix", opened("StringNotEqualsIfExists", "ForAnyValue:StringNotEqualsIfExists"), "over the internet is not denied"),
    ("the same at the exception for service-linked roles", opened("ArnNotLikeIfExists", "ForAnyValue:ArnNotLikeIfExists"), "hangs on aws:principalarn"),
    ("a set operator before Null", d(deny({"ForAnyValue:Null": {"aws:SourceVpc": "true"}})), "hangs on aws:sourcevpc"),
    ("a key that Secrets Manager never sends", d(deny({"StringNotEquals": {"aws:VpceAccount": ACCOUNT}, "Null": {"aws:VpceAccount": "false"}})), "over the internet is not denied"),
    ("VPCs by the start of their id", d(deny(outside("vpc-0aaaa*", "StringNotLike"))), "of somebody else is perhaps not denied: that hangs on aws:sourcevpc"),
    ("a VPC by a variable", d(deny(outside("${aws:PrincipalTag/vpc}"))), "hangs on"),
    ("a VPC by its own variable", d(deny(outside("${aws:SourceVpc}"))), "hangs on aws:sourcevpc"),
    # Denials of the very ids that a judge might try, beside one of what is over the internet
    ("a made-up id kept out by name", d(deny({"Null": {"aws:SourceVpc": "true"}}), deny(outside("vpc-00000000000000000", "StringEquals"))), "of somebody else is not denied"),
    ("a pattern kept out by name", d(deny({"Null": {"aws:SourceVpc": "true"}}), deny(outside(["vpc-*", "vpc-?"], "StringEquals"))), "of somebody else is not denied"),
    ("one VPC and one endpoint of somebody else, in two denials", d(deny(outside([VPC, STRANGE_VPC])), deny({"StringNotEqualsIfExists": {"aws:SourceVpce": [ENDPOINT, STRANGE_ENDPOINT]}})), f"from {STRANGE_VPC} through {STRANGE_ENDPOINT} (not approved) is not denied"),
    ("a resource whose star may or may not take colons", d(deny(outside(), Resource="arn:aws:secretsmanager:*:secret:prod/db-AbCdEf")), "hangs on resource"),
    ("a netmask", d(deny(outside() | {"NotIpAddress": {"aws:VpcSourceIp": "10.0.0.0/255.0.0.0"}})), "cannot be read"),
    ("a letter that resembles another", d(deny({"StringNotEquals": {"aws:\u017fourceVpc": VPC}})), "cannot be read"),
    ("more VPCs than can be compared", d(deny(outside([f"vpc-{number:x}" for number in range(500)]))), "not compared: too large"),
    ("an Allow in place of the Deny", d(deny(outside(), Effect="Allow", Sid=SID)), "is not denied"),
]  # fmt: skip


@pytest.mark.parametrize("text", [pytest.param(row[1], id=row[0]) for row in WHOLE])
def test_a_policy_keeps_the_perimeter(text: str):
    assert gaps(text, SECRET, PERIMETER) == ()


@pytest.mark.parametrize(("text", "published"), [pytest.param(*row[1:], id=row[0]) for row in OPEN])
def test_a_policy_leaves_a_way_open(text: str | None, published: str):
    found = gaps(text, SECRET, PERIMETER)
    assert any(published in one for one in found), found


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(row[1], id=row[0])
        for row in OPEN
        if not any(words in row[2] for words in ("cannot be read", "too large"))
    ],
)
def test_a_corrected_policy_keeps_the_perimeter_and_every_other_statement(text: str | None):
    whole = corrected(text, SECRET, PERIMETER)
    assert gaps(whole, SECRET, PERIMETER) == ()
    before = json.loads(text)["Statement"] if text else []
    after = json.loads(whole)["Statement"]
    assert after[:-1] == [one for one in before if one.get("Sid") != SID]
    assert corrected(whole, SECRET, PERIMETER) == whole


def test_a_policy_of_more_stars_than_can_be_compared_denies_nothing():
    secret = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:{'a' * 500}-AbCdEf"
    stars = "arn:aws:secretsmanager:eu-west-1:*:secret:" + "*a" * 400
    text = d(deny(outside(), Resource=[f"{stars}{number}" for number in range(20)]), deny())
    assert gaps(text, secret, PERIMETER) == ("the policy was not compared: too large",)
    assert not shuts_everybody_out(text, secret, PERIMETER)


def test_null_names_no_vpc():
    text = d(deny({"Null": {"aws:SourceVpc": ["true", "false"], "aws:SourceVpce": "false"}}))
    assert gaps(text, SECRET, PERIMETER) == ("a request over the internet is not denied",)


def test_what_is_let_in_by_itself_is_not_listed_with_each_other():
    text = d(
        deny(
            {"StringNotEquals": {"aws:SourceVpc": STRANGE_VPC, "aws:SourceVpce": STRANGE_ENDPOINT}}
        )
    )
    assert gaps(text, SECRET, PERIMETER) == (
        f"a request from {STRANGE_ENDPOINT} (not approved) is not denied",
        f"a request from {STRANGE_VPC} (not approved) is not denied",
    )


NOBODY_INSIDE = [
    ("nobody at all, from wherever", d(OWNER, deny())),
    ("a VPC that nobody knows", d(deny(outside(STRANGE_VPC)))),
    ("a VPC without endpoint", d(deny(outside(SPARE_VPC)))),
    ("by a key that Secrets Manager never sends", d(deny({"StringNotEqualsIfExists": {"aws:VpceOrgID": "o-abcdefghij"}}))),
    ("all but services", d(deny({"Bool": NO_SERVICE}))),
    ("all but service-linked roles", d(deny({"ArnNotLike": {"aws:PrincipalArn": LINKED}}))),
    ("in two denials", d(deny(outside([VPC, HUB_VPC])), deny({"StringNotEquals": {"aws:SourceVpce": STRANGE_ENDPOINT}}))),
]  # fmt: skip

SOMEBODY_INSIDE = [
    ("no policy", None),
    ("text that is no policy", "{"),
    ("what the guard writes", corrected(None, SECRET, PERIMETER)),
    ("one endpoint", d(deny({"StringNotEquals": {"aws:SourceVpce": ENDPOINT}}))),
    ("the endpoint of others", d(deny({"StringNotEquals": {"aws:SourceVpce": HUB}}))),
    ("one role", d(deny({"ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/a"}}))),
    ("whoever is not that role", d(deny(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/a"}))),
    ("another secret", d(deny(Resource=OTHER_SECRET))),
    ("until a day", d(deny({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}))),
    ("what cannot be compared", d(deny({"StringNotLike": {"aws:SourceVpc": "*a" * 5_000}}))),
]  # fmt: skip


@pytest.mark.parametrize("text", [pytest.param(row[1], id=row[0]) for row in NOBODY_INSIDE])
def test_a_policy_shuts_everybody_out(text: str):
    own = replace(PERIMETER, extra_endpoint_ids=frozenset[str]())
    assert shuts_everybody_out(text, SECRET, own)


def test_the_endpoint_of_others_may_be_in_any_vpc():
    elsewhere = d(deny(outside(HUB_VPC)))
    assert not shuts_everybody_out(elsewhere, SECRET, PERIMETER)
    assert shuts_everybody_out(d(deny({"Null": {"aws:SourceVpce": "false"}})), SECRET, PERIMETER)


@pytest.mark.parametrize("text", [pytest.param(row[1], id=row[0]) for row in SOMEBODY_INSIDE])
def test_a_policy_perhaps_lets_somebody_inside_read(text: str | None):
    assert not shuts_everybody_out(text, SECRET, PERIMETER)


def test_nobody_is_shut_out_where_nobody_is_inside():
    nothing = Perimeter(ACCOUNT, "aws", vpc_ids=frozenset({VPC}))
    assert not shuts_everybody_out(d(deny()), SECRET, nothing)


def test_a_single_statement_and_an_id_are_kept():
    text = json.dumps({"Version": "2008-10-17", "Id": "ours", "Statement": OWNER})
    whole = json.loads(corrected(text, SECRET, PERIMETER))
    assert (whole["Version"], whole["Id"]) == ("2008-10-17", "ours")
    assert whole["Statement"][0] == OWNER


def reads(text: str, **context: Any) -> Outcome:
    principals = frozenset({f"AWS:{ACCOUNT}"})
    known = {
        "aws:SourceVpc": None,
        "aws:SourceVpce": None,
        "aws:PrincipalIsAWSService": "false",
        "aws:ViaAWSService": "false",
        "aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/app",
    }
    request = Request(
        action=READ,
        resource=SECRET,
        principals=context.pop("principals", principals),
        context=known | {f"aws:{key}": value for key, value in context.items()},
        complete=True,
    )
    return evaluate(parse(text), request).outcome


def test_who_may_still_read_by_a_corrected_policy():
    whole = corrected(
        d(OWNER, allow(Principal={"Service": "ecs.amazonaws.com"})), SECRET, PERIMETER
    )
    assert reads(whole, SourceVpc=VPC, SourceVpce=ENDPOINT) is Outcome.ALLOW
    assert reads(whole, SourceVpc=VPC, SourceVpce="vpce-made-anew") is Outcome.ALLOW
    assert reads(whole, SourceVpc=HUB_VPC, SourceVpce=HUB) is Outcome.ALLOW
    assert reads(whole, ViaAWSService="true") is Outcome.ALLOW
    service = frozenset({"Service:ecs.amazonaws.com"})
    by_service = {"PrincipalIsAWSService": "true", "PrincipalArn": None}
    assert reads(whole, principals=service, **by_service) is Outcome.ALLOW
    linked = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS"
    assert reads(whole, principals=principals_of(linked), PrincipalArn=linked) is Outcome.ALLOW
    assert reads(whole) is Outcome.DENY
    assert reads(whole, SourceVpc=STRANGE_VPC, SourceVpce=STRANGE_ENDPOINT) is Outcome.DENY


def test_the_partition_is_the_accounts():
    china = Perimeter(ACCOUNT, "aws-cn", served_vpc_ids=frozenset({VPC}), vpc_ids=frozenset({VPC}))
    assert f"arn:aws-cn:iam::{ACCOUNT}:role/aws-service-role/*" in corrected(None, SECRET, china)
    assert "aws:SourceVpce" not in corrected(None, SECRET, china)


def test_where_nothing_is_inside_nobody_is_locked_out():
    nothing = Perimeter(ACCOUNT, "aws", vpc_ids=frozenset({VPC}))
    with pytest.raises(NotCorrectable, match="nobody could read it"):
        corrected(None, SECRET, nothing)


def test_what_cannot_be_read_is_not_written_over():
    with pytest.raises(NotCorrectable, match="line 1, column 2"):
        corrected("{", SECRET, PERIMETER)


def sized(characters: int) -> str:
    """A policy of so many characters without white space."""
    text = d(allow(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/x"}))
    compact = json.dumps(json.loads(text), separators=(",", ":"))
    return compact.replace("role/x", "role/" + "x" * (characters - len(compact) + 1))


def test_a_policy_that_would_be_too_large_is_not_made():
    room = MAX_CHARACTERS - len(corrected(sized(1_000), SECRET, PERIMETER)) + 1_000
    assert len(corrected(sized(room + 100), SECRET, PERIMETER)) < MAX_CHARACTERS  # without spaces
    with pytest.raises(NotCorrectable, match="characters, too many"):
        corrected(sized(MAX_CHARACTERS - 100), SECRET, PERIMETER)


some_conditions = st.dictionaries(
    st.sampled_from(
        [
            "StringNotEquals",
            "StringNotEqualsIfExists",
            "StringEquals",
            "StringNotLike",
            "StringLike",
        ]
    ),
    st.dictionaries(
        st.sampled_from(["aws:SourceVpc", "aws:SourceVpce", "aws:PrincipalTag/x"]),
        st.lists(
            st.sampled_from([VPC, ENDPOINT, STRANGE_VPC, STRANGE_ENDPOINT, "vpc-*"]), max_size=3
        ),
        min_size=1,
    ),
)
some_policies = st.lists(
    st.builds(
        lambda condition, **elements: deny(condition, **elements),
        some_conditions,
        Effect=st.sampled_from(["Allow", "Deny", "Deny"]),
        Action=st.sampled_from([READ, "secretsmanager:*", "secretsmanager:Put*"]),
        Principal=st.sampled_from(["*", {"AWS": ACCOUNT}]),
    ),
    min_size=1,
    max_size=4,
)


@given(some_policies)
def test_whatever_the_policy_a_whole_one_lets_no_stranger_read_and_a_corrected_one_is_whole(
    statements: list[dict[str, Any]],
):
    text = d(allow(), *statements)
    whole = corrected(text, SECRET, PERIMETER)
    for one in (whole, *([text] if not gaps(text, SECRET, PERIMETER) else [])):
        assert gaps(one, SECRET, PERIMETER) == ()
        for way in ({}, {"SourceVpc": STRANGE_VPC, "SourceVpce": STRANGE_ENDPOINT}):
            for tag in (None, VPC, "anything"):
                assert reads(one, **way, **{"PrincipalTag/x": tag}) is Outcome.DENY


def test_what_aws_warns_of_is_published_as_far_as_it_concerns_the_secret():
    plain = Secret(SECRET, "prod/db", {})
    assert len(warnings(plain)) == 1
    assert "with a role of yours" in warnings(plain)[0]
    rotated = Secret(
        SECRET, "n", {}, rotation_function=f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:turn"
    )
    assert any(
        "rotation function turn must run in one of the VPCs" in one for one in warnings(rotated)
    )
    owned = Secret(SECRET, "n", {}, owning_service="rds", primary_region="eu-west-1")
    assert any("rds rotates it" in one for one in warnings(owned))
    assert not any("replica" in one for one in warnings(owned))
    replica = Secret(SECRET, "n", {}, primary_region="us-east-1")
    assert any("copies its policy from us-east-1" in one for one in warnings(replica))
    primary = Secret(
        SECRET, "n", {}, primary_region="eu-west-1", replica_regions=("us-east-1", "ap-south-1")
    )
    assert any("replicas in ap-south-1, us-east-1" in one for one in warnings(primary))


def test_which_secrets_are_bound():
    tagged = Bound("perimeter", everything=False, opt_out_tag="ignore")
    everything = Bound("perimeter", everything=True, opt_out_tag="ignore")
    assert [tagged.holds(tags) for tags in ({}, {"perimeter": ""}, {"perimeter": "", "ignore": ""})] == [
        False, True, False,
    ]  # fmt: skip
    assert [everything.holds(tags) for tags in ({}, {"ignore": ""})] == [True, False]


def test_which_changes_of_tags_take_a_secret_out():
    tagged = Bound("perimeter", everything=False, opt_out_tag="ignore")
    everything = Bound("perimeter", everything=True, opt_out_tag="ignore")
    untag, opt_out = {"tagKeys": ["perimeter"]}, {"tags": [{"key": "ignore", "value": ""}]}
    assert [tagged.loosened_by(one) for one in (untag, opt_out)] == [True, True]
    assert [everything.loosened_by(one) for one in (untag, opt_out)] == [False, True]
    for other in (
        {},
        {"tagKeys": ["team"]},
        {"tags": [{"key": "team"}]},
        {"tags": "x"},
        {"tags": [1]},
    ):
        assert not tagged.loosened_by(other)
