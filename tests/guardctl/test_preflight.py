"""`guardctl preflight`: what a policy would have refused; unknown where CloudTrail is silent."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from guardctl.__main__ import app
from tests.records import (
    ACCOUNT,
    ALICE,
    ENDPOINT_DENIED,
    FOREIGN_ENDPOINT,
    OTHER_ACCOUNT,
    OWN_ENDPOINT,
    READ,
    REGION,
    ROOT,
    ROTATION_SUCCEEDED,
    SECRET,
    changed,
    envelope,
    read,
    role,
)

ROLE = role("team/app")
OTHER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/other"
STRANGER = {"type": "AWSAccount", "accountId": OTHER_ACCOUNT, "principalId": "AROAX:y"}
SERVICE_CALL = read(
    userIdentity={"type": "AWSService", "invokedBy": "ecs.amazonaws.com"},
    sourceIPAddress="ecs.amazonaws.com",
)


def through(**fields: Any) -> dict[str, Any]:
    """A GetSecretValue by a role that came through the own endpoint, varied by these fields."""
    usual = {
        "userIdentity": ROLE,
        "vpcEndpointId": OWN_ENDPOINT,
        "vpcEndpointAccountId": ACCOUNT,
        "sourceIPAddress": "10.0.1.7",
    }
    return read(**usual | fields)


def asking(name: str) -> dict[str, Any]:
    return through(requestParameters={"secretId": name})


def statement(**elements: Any) -> dict[str, Any]:
    base = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    return {key: value for key, value in (base | elements).items() if value is not None}


def given(operator: str, key: str, value: Any) -> dict[str, Any]:
    return statement(Condition={operator: {key: value}})


@pytest.fixture
def files(tmp_path):
    def write(policy: object, *records: dict[str, Any]) -> tuple[str, str]:
        if isinstance(policy, dict):
            policy = json.dumps({"Version": "2012-10-17", "Statement": policy})
        (tmp_path / "policy.json").write_text(str(policy))
        (tmp_path / "log.json").write_text(json.dumps({"Records": records}))
        return str(tmp_path / "policy.json"), str(tmp_path / "log.json")

    return write


def preflight(*arguments: object):
    return CliRunner().invoke(app, ["preflight", *map(str, arguments)])


def rows(*arguments: object) -> list[dict[str, Any]]:
    result = preflight(*arguments, "--format", "jsonl")
    assert result.exit_code in (0, 1), result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def verdict(policy: dict[str, Any], record: dict[str, Any], *options: str, files: Any) -> str:
    found = rows(*files(policy, record), *options)
    return found[0]["verdict"] if found else "allowed"


def test_what_is_refused_is_reported_by_principal_action_and_secret(files):
    policy = statement(Principal={"AWS": OTHER_ROLE})
    second = SECRET.replace("db", "api")
    records = [
        through(),
        through(eventID="latest", eventTime="2026-06-03T00:00:00Z"),
        through(eventTime="2026-06-02T00:00:00Z", userIdentity=role("team/app", "another-session")),
        asking(second),
        through(eventName="PutSecretValue"),
        through(userIdentity=role("other")),
    ]
    found = rows(*files(policy, *records))
    assert found[0] == {
        "verdict": "refused",
        "count": 3,
        "principal": f"arn:aws:iam::{ACCOUNT}:role/team/app",
        "action": "secretsmanager:GetSecretValue",
        "secret": SECRET,
        "statement": None,
        "needs": [],
        "first_seen": "2026-06-01T09:30:00Z",
        "last_seen": "2026-06-03T00:00:00Z",
        "example": {"event_id": "latest", "event_time": "2026-06-03T00:00:00Z"},
    }
    assert [(one["action"].split(":")[1], one["secret"]) for one in found[1:]] == [
        ("GetSecretValue", second),
        ("PutSecretValue", SECRET),
    ]


def test_the_exit_code_says_whether_anything_is_refused(files):
    nobody = statement(Principal={"AWS": OTHER_ACCOUNT})
    assert preflight(*files(statement(), through())).exit_code == 0
    assert preflight(*files(nobody, through())).exit_code == 1
    assert preflight(*files(nobody)).exit_code == 0
    assert (
        preflight(*files(given("StringEquals", "aws:SourceVpc", "vpc-1"), through())).exit_code == 0
    )


def test_only_what_came_through_an_endpoint_is_asked_of(files):
    policy = statement(Principal={"AWS": OTHER_ROLE})
    other = through(vpcEndpointId=FOREIGN_ENDPOINT, vpcEndpointAccountId=OTHER_ACCOUNT)
    unnamed = through(vpcEndpointAccountId=..., eventID="unnamed")
    paths = files(policy, READ, through(), other, unnamed, ENDPOINT_DENIED, ROTATION_SUCCEEDED)
    assert sum(one["count"] for one in rows(*paths)) == 3
    assert sum(one["count"] for one in rows(*paths, "--endpoint", OWN_ENDPOINT)) == 2
    assumed = rows(*paths, "--assume-endpoint")
    assert sum(one["count"] for one in assumed) == 4
    assert f"arn:aws:iam::{ACCOUNT}:user/alice" in {one["principal"] for one in assumed}


def test_what_aws_does_itself_is_left_out_and_so_is_what_aws_refused(files):
    policy = statement(Effect="Deny")
    linked = role("aws-service-role/x.amazonaws.com/AWSServiceRoleForX")
    records = [
        SERVICE_CALL,
        read(userIdentity=linked),
        through(errorCode="AccessDenied"),
        through(errorCode="AccessDeniedException"),
        ROTATION_SUCCEEDED,
        envelope(ENDPOINT_DENIED),
    ]
    result = preflight(*files(policy, *records), "--assume-endpoint", "--format", "json")
    assert result.exit_code == 0
    summary = json.loads(result.stdout)["summary"]
    assert summary["requests"] == 0
    assert summary["made_by_aws_services"] == 2
    assert summary["refused_already"] == 2
    assert summary["no_requests"] == 2


def test_a_call_that_failed_for_another_reason_was_let_pass(files):
    record = through(errorCode="ResourceNotFoundException")
    assert verdict(statement(Effect="Deny"), record, files=files) == "refused"


CONDITIONS = [
    ("StringEquals", "aws:PrincipalAccount", ACCOUNT, "allowed"),
    ("StringEquals", "aws:PrincipalAccount", OTHER_ACCOUNT, "refused"),
    ("StringEquals", "aws:ResourceAccount", ACCOUNT, "allowed"),
    ("ArnEquals", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/team/app", "allowed"),
    ("ArnEquals", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/app", "refused"),
    ("StringEquals", "aws:PrincipalType", "AssumedRole", "allowed"),
    ("Bool", "aws:PrincipalIsAWSService", "true", "refused"),
    ("Bool", "aws:ViaAWSService", "false", "allowed"),
    ("StringEquals", "aws:SourceVpce", OWN_ENDPOINT, "allowed"),
    ("StringNotEquals", "aws:SourceVpce", OWN_ENDPOINT, "refused"),
    ("StringEquals", "aws:SourceVpc", "vpc-1", "unknown"),
    ("IpAddress", "aws:SourceIp", "0.0.0.0/0", "refused"),
    ("IpAddress", "aws:VpcSourceIp", "10.0.0.0/16", "allowed"),
    ("IpAddress", "aws:VpcSourceIp", "10.1.0.0/16", "refused"),
    ("StringEquals", "aws:PrincipalOrgID", "o-abcdefghij", "unknown"),
    ("StringEquals", "aws:PrincipalTag/team", "hr", "unknown"),
    ("DateLessThan", "aws:CurrentTime", "2026-06-02T00:00:00Z", "allowed"),
    ("DateLessThan", "aws:CurrentTime", "2026-06-01T00:00:00Z", "refused"),
    ("NumericLessThan", "aws:EpochTime", "0", "refused"),
    ("StringEquals", "aws:RequestedRegion", REGION, "allowed"),
    ("Bool", "aws:SecureTransport", "true", "allowed"),
    ("Null", "aws:username", "true", "allowed"),
    ("StringLike", "aws:userid", "AROAEXAMPLE0000000000:*", "allowed"),
    ("StringEquals", "secretsmanager:SecretId", SECRET, "allowed"),
    ("StringEquals", "secretsmanager:VersionStage", "AWSCURRENT", "unknown"),
    # What Secrets Manager does not send is absent, whatever the record says of the endpoint.
    ("StringEquals", "aws:VpceAccount", ACCOUNT, "refused"),
    ("StringEqualsIfExists", "aws:VpceAccount", OTHER_ACCOUNT, "allowed"),
    ("StringNotEquals", "aws:VpceOrgID", "o-abcdefghij", "allowed"),
    ("ForAnyValue:StringLikeIfExists", "aws:VpceOrgPaths", "o-abcdefghij/*", "refused"),
    ("ForAllValues:StringLike", "aws:VpceOrgPaths", "o-abcdefghij/*", "allowed"),
    ("ArnLike", "aws:SourceVpcArn", "arn:aws:ec2:*:*:vpc/*", "refused"),
    ("Null", "AWS:sourcevpcarn", "true", "allowed"),
    ("StringEquals", "aws:PrincipalAccount", "${aws:VpceAccount}", "refused"),
]


@pytest.mark.parametrize(("operator", "key", "value", "expected"), CONDITIONS)
def test_what_cloudtrail_reports_is_known_and_nothing_else(files, operator, key, value, expected):
    policy = given(operator, key, value)
    found = rows(*files(policy, through()))
    assert (found[0]["verdict"] if found else "allowed") == expected
    if expected == "unknown":
        assert found[0]["needs"] == [key.lower()]


def test_what_an_assumed_request_would_have_come_through_is_not_known(files):
    for key in ("aws:SourceVpce", "aws:VpcSourceIp"):
        policy = given("StringEquals" if key.endswith("e") else "IpAddress", key, "10.0.0.1")
        assert verdict(policy, READ, "--assume-endpoint", files=files) == "unknown"
    outside = given("NotIpAddress", "aws:SourceIp", "198.51.100.7/32")
    assert verdict(outside, READ, "--assume-endpoint", files=files) == "allowed"


PRINCIPALS = [
    (ROLE, f"arn:aws:iam::{ACCOUNT}:role/team/app", "allowed"),
    (ROLE, f"arn:aws:sts::{ACCOUNT}:assumed-role/app/i-0123456789abcdef0", "allowed"),
    (ROLE, f"arn:aws:iam::{ACCOUNT}:role/app", "refused"),
    (ROLE, ACCOUNT, "allowed"),
    (ALICE, f"arn:aws:iam::{ACCOUNT}:user/alice", "allowed"),
    (ALICE, OTHER_ROLE, "refused"),
    (ROOT, f"arn:aws:iam::{ACCOUNT}:root", "allowed"),
    (STRANGER, OTHER_ROLE, "unknown"),
]


@pytest.mark.parametrize(("identity", "principal", "expected"), PRINCIPALS)
def test_a_caller_goes_by_all_its_names(files, identity, principal, expected):
    policy = statement(Principal={"AWS": principal})
    assert verdict(policy, through(userIdentity=identity), files=files) == expected


BARE = SECRET[:-7]
RESOURCES = [
    (SECRET, SECRET, "allowed"),
    (SECRET, f"{BARE}-??????", "allowed"),
    ("prod/db", f"{BARE}-??????", "allowed"),
    ("prod/db", f"{BARE}-*", "allowed"),
    ("prod/db", "arn:aws:secretsmanager:*", "allowed"),
    ("prod/db", SECRET, "unknown"),
    ("prod/db", SECRET.replace("prod", "test"), "refused"),
    ("prod/db", SECRET.replace(ACCOUNT, OTHER_ACCOUNT), "refused"),
    (BARE, SECRET, "unknown"),
    (BARE, f"{BARE}-??????", "allowed"),
    ("no name, surely *", SECRET, "unknown"),
]


@pytest.mark.parametrize(("asked", "resource", "expected"), RESOURCES)
def test_a_secret_goes_by_its_arn_or_by_its_name(files, asked, resource, expected):
    assert verdict(statement(Resource=resource), asking(asked), files=files) == expected


def test_the_arn_that_aws_writes_down_counts_before_the_name_that_was_asked_for(files):
    record = asking("prod/db") | {
        "resources": [{"type": "AWS::SecretsManager::Secret", "ARN": SECRET, "accountId": ACCOUNT}]
    }
    assert verdict(statement(Resource=SECRET), record, files=files) == "allowed"


@pytest.mark.parametrize("name", ["ListSecrets", "GetRandomPassword", "BatchGetSecretValue"])
def test_actions_without_a_secret(files, name):
    record = through(eventName=name, requestParameters={"secretIdList": [SECRET]})
    assert verdict(statement(), record, files=files) == "allowed"
    assert verdict(statement(Resource=SECRET), record, files=files) == "refused"


def test_an_approved_policy_is_filled_in_for_the_account_of_each_record(files):
    _, log = files("", through(), through(recipientAccountId=OTHER_ACCOUNT, eventID="theirs"))
    (found,) = rows("own-account", log)
    assert (found["verdict"], found["count"], found["example"]["event_id"]) == (
        "refused", 1, "theirs",
    )  # fmt: skip


def test_an_organization_is_known_of_the_accounts_that_are_reported(files):
    _, log = files("", through())
    options = ("--org-id", "o-abcdefghij", "--account")
    assert rows("own-organization", log, *options[:2])[0]["verdict"] == "unknown"
    assert rows("own-organization", log, *options, ACCOUNT) == []


def test_the_statement_that_denies_is_named(files):
    denial = statement(Sid="NoReads", Effect="Deny", Action="secretsmanager:Get*")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement(), denial]})
    (found,) = rows(*files(policy, through()))
    assert found["statement"] == "NoReads"
    result = preflight(*files(policy, through()))
    assert "denied by NoReads" in result.stdout
    assert READ["eventID"] in result.stdout
    assert "1 requests: 0 would have been let pass, 1 refused, 0 unknown" in result.stderr


@pytest.mark.parametrize(
    ("policy", "reported"),
    [
        ("{", "line 1, column 2"),
        ('{"Statement": [], "Statement": []}', "Statement: this key is given twice"),
        ('{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}', "no Principal"),
    ],
)
def test_a_broken_policy_is_reported_with_its_place(files, policy, reported):
    result = preflight(*files(policy, through()))
    assert (result.exit_code, result.stdout) == (2, "")
    assert reported in result.stderr


def test_bad_usage(files):
    _, log = files("", through())
    for arguments, reported in (
        (("none-such", log), "own-account, own-organization"),
        (("own-organization", log), "--org-id"),
        (("own-organization", log, "--org-id", "acme"), "cannot be filled in"),
        (("own-account", log, "--account", ACCOUNT), "give both"),
        (("own-account", "/no/such/log"), "no such file"),
    ):
        result = preflight(*arguments)
        assert result.exit_code == 2
        assert reported in result.stderr


def test_what_cannot_be_read_is_reported_and_the_rest_is_asked_of(files, tmp_path):
    policy, _ = files(statement(Effect="Deny"))
    path = tmp_path / "lines.jsonl"
    path.write_text(f"{json.dumps(envelope(through()))}\n{{\n{json.dumps(through())}\n")
    result = preflight(policy, path, "--format", "jsonl")
    assert result.exit_code == 2
    assert f"{path}:" in result.stderr
    assert json.loads(result.stdout)["count"] == 2


def test_a_record_without_an_account_cannot_fill_in_a_placeholder(files):
    identity = {"type": "AssumedRole", "arn": "arn:aws:sts:::assumed-role/a/b"}
    record = changed(through(), recipientAccountId=..., userIdentity=identity)
    _, log = files("", record)
    (found,) = rows("own-account", log)
    assert (found["verdict"], found["needs"]) == ("unknown", ["account", "region"])


def test_what_is_in_records_does_not_steer_the_terminal(files):
    result = preflight(*files(statement(Effect="Deny"), asking("\x1b[2J[bold]x")))
    assert "\x1b" not in result.output
    assert "[bold]x" in result.stdout


# --- a secret's own policy ------------------------------------------------------------------------

OUTSIDE = {"aws:SourceVpc": ["vpc-0123456789abcdef0"]}


def closing(**conditions: Any) -> dict[str, Any]:
    """As `guardctl suggest-secret-policy` proposes it."""
    usual = {
        "StringNotEqualsIfExists": OUTSIDE,
        "BoolIfExists": {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"},
        "ArnNotLikeIfExists": {
            "aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/*"
        },
    }
    return statement(
        Sid="VpceGuardPerimeter",
        Effect="Deny",
        Action="secretsmanager:GetSecretValue",
        Condition=usual | conditions,
    )


def test_the_proposed_policy_of_a_secret_refuses_what_comes_from_outside(files):
    found = rows(*files(closing(), READ, read(eventName="ListSecrets", requestParameters=None)))
    assert [(one["verdict"], one["count"], one["statement"]) for one in found] == [
        ("refused", 1, "VpceGuardPerimeter")
    ]
    result = preflight(*files(closing(), READ))
    assert result.exit_code == 1
    assert "1 requests: 0 would have been let pass, 1 refused" in result.stderr
    assert "Read as the policy of every secret" in result.stderr


def test_through_an_endpoint_it_hangs_on_the_vpc_which_can_be_given(files):
    paths = files(closing(), through())
    (row,) = rows(*paths)
    assert (row["verdict"], row["needs"]) == ("unknown", ["aws:sourcevpc"])
    said = preflight(*paths).stderr
    assert "Could not be judged: 1 without knowing aws:sourcevpc; --endpoint-vpc" in said
    assert rows(*paths, "--endpoint-vpc", f"{OWN_ENDPOINT}=vpc-0123456789abcdef0") == []
    (row,) = rows(*paths, "--endpoint-vpc", f"{OWN_ENDPOINT}=vpc-0a")
    assert row["verdict"] == "refused"
    assert preflight(*paths, "--endpoint-vpc", "vpce-0a").exit_code == 2


def test_services_and_service_linked_roles_are_judged_too(files):
    linked = role("aws-service-role/x.amazonaws.com/AWSServiceRoleForX")
    assert rows(*files(closing(), SERVICE_CALL, read(userIdentity=linked))) == []
    everybody = statement(Effect="Deny", Action="secretsmanager:*")
    (row,) = rows(*files(everybody, SERVICE_CALL))
    assert row["verdict"] == "refused"


def test_only_the_secret_that_is_named_is_judged(files):
    other = asking("api")
    paths = files(statement(Effect="Deny"), asking(SECRET), asking("prod/db"), other)
    for name in (SECRET, "prod/db"):
        found = rows(*paths, "--secret", name)
        assert sum(one["count"] for one in found) == 2, found
    assert "1 of no secret, or another one" in preflight(*paths, "--secret", "prod/db").stderr


def test_in_the_secrets_own_account_a_policy_need_not_allow_and_elsewhere_it_must(files):
    nobody = statement(Principal={"AWS": OTHER_ROLE}, Action="secretsmanager:GetSecretValue")
    assert rows(*files(nobody, READ), "--secret", "prod/db") == []
    there = SECRET.replace(ACCOUNT, OTHER_ACCOUNT)
    stranger = read(requestParameters={"secretId": there})
    (row,) = rows(*files(nobody, stranger), "--secret", "prod/db")
    assert row["verdict"] == "refused"


def test_where_nothing_was_judged_it_says_so_and_what_to_do(files):
    said = preflight(*files(statement(), READ)).stderr
    assert "No request was judged" in said
    assert "--assume-endpoint" in said
