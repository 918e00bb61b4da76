"""`guardctl policies`: what the lint of approved policies finds, and what it lets be."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from guardctl.__main__ import app
from guardctl.policies import SHIPPED
from guardctl.policy_lint import Level, lint

SECRET = "arn:${Partition}:secretsmanager:${Region}:${AccountId}:secret:db-??????"
ROTATING = [
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetRandomPassword",
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecretVersionStage",
]
OWN = {"StringEquals": {"aws:PrincipalAccount": "${AccountId}"}}


def s(**elements: Any) -> dict[str, Any]:
    """A statement of an approved policy without fault; None takes an element away."""
    base = {"Effect": "Allow", "Principal": "*", "Action": ROTATING, "Resource": "*"}
    return {
        key: value
        for key, value in (base | {"Condition": OWN} | elements).items()
        if value is not None
    }


def d(*statements: dict[str, Any], **elements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)} | elements)


def problems(source: str, name: str = "test") -> list[tuple[str, str]]:
    return [(one.place, one.text) for one in lint(name, source) if one.level is Level.ERROR]


def condition(operator: str, value: Any, key: str = "aws:PrincipalTag/team") -> str:
    return d(s(Condition={operator: {key: value}}))


# As "Using an AWS Secrets Manager VPC endpoint" has it in the Secrets Manager user guide, and the
# default_endpoint_policy.json of AWS's data perimeter policy examples.
USER_GUIDE = {
    "Statement": [
        {
            "Principal": "*",
            "Effect": "Allow",
            "Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
            "Resource": "arn:aws:secretsmanager:us-east-1:111122223333:secret:Name-AbCdEf",
        }
    ]
}


def of_organization(sid: str, operator: str, conditions: dict[str, str]) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": "*",
        "Action": "*",
        "Resource": "*",
        "Condition": {operator: conditions},
    }


OWN_ORG = {"aws:PrincipalOrgID": "<my-org-id>"}
DATA_PERIMETER = {
    "Version": "2012-10-17",
    "Statement": [
        of_organization(
            "AllowRequestsByOrgsIdentitiesToOrgsResources",
            "StringEquals",
            {**OWN_ORG, "aws:ResourceOrgID": "<my-org-id>"},
        ),
        of_organization(
            "AllowRequestsByAWSServicePrincipals", "Bool", {"aws:PrincipalIsAWSService": "true"}
        ),
        of_organization(
            "AllowRequestsByOrgsIdentitiesToAnyResources",
            "StringEquals",
            {**OWN_ORG, "aws:PrincipalTag/dp:exclude:resource": "true"},
        ),
    ],
}
BY_TAG = s(Condition={"StringEquals": {"aws:PrincipalTag/a": "${aws:PrincipalTag/b}"}})

WITHOUT_FAULT = [
    json.dumps({"Statement": [s()]}),
    d(s(), Version="2008-10-17"),
    d(s()),
    d(s(Sid="One"), s(Sid="Two", Principal={"AWS": "${AccountId}"}, Condition=None)),
    d(s(), s(Effect="Deny", Action="secretsmanager:Get*", Condition={"Bool": {"a:b": True}})),
    d(s(Action="secretsmanager:*", Condition=None), s(Effect="Deny", Resource=SECRET)),
    d(s(Resource=[SECRET, "*"])),
    d(s(Principal={"AWS": "arn:${Partition}:iam::${AccountId}:role/app"}, Condition=None)),
    d(s(Principal={"Service": "lambda.amazonaws.com"}, Condition=None)),
    condition("StringLike", "finance*"),
    condition("StringLike", "${aws:PrincipalTag/department}*"),
    condition("StringLike", "*-finance"),
    condition("ArnLike", "arn:aws:iam::*:role/app", "aws:PrincipalArn"),
    condition("StringNotEquals", [], "aws:SourceVpc"),
    condition("Null", "true"),
]


@pytest.mark.parametrize("document", [USER_GUIDE, DATA_PERIMETER])
def test_what_aws_publishes_passes(document: dict[str, Any]):
    assert problems(json.dumps(document)) == []


@pytest.mark.parametrize("source", WITHOUT_FAULT)
def test_a_policy_without_fault(source: str):
    assert lint("test", source) == []


OPEN = s(Action="*", Condition=None)

FAULTS = [
    # The document
    ("{", "line 1, column 2", "not JSON"),
    (d(s(Principal=None)), "Statement[0]", "no Principal"),
    (d(s(Effect="Permit")), "Statement[0].Effect", "neither"),
    (d(BY_TAG, Version="2008-10-17"), "Version", "2012-10-17"),
    (json.dumps({"Statement": [BY_TAG]}), "Version", "2012-10-17"),
    (d(s(Resource="arn:${Account}:${Org}")), "document", "${Account}, ${Org}"),
    (condition("StringEquals", "${AccountId"), "document", "not closed"),
    (condition("StringEquals", "x" * 21_000), "document", "20,480"),
    (d(s(Sid="Own"), s(Sid="Own", Resource=SECRET, Condition=None)), "document", "the Sid Own"),
    (d(s(Sid="My statement")), "Statement[0]", "letters and digits"),
    # Allow-all
    (d(OPEN), "document", "lets everything pass"),
    (d(OPEN | {"Principal": {"AWS": "*"}}), "document", "lets everything pass"),
    (d(OPEN | {"Action": "secretsmanager:*"}), "document", "lets everything pass"),
    (d(s(), OPEN), "document", "lets everything pass"),
    (
        d(OPEN | {"Condition": {"StringLike": {"aws:PrincipalArn": "*"}}}),
        "document",
        "lets everything pass",
    ),
    *(
        (d(OPEN | {"Condition": {"Null": {key: value}}}), "document", "lets everything pass")
        for key, value in (
            ("aws:SourceVpc", "false"),  # every request through any endpoint has one
            ("aws:SourceVpce", "false"),
            ("aws:VpceAccount", "true"),
        )
    ),
    (d(s(Effect="Deny")), "document", "nothing passes"),
    (
        d(*(s(Resource=f"arn:aws:secretsmanager:*:*:secret:{'*a' * 1200}{n}") for n in range(7))),
        "document",
        "not compared: too large",
    ),
    # Elements that say what they do not mean
    (d(s(Action=None, NotAction="sts:*")), "Statement[0]", "Allow with NotAction"),
    (d(s(Resource=None, NotResource=SECRET)), "Statement[0]", "Allow with NotResource"),
    (
        d(s(Principal=None, NotPrincipal={"AWS": "123456789012"})),
        "Statement[0]",
        "Allow with NotPrincipal",
    ),
    (d(s(Principal={"AWS": "AIDAIOSFODNN7EXAMPLE1"})), "Statement[0]", "deleted principal"),
    (d(s(Principal={"AWS": "arn:aws:iam::123456789012:role/*"})), "Statement[0]", "no wildcards"),
    (d(s(Principal={"AWS": "app"})), "Statement[0]", "neither an account id"),
    (d(s(Action=[*ROTATING, "secretsmanager:GetSecret"])), "Statement[0]", "no such action"),
    (d(s(Action=[*ROTATING, "secretsmanager:Fetch*"])), "Statement[0]", "no such action"),
    (d(s(Action=[*ROTATING, "kms:Decrypt"])), "Statement[0]", "no such action"),
    (d(s(Resource=["*", "arn:aws:s3:::bucket"])), "Statement[0]", "nothing that Secrets Manager"),
    (
        d(s(Resource=["*", "arn:aws:secretsmanager:*:1234*:secret:x"])),
        "Statement[0]",
        "an id or a wildcard",
    ),
    # Conditions that an endpoint policy may not have, or that can never be true
    (condition("StringLike", "1234*", "aws:PrincipalAccount"), "Statement[0]", "wildcards in ids"),
    (condition("StringLike", "vpc-1234*", "AWS:SourceVpc"), "Statement[0]", "wildcards in ids"),
    (condition("NumericEquals", "1", "aws:ResourceAccount"), "Statement[0]", "as numbers"),
    (condition("StringLike", "fin*"), "Statement[0]", "six characters"),
    (condition("StringNotLike", "finance*x*"), "Statement[0]", "six characters"),
    (condition("ArnLike", "arn:aws:iam::12*:role/a"), "Statement[0]", "an id or a wildcard"),
    (condition("StringEquals", []), "Statement[0]", "never true"),
    # Keys that other services send
    *(
        (
            condition(operator, value, key),
            "Statement[0]",
            f"{key.lower()}: Secrets Manager does not",
        )
        for operator, value, key in (
            ("StringEquals", "${AccountId}", "aws:VpceAccount"),
            ("StringNotEqualsIfExists", "o-abcdefghij", "AWS:vpceOrgID"),
            ("ForAnyValue:StringLike", "o-abcdefghij/r-ab12/*", "aws:VpceOrgPaths"),
            ("ArnLike", "arn:aws:ec2:*:*:vpc/*", "aws:SourceVpcArn"),
            ("Null", "false", "aws:VpceAccount"),
        )
    ),
    (condition("StringEquals", "${aws:VpceAccount}"), "Statement[0]", "send aws:vpceaccount"),
    (
        condition("StringLike", "${aws:SourceVpcArn, 'none'}xxxxxx*"),
        "Statement[0]",
        "send aws:sourcevpcarn",
    ),
    (
        d(s(Resource=["*", "arn:aws:secretsmanager:*:*:secret:${aws:VpceOrgID}-??????"])),
        "Statement[0]",
        "send aws:vpceorgid",
    ),
    (condition("Bool", "yes"), "Statement[0]", "true or false"),
    (condition("Null", "maybe"), "Statement[0]", "true or false"),
    # Statements without effect
    (d(s(), s()), "Statement[1]", "Statement[0] says as much"),
    (d(s(Action=ROTATING[:1]), s()), "Statement[0]", "Statement[1] says as much"),
    (d(s(), s(Principal={"AWS": "${AccountId}"})), "Statement[1]", "Statement[0] says as much"),
    (
        d(s(Resource="*"), s(Resource=SECRET)),
        "Statement[1]",
        "Statement[0] says as much",
    ),
    (
        d(s(), s(Action="secretsmanager:Delete*"), s(Effect="Deny", Action="secretsmanager:D*")),
        "Statement[1]",
        "Statement[2] denies all of it",
    ),
    (
        d(s(), s(Effect="Deny", Action="secretsmanager:DeleteSecret")),
        "Statement[1]",
        "nothing of this is allowed",
    ),
    (
        d(
            s(Resource=SECRET),
            s(Effect="Deny", Resource=SECRET.replace(":db-", ":api-")),
        ),
        "Statement[1]",
        "nothing of this is allowed",
    ),
    (
        d(s(), s(Effect="Deny", Action=None, NotAction=ROTATING)),
        "Statement[1]",
        "nothing of this is allowed",
    ),
]


@pytest.mark.parametrize(("source", "place", "text"), FAULTS)
def test_a_fault(source: str, place: str, text: str):
    assert any(text in found for at, found in problems(source) if at == place)


@pytest.mark.parametrize("name", ["Own-Account", "own_account", "-own", "own--account", "own.1"])
def test_a_name_of_the_wrong_form(name: str):
    assert problems(d(s()), name) == [("name", "a name is lower-case words joined by hyphens")]


@pytest.mark.parametrize("name", ["allow-all", "allow-all-while-migrating"])
def test_a_policy_may_let_everything_pass_if_it_is_named_so(name: str):
    assert problems(d(OPEN), name) == []
    assert [place for place, _ in problems(d(s()), name)] == ["name"]


def test_a_policy_that_stops_rotation_is_warned_of():
    (found,) = lint("test", d(s(Action=["secretsmanager:GetSecretValue"])))
    assert found.level is Level.WARNING
    assert "DescribeSecret, PutSecretValue, UpdateSecretVersionStage" in found.text


def test_a_policy_near_the_limit_is_warned_of():
    (found,) = lint("test", condition("StringEquals", "x" * 19_000))
    assert found.level is Level.WARNING
    assert "of 20,480 characters" in found.text


def test_no_document_makes_the_lint_fail_in_a_way_of_its_own():
    for text in ("", "[]", "7", '"x"', "{}", '{"Statement": 1}', '{"Statement": [[]]}'):
        assert len(problems(text)) == 1


# The commands


def run(one: Any, arguments: list[str], **options: Any) -> Any:
    return CliRunner().invoke(one, ["policies", *arguments], **options)


def test_the_shipped_policies_are_without_fault():
    result = run(app, ["lint", "--offline"])
    assert result.exit_code == 0
    assert SHIPPED.is_dir()


def test_the_one_secret_of_the_documentation_stops_rotation_and_says_so():
    result = run(app, ["lint", "--offline", "--format", "jsonl"])
    (line,) = result.stdout.splitlines()
    assert json.loads(line)["policy"] == "one-secret"


def folder(tmp_path: Path, **policies: str) -> Path:
    for name, text in policies.items():
        (tmp_path / f"{name}.json").write_text(text)
    return tmp_path


@pytest.mark.parametrize("format_", ["table", "json", "jsonl"])
def test_lint_fails_for_a_fault(tmp_path: Path, format_: str):
    directory = folder(tmp_path, good=d(s()), bad=d(OPEN))
    result = run(app, ["lint", "--offline", str(directory), "--format", format_])
    assert result.exit_code == 1
    assert "bad" in result.stdout
    assert "good" not in result.stdout
    if format_ == "json":
        assert [row["level"] for row in json.loads(result.stdout)] == ["error"]


def test_lint_says_nothing_of_policies_without_fault(tmp_path: Path):
    result = run(app, ["lint", "--offline", str(folder(tmp_path, good=d(s())))])
    assert (result.exit_code, result.output) == (0, "")


def test_lint_finds_what_is_no_policy(tmp_path: Path):
    (folder(tmp_path, good=d(s())) / "notes.txt").write_text("x")
    (tmp_path / "latin.json").write_bytes(b"\xe9")
    result = run(app, ["lint", "--offline", str(tmp_path), "--format", "json"])
    found = {row["policy"]: row["text"] for row in json.loads(result.stdout)}
    assert found == {"notes.txt": "only .json files are policies", "latin": "this is not UTF-8"}
    assert result.exit_code == 1


def test_lint_of_a_folder_without_policies_is_bad_usage(tmp_path: Path):
    assert run(app, ["lint", str(tmp_path)]).exit_code == 2
    assert run(app, ["lint", str(tmp_path / "absent")]).exit_code == 2


FILLED = ("--account", "111122223333", "--region", "eu-west-1")


def test_compare_fills_placeholders_from_the_options_or_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    attached = tmp_path / "attached.json"
    text = d(s(), s(Sid="Two", Resource=SECRET, Condition=None))
    (tmp_path / "approved.json").write_text(text)
    filled = text.replace("${AccountId}", "111122223333").replace("${Region}", "eu-west-1")
    attached.write_text(filled.replace("${Partition}", "aws"))
    arguments = ["compare", str(attached), str(tmp_path / "approved.json")]
    assert run(app, [*arguments, *FILLED]).exit_code == 0
    other = run(app, [*arguments, "--account", "444455556666", "--region", "eu-west-1"])
    assert other.exit_code == 1

    class Sts:
        def get_caller_identity(self):
            return {"Account": "111122223333"}

    class Session:
        region_name = "eu-west-1"

        def __init__(self, profile_name: str | None) -> None:
            assert profile_name == "mine"

        def client(self, name: str, region_name: str):
            return Sts()

    monkeypatch.setattr("boto3.Session", Session)
    assert run(app, [*arguments, "--profile", "mine"]).exit_code == 0


def test_compare_takes_the_name_of_an_approved_policy(tmp_path: Path):
    text = (SHIPPED / "own-organization.json").read_text()
    attached = tmp_path / "attached.json"
    values = {"OrgId": "o-a1b2c3d4e5", "AccountId": "111122223333", "Region": "eu-west-1"}
    for name, value in {**values, "Partition": "aws"}.items():
        text = text.replace(f"${{{name}}}", value)
    attached.write_text(text)
    given = [*FILLED, "--org-id", "o-a1b2c3d4e5"]
    assert run(app, ["compare", str(attached), "own-organization", *given]).exit_code == 0
    lacking = run(app, ["compare", str(attached), "own-organization", *FILLED])
    assert (lacking.exit_code, "next: give --org-id" in lacking.stderr) == (2, True)


def test_compare(tmp_path: Path):
    directory = folder(tmp_path, approved=d(s()), same=d(s(Sid="Else")), other=d(s(), OPEN))
    approved = str(directory / "approved.json")
    same = run(app, ["compare", str(directory / "same.json"), approved, *FILLED])
    assert (same.exit_code, same.stdout) == (0, "equal: both documents mean the same\n")
    none = run(
        app, ["compare", str(directory / "same.json"), approved, *FILLED, "--format", "json"]
    )
    assert (none.exit_code, json.loads(none.stdout)) == (0, [])
    result = run(
        app, ["compare", str(directory / "other.json"), approved, *FILLED, "--format", "json"]
    )
    assert result.exit_code == 1
    (row,) = json.loads(result.stdout)
    assert row["risk"] == "wider"
    assert row["difference"].startswith("now also allows: every action for everyone")
    assert "wider" in result.stderr


def test_compare_reads_standard_input_and_reports_broken_documents(tmp_path: Path):
    approved = str(folder(tmp_path, approved=d(s())) / "approved.json")
    result = run(app, ["compare", "-", approved, *FILLED, "--format", "jsonl"], input="{")
    assert result.exit_code == 1
    assert "line 1, column 2" in result.stdout


@pytest.mark.parametrize("arguments", [["absent.json", "approved.json"], ["-", "absent.json"]])
def test_compare_without_a_file_is_bad_usage(tmp_path: Path, arguments: list[str]):
    folder(tmp_path, approved=d(s()))
    result = run(
        app, ["compare", *(one if one == "-" else str(tmp_path / one) for one in arguments)]
    )
    assert result.exit_code == 2
    assert "guardctl policies compare: cannot compare" in result.stderr
