"""What AWS says of policies before they are attached, where there are credentials to ask it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.session import Session
from botocore.stub import Stubber
from typer.testing import CliRunner

from guardctl import validation
from guardctl.__main__ import app
from guardctl.twin import files
from guardctl.twin.family import fill
from guardctl.twin.scope import Kind, Scope
from guardctl.validation import NotAsked, Said, analyzer, validate

POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "secretsmanager:*",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:PrincipalAccount": "${AccountId}"}},
            }
        ],
    }
)
FINDING = {
    "findingDetails": "The action secretsmanager:X does not exist.",
    "findingType": "ERROR",
    "issueCode": "INVALID_ACTION",
    "learnMoreLink": "https://docs.aws.amazon.com/x",
    "locations": [
        {
            "path": [{"value": "Statement"}, {"index": 0}, {"value": "Action"}],
            "span": {
                "start": {"line": 1, "column": 1, "offset": 1},
                "end": {"line": 1, "column": 2, "offset": 2},
            },
        }
    ],
}
SUGGESTION = {**FINDING, "findingType": "SUGGESTION", "issueCode": "REDUNDANT", "locations": []}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """Access Analyzer, which answers what a test has it answer."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    client = analyzer(region="eu-west-1")
    monkeypatch.setattr(validation, "analyzer", lambda *_: client)
    with Stubber(client) as stubber:
        yield stubber


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def answers(aws: Stubber, *findings: Any, kind: str = "RESOURCE_POLICY", **more: Any) -> None:
    aws.add_response(
        "validate_policy",
        {"findings": list(findings)},
        {"policyType": kind, **more} if more else None,
    )


def lint(folder: Path, *options: str) -> Any:
    return CliRunner().invoke(app, ["policies", "lint", str(folder), *options])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "own.json").write_text(POLICY)
    return tmp_path / "policies"


def test_an_error_of_aws_fails_the_lint(aws: Stubber, folder: Path):
    filled = json.loads(POLICY.replace("${AccountId}", "123456789012"))
    text = json.dumps(filled, separators=(",", ":"))
    answers(aws, SUGGESTION, FINDING, policyDocument=text)
    found = lint(folder, "--format", "jsonl")
    rows = [json.loads(one) for one in found.stdout.splitlines()]
    assert [(one["level"], one["place"], one["policy"]) for one in rows] == [
        ("error", "Statement[0].Action", "own"),
        ("warning", "document", "own"),
    ]
    assert rows[0]["text"].startswith("AWS says ERROR INVALID_ACTION: The action secrets")
    assert found.exit_code == 1
    aws.assert_no_pending_responses()


def test_what_aws_merely_suggests_does_not_fail_the_lint(aws: Stubber, folder: Path):
    answers(aws, SUGGESTION)
    found = lint(folder)
    assert "REDUNDANT" in found.stdout
    assert found.exit_code == 0


def test_a_policy_that_cannot_be_read_is_not_sent(aws: Stubber, folder: Path):
    (folder / "broken.json").write_text("{")
    answers(aws)
    assert lint(folder).exit_code == 1
    aws.assert_no_pending_responses()


def test_all_pages_are_read(aws: Stubber):
    aws.add_response("validate_policy", {"findings": [SUGGESTION], "nextToken": "2"})
    aws.add_response("validate_policy", {"findings": [FINDING]})
    found = validate(aws.client, POLICY, "rcp")
    assert [one.level for one in found] == ["ERROR", "SUGGESTION"]
    assert found[0] == Said(
        "ERROR", "INVALID_ACTION", "Statement[0].Action", FINDING["findingDetails"]
    )


def test_without_credentials_the_lint_says_so(nobody: None, folder: Path):
    found = lint(folder, "--region", "eu-west-1")
    assert "AWS was not asked to validate: there are no credentials" in found.stderr
    assert found.exit_code == 0
    assert "AWS" not in lint(folder, "--offline").stderr


def test_where_aws_refuses_or_is_out_of_reach_the_lint_holds(aws: Stubber, folder: Path):
    aws.add_client_error("validate_policy", "AccessDeniedException", "not authorized")
    found = lint(folder)
    assert "AWS was not asked to validate: " in found.stderr
    assert "not authorized" in found.stderr
    assert found.exit_code == 0

    class Unreachable:
        def get_paginator(self, _: str) -> Any:
            raise EndpointConnectionError(endpoint_url="https://access-analyzer")

    with pytest.raises(NotAsked, match="Could not connect"):
        validate(Unreachable(), POLICY, "endpoint")


def test_without_a_region_or_a_profile_nothing_is_asked(nobody: None, monkeypatch: Any):
    with pytest.raises(NotAsked, match="profile"):
        analyzer(profile="none")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(NotAsked, match="no Region"):
        analyzer()


@pytest.mark.parametrize(
    ("kind", "called"),
    [
        (Kind.SECRET, "RESOURCE_POLICY"),
        (Kind.RCP, "RESOURCE_CONTROL_POLICY"),
        (Kind.SCP, "SERVICE_CONTROL_POLICY"),
    ],
)
def test_a_proof_asks_aws_of_each_policy(aws: Stubber, tmp_path: Path, kind: Kind, called: str):
    scope = Scope(kind=kind, vpcs={"eu-west-1": frozenset({"vpc-0a"})})
    candidates = fill(scope, "")
    files.write(tmp_path / "twin", scope, candidates)
    log = tmp_path / "log.json"
    log.write_text('{"Records": []}')
    words = ["twin", "prove", str(tmp_path / "twin"), str(log)]
    # The file ends in a line break.
    answers(aws, kind=called, policyDocument=candidates[0].text + "\n")
    done = CliRunner().invoke(app, words)
    assert "AWS validates: it has nothing against it" in done.stderr
    assert done.exit_code == 0, done.output
    answers(aws, SUGGESTION, kind=called)
    done = CliRunner().invoke(app, words)
    assert f"AWS on {candidates[0].name}: SUGGESTION REDUNDANT at document" in done.stderr
    assert done.exit_code == 0
    answers(aws, FINDING, kind=called)
    assert CliRunner().invoke(app, words).exit_code == 1


def test_an_offline_proof_asks_nothing_and_one_without_credentials_says_so(
    nobody: None, tmp_path: Path
):
    scope = Scope(kind=Kind.RCP, vpcs={"eu-west-1": frozenset({"vpc-0a"})})
    files.write(tmp_path / "twin", scope, fill(scope, ""))
    (tmp_path / "log.json").write_text('{"Records": []}')
    words = ["twin", "prove", str(tmp_path / "twin"), str(tmp_path / "log.json")]
    done = CliRunner().invoke(app, words)
    assert "AWS was not asked to validate: there are no credentials" in done.stderr
    assert done.exit_code == 0
    assert "AWS" not in CliRunner().invoke(app, [*words, "--offline"]).stderr


def test_aws_knows_the_types_of_policies():
    shape = Session().get_service_model("accessanalyzer").operation_model("ValidatePolicy")
    known = shape.input_shape.members["policyType"].enum
    assert set(validation.TYPES) == {one.value for one in Kind}
    assert set(validation.TYPES.values()) <= set(known)
