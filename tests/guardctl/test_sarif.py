"""`--format sarif`: a log that the published schema takes, with each result beside its line."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from guardctl.__main__ import app
from guardctl.sarif import Result, Rule, line_of, log
from tests.guardctl.test_preflight import OTHER_ROLE, asking, statement, through
from tests.template.stack import ROOT

SCHEMA = json.loads((ROOT / "tests" / "schemas" / "sarif-2.1.0.json").read_text())
RULE = Rule("a-rule", "What it means.", "What to do.")
POLICIES = "layers/approved_policies/endpoint_policies"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(file: str, content: object) -> None:
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))


def run(*arguments: str, code: int) -> list[dict[str, Any]]:
    """The results of a command, each as its rule, level, file, line and text."""
    offline = ["--offline"] if arguments[0] == "policies" else []
    done = CliRunner().invoke(app, [*arguments, *offline, "--format", "sarif"])
    assert done.exit_code == code, done.output
    document = json.loads(done.stdout)
    valid(document)
    return document["runs"][0]["results"]


def valid(document: dict[str, Any]) -> None:
    jsonschema.Draft4Validator(SCHEMA).validate(document)
    rules = document["runs"][0]["tool"]["driver"]["rules"]
    for one in document["runs"][0]["results"]:
        assert rules[one["ruleIndex"]]["id"] == one["ruleId"]


def place(result: dict[str, Any]) -> tuple[str, int]:
    (location,) = result["locations"]
    where = location["physicalLocation"]
    return where["artifactLocation"]["uri"], where["region"]["startLine"]


def mark(result: dict[str, Any]) -> str:
    return result["partialFingerprints"]["primaryLocationLineHash"]


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def test_the_schema_refuses_what_is_no_log():
    with pytest.raises(jsonschema.ValidationError):
        valid({"version": "2.1.0", "runs": [{"results": [{"message": {}}], "tool": {}}]})


def test_what_is_well_is_a_log_without_results():
    write("policies/good.json", (ROOT / POLICIES / "own-account.json").read_text())
    assert run("policies", "lint", "policies", code=0) == []
    write("exceptions.json", {"exceptions": []})
    assert run("exceptions", "lint", "exceptions.json", code=0) == []


def test_a_problem_of_a_policy_is_beside_its_statement():
    fine = statement(Resource="arn:aws:secretsmanager:us-east-1:111122223333:secret:a-??????")
    write("my policies/bad.json", policy(fine, statement(Action="s3:GetObject")))
    found = run("policies", "lint", "my policies", code=1)
    lines = Path("my policies/bad.json").read_text().splitlines()
    second = 1 + [number for number, line in enumerate(lines) if line == "    {"][1]
    assert ("my%20policies/bad.json", second) in map(place, found)
    assert {one["level"] for one in found} == {"error"}
    assert any("s3:getobject" in one["message"]["text"] for one in found)


def test_a_text_that_is_no_json_is_shown_at_its_line():
    write("policies/bad.json", '{\n "Version": "2012-10-17",\n oops\n}')
    (found,) = run("policies", "lint", "policies", code=1)
    assert place(found) == ("policies/bad.json", 3)
    write("exceptions.json", '{\n "exceptions": [\n\n oops\n]}')
    (found,) = run("exceptions", "lint", "exceptions.json", code=1)
    assert place(found) == ("exceptions.json", 4)


def test_a_clone_has_its_lists_and_choices_checked_by_any_path():
    for name in ("template.yaml", f"{POLICIES}/own-account.json"):
        write(name, (ROOT / name).read_text())
    write("layers/approved_policies/approved.json", '{"vpcs": [1]}')
    write("samconfig.toml", '[prod.deploy.parameters]\nparameter_overrides="ApprovedPolicy=gone"\n')
    found = run("policies", "lint", POLICIES, code=1)
    files = {place(one)[0] for one in found}
    assert files == {"template.yaml", "samconfig.toml", "layers/approved_policies/approved.json"}


def test_a_folder_of_policies_alone_is_no_clone():
    write(f"{POLICIES}/own-account.json", (ROOT / POLICIES / "own-account.json").read_text())
    assert run("policies", "lint", POLICIES, code=0) == []


def test_a_problem_of_an_exception_is_beside_it():
    good = {"name": "ci", "owner": "a@b.c", "reason": "r", "expires": "2020-01-01", "vpc": "vpc-1"}
    write("exceptions.json", {"exceptions": [{**good, "name": "other"}, good]})
    first, second = run("exceptions", "lint", "exceptions.json", code=0)
    assert (first["level"], second["level"]) == ("warning", "warning")
    assert (place(first)[1], place(second)[1]) == (3, 10)
    write("exceptions.json", {"exceptions": [good, {**good, "owner": "", "name": "b"}]})
    (found,) = run("exceptions", "lint", "exceptions.json", code=1)
    assert (found["level"], place(found)[1]) == ("error", 10)


def logs(*records: dict[str, Any]) -> str:
    write("log.json", {"Records": list(records)})
    return "log.json"


def test_a_refusal_is_beside_the_statement_that_refuses():
    denies = statement(Effect="Deny", Resource="arn:*:secretsmanager:*:*:secret:db*", Sid="NoDb")
    write(
        "policy.json",
        policy(statement(), denies, statement(Effect="Deny", Action="secretsmanager:Put*")),
    )
    put = through(eventName="PutSecretValue")
    found = run("preflight", "policy.json", logs(asking("db"), asking("db2"), put), code=1)
    assert [one["ruleId"] for one in found] == ["refused-request"] * 3
    lines = Path("policy.json").read_text().splitlines()
    starts = [1 + number for number, line in enumerate(lines) if line == "    {"]
    assert {place(one)[1] for one in found} == set(starts[1:])
    # Two of one line and rule are two results for GitHub.
    assert len(set(map(mark, found))) == 3


def test_a_refusal_is_the_same_when_more_requests_came():
    write("policy.json", policy(statement(Effect="Deny"), statement()))
    (once,) = run("preflight", "policy.json", logs(asking("db")), code=1)
    (twice,) = run("preflight", "policy.json", logs(asking("db"), asking("db")), code=1)
    assert mark(once) == mark(twice)
    assert "1 requests" in once["message"]["text"]
    assert "2 requests" in twice["message"]["text"]


def test_what_no_statement_allows_is_beside_all_of_them():
    write("policy.json", policy(statement(Principal={"AWS": OTHER_ROLE})))
    (found,) = run("preflight", "policy.json", logs(asking("db")), code=1)
    assert place(found) == ("policy.json", 3)
    assert "no statement allows it" in found["message"]["text"]


def test_what_is_not_known_is_a_warning():
    condition = {"StringEquals": {"aws:SourceVpc": "vpc-1"}}
    write("policy.json", policy(statement(Condition=condition)))
    (found,) = run("preflight", "policy.json", logs(asking("db")), code=0)
    assert (found["ruleId"], found["level"]) == ("unknown-decision", "warning")
    (later,) = run("preflight", "policy.json", logs(asking("db"), asking("db")), code=0)
    assert mark(later) == mark(found)


def test_a_run_that_could_not_read_all_says_so():
    write("policy.json", policy(statement()))
    write("log.json", '{"Records": [{"eventSource": "secretsmanager.amazonaws.com"}]}')
    done = CliRunner().invoke(app, ["preflight", "policy.json", "log.json", "--format", "sarif"])
    assert done.exit_code == 2
    (said,) = json.loads(done.stdout)["runs"][0]["invocations"]
    assert said == {"executionSuccessful": False}


def test_a_text_steers_no_terminal_and_a_file_elsewhere_has_its_whole_address():
    document = log([RULE], [Result(RULE, "note", Path("/elsewhere/a b.json"), "a\x1b[31m\nb")])
    valid(document)
    (result,) = document["runs"][0]["results"]
    assert result["message"]["text"].isprintable()
    assert place(result) == ("file:///elsewhere/a%20b.json", 1)


@pytest.mark.parametrize(
    ("place", "line"),
    [("a[1].b", 4), ("a[1].c", 3), ("a[7]", 2), ("x", 1), ("", 1), ("single[0]", 6)],
)
def test_a_place_is_found_as_far_as_it_exists(place: str, line: int):
    write("file.json", '{\n"a": [1,\n{"z": 1,\n"b": 2}],\n\n"single": {"b": 1}\n}')
    assert line_of(Path("file.json"), place) == line


@pytest.mark.parametrize("content", ["[" * 200_000, "\t{\t", '"\\ud800"', "é"])
def test_no_file_stops_the_search_for_a_line(content: str):
    Path("file.json").write_bytes(content.encode("latin-1"))
    assert line_of(Path("file.json"), "a[0]") == 1
    assert line_of(Path("none.json"), "a[0]") == 1
