"""`guardctl twin`: what is undecided, what is written, and what an edited policy would break."""

import json
import shlex
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner, Result

from guardctl.__main__ import app
from guardctl.athena.parquet import read_groups
from guardctl.athena.query import Span, groups
from guardctl.athena.table import table_of
from tests.athena import ACCOUNT as LOGGED_ACCOUNT
from tests.athena import REGION as LOGGED_REGION
from tests.athena import in_duckdb, table
from tests.guardctl.test_sarif import valid
from tests.records import (
    ACCOUNT,
    ALICE,
    FOREIGN_ENDPOINT,
    OTHER_ACCOUNT,
    OWN_ENDPOINT,
    REGION,
    ROTATION_SUCCEEDED,
    changed,
    read,
    role,
)

VPC, OTHER_VPC = "vpc-0aaaaaaaaaaaaaaa1", "vpc-0bbbbbbbbbbbbbbb2"
APP = f"arn:aws:iam::{ACCOUNT}:role/app"
LINKED = "aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS"
KNOWN = ("--endpoint-vpc", f"{OWN_ENDPOINT}={VPC}")
SERVICE = read(
    userIdentity={"type": "AWSService", "invokedBy": "ecs.amazonaws.com"},
    sourceIPAddress="ecs.amazonaws.com",
)
FORWARDED = read(
    userIdentity={**ALICE, "invokedBy": "rds.amazonaws.com"}, sourceIPAddress="rds.amazonaws.com"
)
OF_ROLE = read(
    userIdentity=role(session="x", invokedBy="glue.amazonaws.com"),
    sourceIPAddress="glue.amazonaws.com",
)
BY_ROLE = read(userIdentity=role(session="x"))
CONSOLE = read(
    sessionCredentialFromConsole="true", userAgent="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
)
FOREIGN = read(
    vpcEndpointId=FOREIGN_ENDPOINT,
    vpcEndpointAccountId=OTHER_ACCOUNT,
    sourceIPAddress="10.0.0.4",
)


def through(**fields: Any) -> dict[str, Any]:
    """A read by a role through the own endpoint."""
    usual = {
        "userIdentity": role(),
        "vpcEndpointId": OWN_ENDPOINT,
        "vpcEndpointAccountId": ACCOUNT,
        "sourceIPAddress": "10.0.1.7",
    }
    return read(**usual | fields)


class Twin:
    """The command, with logs of its own in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.into = folder / "twin"
        self.logs = folder / "log.json"

    def log(self, *records: dict[str, Any]) -> None:
        dated = [{**one, "eventID": f"e{number}"} for number, one in enumerate(records)]
        self.logs.write_text(json.dumps({"Records": dated}))

    def propose(self, *records: dict[str, Any], options: tuple[str, ...] = KNOWN) -> Result:
        self.log(*records)
        return run("twin", "propose", self.logs, "--into", self.into, *options)

    def undecided(self, *records: dict[str, Any], options: tuple[str, ...] = KNOWN) -> list[Any]:
        found = self.propose(*records, options=(*options, "--format", "jsonl"))
        assert found.exit_code == 1, found.output
        assert not self.into.exists()
        return [json.loads(one) for one in found.stdout.splitlines()]

    def prove(self, *records: dict[str, Any], options: tuple[str, ...] = ()) -> Result:
        self.log(*records)
        return run("twin", "prove", self.into, self.logs, "--offline", *options)

    def statements(self, name: str = "rcp-1") -> list[dict[str, Any]]:
        return json.loads((self.into / f"{name}.json").read_text())["Statement"]

    def edit(self, statements: list[dict[str, Any]], name: str = "rcp-1") -> None:
        document = {"Version": "2012-10-17", "Statement": statements}
        (self.into / f"{name}.json").write_text(json.dumps(document))


@pytest.fixture
def twin(tmp_path: Path) -> Twin:
    return Twin(tmp_path)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


# What is undecided


@pytest.mark.parametrize(
    ("record", "why", "todo"),
    [
        (OF_ROLE, "a role that is used by glue.amazonaws.com", "--forwarded ARN, --pass ARN"),
        (
            read(userIdentity=role(session="x"), sourceIPAddress="appstream.amazonaws.com"),
            "a role that is used by appstream.amazonaws.com",
            "--pass ARN or --stop ARN",
        ),
        (read(userIdentity=role()), "a workload of yours (i-0123456789abcdef0)", "repair its VPC"),
        (
            read(
                userIdentity=role(
                    session="x",
                    inScopeOf={
                        "issuerType": "AWS::Lambda::Function",
                        "sourceArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f",
                    },
                )
            ),
            "a workload of yours (arn:aws:lambda",
            "repair its VPC first",
        ),
        (
            read(vpcEndpointId="vpce-0ccccccccccccccc3", vpcEndpointAccountId=ACCOUNT),
            "vpce-0ccccccccccccccc3 is approved, and its VPC is not known",
            "--endpoint-vpc vpce-0ccccccccccccccc3=VPC",
        ),
        (read(userIdentity="nobody"), "the record cannot be judged", "--pass ARN"),
    ],
)
def test_what_a_policy_cannot_know_is_undecided(twin: Twin, record: Any, why: str, todo: str):
    (row,) = twin.undecided(record, record, through())
    assert row["intent"] == "undecided"
    assert row["requests"] == 2
    assert row["why"].startswith(why)
    assert row["todo"].startswith(todo)


def test_an_own_address_is_of_a_workload(twin: Twin):
    options = (*KNOWN, "--own-address", "198.51.100.0/29")
    (row,) = twin.undecided(BY_ROLE, BY_ROLE, options=options)
    assert row["why"] == "a workload of yours (198.51.100.7), past the endpoint"
    elsewhere = (*KNOWN, "--own-address", "9.9.9.9/32")
    assert twin.propose(BY_ROLE, BY_ROLE, options=elsewhere).exit_code == 0


def test_who_came_once_over_the_public_way_is_undecided(twin: Twin):
    (row,) = twin.undecided(BY_ROLE, through(userIdentity=role("other")))
    assert row["why"] == "a caller that was seen once, over the public way"


@pytest.mark.parametrize("again", [BY_ROLE, changed(BY_ROLE, eventName="ListSecrets")])
def test_who_came_twice_in_whatever_way_is_decided(twin: Twin, again: Any):
    assert twin.propose(BY_ROLE, again).exit_code == 0


def test_nothing_is_written_before_all_is_named_and_then_it_is(twin: Twin):
    records = (OF_ROLE, OF_ROLE, BY_ROLE, through())
    assert len(twin.undecided(*records)) == 1
    done = twin.propose(*records, options=(*KNOWN, "--stop", APP))
    assert done.exit_code == 0, done.output
    # Whether the service asked with the role's own rights, nobody said: that is listed.
    assert "1 of 3 bypasses would, 2 hang on aws:viaawsservice (2)" in done.stderr
    done = twin.propose(*records, options=(*KNOWN, "--forwarded", APP))
    assert done.exit_code == 0, done.output
    assert "0 that should pass would be denied, 1 of 1 bypasses would, 0 hang" in done.stderr


# What is written


def test_the_policy_stops_the_ways_past_the_endpoint_and_lets_pass_the_others(twin: Twin):
    good = (through(), SERVICE, FORWARDED, read(userIdentity=role(LINKED, session="x")))
    bad = (read(), read(), CONSOLE, FOREIGN, FOREIGN, BY_ROLE, BY_ROLE)
    done = twin.propose(*good, *bad)
    assert done.exit_code == 0, done.output
    assert "Of 11 requests in 1 days 0 that should pass would be denied" in done.stderr
    assert "7 of 7 bypasses would, 0 hang on nothing" in done.stderr
    assert "rcp: of all 64 contexts 0 are decided wrongly" in done.stderr
    (statement,) = twin.statements()
    assert statement["Condition"]["StringNotEqualsIfExists"] == {"aws:SourceVpc": [VPC]}
    assert statement["Condition"]["StringEquals"] == {"aws:RequestedRegion": REGION}
    assert "aws organizations create-policy --type RESOURCE_CONTROL_POLICY" in done.stdout
    assert f"file://{twin.into}/rcp-1.json" in done.stdout
    assert "attach-policy --policy-id ID --target-id ACCOUNT_OR_OU" in done.stdout


def test_each_region_has_its_statement_with_its_own_vpcs(twin: Twin, tmp_path: Path):
    listed = tmp_path / "endpoints.json"
    endpoint = {"VpcEndpointId": OWN_ENDPOINT, "VpcId": VPC}
    elsewhere = {"VpcEndpointId": "vpce-0ccccccccccccccc3", "VpcId": OTHER_VPC}
    of_ec2 = {"VpcEndpointId": "vpce-0ddddddddddddddd4", "VpcId": "vpc-0ddddddddddddddd4"}
    name = "com.amazonaws.{}.{}"
    listed.write_text(
        json.dumps(
            {
                "VpcEndpoints": [
                    {**endpoint, "ServiceName": name.format(REGION, "secretsmanager")},
                    {**elsewhere, "ServiceName": name.format("us-east-1", "secretsmanager-fips")},
                    {**of_ec2, "ServiceName": name.format(REGION, "ec2")},
                ]
            }
        )
    )
    unserved = read(awsRegion="eu-north-1", requestParameters={"secretId": "x"})
    done = twin.propose(through(), unserved, unserved, options=("--endpoints", str(listed)))
    assert done.exit_code == 0, done.output
    asked = {
        one["Condition"]["StringEquals"]["aws:RequestedRegion"]: one["Condition"]
        for one in twin.statements()
    }
    assert {
        region: one.get("StringNotEqualsIfExists", {}).get("aws:SourceVpc")
        for region, one in asked.items()
    } == {REGION: [VPC], "us-east-1": [OTHER_VPC], "eu-north-1": None}


def test_what_endpoints_are_is_read_from_no_other_file(twin: Twin, tmp_path: Path):
    (tmp_path / "x.json").write_text("[]")
    done = twin.propose(through(), options=("--endpoints", str(tmp_path / "x.json")))
    assert done.exit_code == 2
    assert "next: aws ec2 describe-vpc-endpoints" in done.stderr


def test_named_roles_and_networks_pass(twin: Twin):
    options = (*KNOWN, "--pass", APP, "--network", "198.51.100.0/24")
    done = twin.propose(OF_ROLE, read(), FOREIGN, FOREIGN, options=options)
    assert done.exit_code == 0, done.output
    assert "2 of 2 bypasses would" in done.stderr
    (statement,) = twin.statements()
    assert statement["Condition"]["ArnNotLikeIfExists"]["aws:PrincipalArn"][1] == APP
    assert statement["Condition"]["NotIpAddressIfExists"] == {"aws:SourceIp": ["198.51.100.0/24"]}


@pytest.mark.parametrize("arn", ["*", "app", f"arn:aws:sts::{ACCOUNT}:assumed-role/app/x"])
def test_only_roles_and_users_can_be_let_pass(twin: Twin, arn: str):
    assert twin.propose(read(), options=("--pass", arn)).exit_code == 2


def test_an_exception_passes_as_far_as_a_policy_can_have_it(twin: Twin, tmp_path: Path):
    file = tmp_path / "exceptions.json"
    usual = {"owner": "o", "reason": "r", "expires": "2026-12-01"}
    exception = {"name": "app", "principal": APP, **usual}
    options = (*KNOWN, "--exceptions", str(file))
    file.write_text(json.dumps({"exceptions": [exception]}))
    done = twin.propose(BY_ROLE, through(), options=options)
    assert done.exit_code == 0, done.output
    assert APP in json.dumps(twin.statements())
    assert "Exception app ends 2026-12-02: propose anew then" in done.stderr
    file.write_text(
        json.dumps({"exceptions": [{"name": "net", "cidr": "198.51.100.7/32", **usual}]})
    )
    assert twin.propose(BY_ROLE, options=options).exit_code == 0
    assert "198.51.100.7/32" in json.dumps(twin.statements())


def test_a_narrower_exception_is_undecided(twin: Twin, tmp_path: Path):
    file = tmp_path / "exceptions.json"
    exception = {"name": "app", "principal": APP, "cidr": "198.51.100.0/24"}
    body = {**exception, "owner": "o", "reason": "r", "expires": "2026-12-01"}
    file.write_text(json.dumps({"exceptions": [body]}))
    options = (*KNOWN, "--exceptions", str(file))
    (row,) = twin.undecided(BY_ROLE, BY_ROLE, options=options)
    assert row["why"] == "exception app is narrower than what a policy can let pass"
    assert twin.propose(BY_ROLE, BY_ROLE, options=(*options, "--stop", APP)).exit_code == 0


def test_a_role_that_is_named_opens_what_it_bypasses_by(twin: Twin, tmp_path: Path):
    """The exception is for the role alone, so a policy cannot stop it before it was written."""
    file = tmp_path / "exceptions.json"
    body = {"name": "app", "principal": APP, "owner": "o", "reason": "r", "expires": "2026-06-01"}
    file.write_text(json.dumps({"exceptions": [body]}))
    after = changed(BY_ROLE, eventTime="2026-06-03T09:30:00Z")
    done = twin.propose(BY_ROLE, after, options=(*KNOWN, "--exceptions", str(file)))
    assert done.exit_code == 1
    assert "would pass, and should be stopped" in done.stdout
    assert "Nothing is written: it is not proven" in done.stderr
    assert not twin.into.exists()


def test_requests_of_which_a_policy_does_not_decide_are_left_out(twin: Twin):
    refused = read(errorCode="AccessDenied")
    listing = read(eventName="ListSecrets", requestParameters=None)
    others = read(
        requestParameters={"secretId": "arn:aws:secretsmanager:eu-west-1:9:secret:x-AbCdEf"}
    )
    done = twin.propose(through(), refused, listing, others, ROTATION_SUCCEEDED)
    assert done.exit_code == 0, done.output
    for one in ("refused by AWS already", "other calls", "of others' secrets", "no requests"):
        assert f"1 {one}" in done.stderr


def test_the_policy_of_a_secret_is_the_guards_own(twin: Twin):
    done = twin.propose(through(), read(), read(), options=(*KNOWN, "--kind", "secret"))
    assert done.exit_code == 0, done.output
    (statement,) = twin.statements(f"secret-{REGION}")
    assert statement["Sid"] == "VpceGuardPerimeter"
    assert "guardctl suggest-secret-policy" in done.stdout
    assert f"put-resource-policy --block-public-policy --region {REGION}" in done.stdout


def test_a_service_control_policy_is_for_what_has_no_secret(twin: Twin):
    batch = {"eventName": "BatchGetSecretValue", "requestParameters": {"secretIdList": ["a"]}}
    options = (*KNOWN, "--kind", "scp")
    done = twin.propose(through(**batch), read(**batch), read(**batch), read(), options=options)
    assert done.exit_code == 0, done.output
    assert "2 of 2 bypasses would" in done.stderr
    (statement,) = twin.statements("scp-1")
    assert statement["Action"] == "secretsmanager:BatchGetSecretValue"
    assert "Principal" not in statement
    assert "--type SERVICE_CONTROL_POLICY" in done.stdout


def test_an_endpoints_policy_lets_own_callers_to_own_secrets(twin: Twin):
    options = (*KNOWN, "--kind", "endpoint", "--account", ACCOUNT)
    theirs = f"arn:aws:secretsmanager:{REGION}:{OTHER_ACCOUNT}:secret:x-AbCdEf"
    stranger = through(requestParameters={"secretId": theirs})
    (row,) = twin.undecided(through(), stranger, read(), options=options)
    assert OTHER_ACCOUNT in row["why"]
    approved = (*options, "--approved-account", OTHER_ACCOUNT)
    assert twin.propose(through(), stranger, options=approved).exit_code == 0
    assert OTHER_ACCOUNT in json.dumps(twin.statements("endpoint"))
    done = twin.propose(through(), stranger, read(), options=(*options, "--stop", OTHER_ACCOUNT))
    assert done.exit_code == 0, done.output
    assert "1 of 1 bypasses would" in done.stderr
    assert "1 not through an endpoint of yours" in done.stderr
    assert OTHER_ACCOUNT not in json.dumps(twin.statements("endpoint"))
    assert "layers/approved_policies/endpoint_policies/" in done.stdout


def test_only_tagged_secrets_come_first(twin: Twin):
    options = (*KNOWN, "--only-tagged", "vpce-guard:perimeter")
    done = twin.propose(through(), read(), read(), options=options)
    assert done.exit_code == 0, done.output
    (statement,) = twin.statements()
    assert statement["Condition"]["Null"] == {"aws:ResourceTag/vpce-guard:perimeter": "false"}
    # Which secrets have the tag, CloudTrail does not say.
    assert "0 of 2 bypasses would, 2 hang on aws:resourcetag/vpce-guard:perimeter" in done.stderr
    refused = twin.propose(read(), options=("--only-tagged", "x", "--kind", "scp"))
    assert refused.exit_code == 2


def test_the_commands_can_be_pasted_whatever_the_folder_is_called(twin: Twin):
    twin.into = twin.folder / "a b; $x"
    done = twin.propose(through())
    assert done.exit_code == 0, done.output
    (create,) = [one for one in done.stdout.splitlines() if "create-policy" in one]
    assert f"file://{twin.into}/rcp-1.json" in shlex.split(create)


def test_a_folder_with_other_files_is_left_alone(twin: Twin):
    twin.into.mkdir()
    (twin.into / "mine.json").write_text("{}")
    assert twin.propose(through()).exit_code == 2
    assert [one.name for one in twin.into.iterdir()] == ["mine.json"]


def test_an_older_proposal_is_replaced(twin: Twin):
    assert twin.propose(through(), options=(*KNOWN, "--kind", "secret")).exit_code == 0
    assert twin.propose(through()).exit_code == 0
    assert sorted(one.name for one in twin.into.iterdir()) == ["rcp-1.json", "twin.json"]


def results(done: Result) -> list[tuple[str, str, str]]:
    """Rule, level and file of each result of a log, which the schema takes."""
    document = json.loads(done.stdout)
    valid(document)
    return [
        (
            one["ruleId"],
            one["level"],
            one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].rpartition("/")[2],
        )
        for one in document["runs"][0]["results"]
    ]


def test_a_proof_is_shown_beside_the_policies(twin: Twin):
    assert twin.propose(through(), read(), read()).exit_code == 0
    sarif = ("--format", "sarif")
    assert results(twin.prove(through(), read(), read(), options=sarif)) == []

    (statement,) = twin.statements()
    del statement["Condition"]  # it denies everybody
    twin.edit([statement])
    broken = twin.prove(through(), read(), read(), options=sarif)
    assert broken.exit_code == 1
    found = results(broken)
    assert ("logged-read", "error", "rcp-1.json") in found
    assert ("wrong-context", "error", "rcp-1.json") in found
    assert "would be denied, and should pass" in broken.stdout


def test_what_hangs_is_a_warning(twin: Twin):
    options = (*KNOWN, "--only-tagged", "vpce-guard:perimeter")
    assert twin.propose(through(), options=options).exit_code == 0
    done = twin.prove(read(), options=("--format", "sarif"))
    assert (done.exit_code, results(done)) == (0, [("unknown-decision", "warning", "rcp-1.json")])


def test_logs_that_cannot_be_read_prove_nothing(twin: Twin):
    unreadable = {"eventSource": "secretsmanager.amazonaws.com"}
    done = twin.propose(through(), unreadable)
    assert done.exit_code == 2
    assert "Nothing is written: not all of the logs could be read" in done.stderr
    assert not twin.into.exists()
    assert twin.propose(through()).exit_code == 0
    assert twin.prove(through(), unreadable).exit_code == 2


def test_groups_say_what_the_logs_say(twin: Twin, tmp_path: Path):
    records = [through(), through(), read(), read(), SERVICE, CONSOLE, FOREIGN, FOREIGN]
    dated = [{**one, "eventID": f"e{number}"} for number, one in enumerate(records)]
    database, made = duckdb.connect(), table_of("s3://bucket/AWSLogs/", [LOGGED_REGION])
    table(database, made, {"2026/06/01": dated}, tmp_path)
    span = Span(date(2026, 6, 1), date(2026, 6, 2))
    (query,) = groups(made, [LOGGED_ACCOUNT], span)
    file = tmp_path / "groups.parquet"
    database.sql(in_duckdb(query)).write_parquet(str(file))
    assert len(list(read_groups(file))) < len(records)
    of_groups = run("twin", "propose", "--groups", file, "--into", twin.into, *KNOWN)
    assert of_groups.exit_code == 0, of_groups.output
    policy = twin.statements()
    of_logs = twin.propose(*records)
    assert twin.statements() == policy
    assert of_groups.stderr == of_logs.stderr
    assert run("twin", "prove", twin.into, "--groups", file, "--offline").exit_code == 0


# Proving what was edited, and new logs


@pytest.fixture
def written(twin: Twin) -> Twin:
    assert twin.propose(through(), SERVICE, read(), read()).exit_code == 0
    return twin


def test_what_was_written_is_proven(written: Twin):
    assert written.prove(through(), SERVICE, read(), read()).exit_code == 0


def test_a_policy_that_would_break_a_caller_is_found_by_the_logs(written: Twin):
    (statement,) = written.statements()
    statement["Condition"]["StringNotEqualsIfExists"]["aws:SourceVpc"] = [OTHER_VPC]
    written.edit([statement])
    done = written.prove(through(), read(), read())
    assert done.exit_code == 1
    assert "1 that should pass would be denied, 2 of 2 bypasses would" in done.stderr
    assert "would be denied, and should pass" in done.stdout
    assert "deny and not allow: " in done.stderr


def test_a_hole_is_found_exhaustively_where_the_logs_have_nothing_of_it(written: Twin):
    (statement,) = written.statements()
    statement["Condition"]["StringNotEqualsIfExists"]["aws:SourceVpc"] = [VPC, OTHER_VPC]
    written.edit([statement])
    done = written.prove(through(), read(), read())
    assert done.exit_code == 1
    assert "0 that should pass would be denied, 2 of 2 bypasses would" in done.stderr
    assert "allow and not deny: " in done.stderr
    assert f"aws:sourcevpc {OTHER_VPC}" in done.stderr


def test_what_an_edit_asks_is_asked_of_the_logs_too(written: Twin):
    (statement,) = written.statements()
    statement["Condition"]["StringNotEquals"] = {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}
    written.edit([statement])
    done = written.prove(read(), read())
    assert "0 of 2 bypasses would, 2 hang on aws:principalorgid (2)" in done.stderr
    assert done.exit_code == 1  # the exhaustive proof knows that it lets pass
    statement["Condition"]["StringNotEquals"] = {"aws:PrincipalType": "User"}
    written.edit([statement])
    done = written.prove(read(), read())
    assert "0 of 2 bypasses would, 0 hang on nothing" in done.stderr
    assert "would pass, and should be stopped" in done.stdout


def test_a_new_caller_that_would_be_denied_is_named(written: Twin):
    done = written.prove(through(), OF_ROLE, OF_ROLE, options=("--format", "jsonl"))
    (row,) = [json.loads(one) for one in done.stdout.splitlines()]
    assert row["outcome"] == "hangs on what CloudTrail does not say"
    assert done.exit_code == 0
    done = written.prove(through(), read(userIdentity=role()), options=("--format", "jsonl"))
    (row,) = [json.loads(one) for one in done.stdout.splitlines()]
    assert row["outcome"] == "would be denied, and nobody said whether it may"
    assert done.exit_code == 1


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda into: (into / "twin.json").unlink(), "no proposal"),
        (lambda into: (into / "twin.json").write_text('{"scope": {}}'), "no proposal"),
        (lambda into: (into / "rcp-1.json").unlink(), "no proposal"),
        (lambda into: (into / "rcp-1.json").write_text("{}"), "there is no Statement"),
        (
            lambda into: (into / "twin.json").write_text(
                (into / "twin.json").read_text().replace("rcp-1", "../x")
            ),
            "'../x' is no name of a policy",
        ),
    ],
)
def test_a_proposal_that_is_broken_is_bad_input(written: Twin, break_it: Any, says: str):
    break_it(written.into)
    done = written.prove(through())
    assert done.exit_code == 2
    assert says in done.stderr


@pytest.mark.parametrize("words", [["propose"], ["prove", "twin"]])
def test_there_is_one_input(words: list[str]):
    assert "Missing argument 'LOGS...'" in run("twin", *words).stderr
    assert "--groups stands alone" in run("twin", *words, "x", "--groups", "y").stderr
