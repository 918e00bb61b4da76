"""The pre-commit hooks and the GitHub Action have the published form, and find what is wrong."""

import json
import os
import shlex
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from guardctl.policies import SHIPPED
from tests.guardctl.test_sarif import valid
from tests.guardctl.test_twin import KNOWN, through
from tests.template.stack import ROOT

ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
STEPS = ACTION["runs"]["steps"]
BIN = Path(sys.executable).parent
GOOD = (SHIPPED / "own-account.json").read_text()
BAD = GOOD.replace("secretsmanager:*", "s3:*")
EXPIRED = {"name": "ci", "owner": "a@b.c", "reason": "r", "expires": "2020-01-01", "vpc": "vpc-1"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with approved policies and exceptions at their usual places, all well."""
    folder = tmp_path / "repository" / "layers" / "approved_policies"
    (folder / "endpoint_policies").mkdir(parents=True)
    (folder / "endpoint_policies" / "own-account.json").write_text(GOOD)
    (folder / "exceptions.json").write_text(json.dumps({"exceptions": [EXPIRED]}))
    (tmp_path / "repository" / "log.json").write_text('{"Records": []}')
    return tmp_path / "repository"


def test_the_hooks_are_what_pre_commit_takes():
    command = [str(BIN / "pre-commit"), "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")]
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_a_hook_that_lacks_an_entry_is_none(tmp_path: Path):
    (tmp_path / "hooks.yaml").write_text("- {id: a, name: a, language: python}\n")
    command = [str(BIN / "pre-commit"), "validate-manifest", str(tmp_path / "hooks.yaml")]
    assert subprocess.run(command, capture_output=True).returncode == 1


def test_the_action_is_of_the_published_form():
    vendored = files("check_jsonschema") / "builtin_schemas" / "vendor" / "github-actions.json"
    schema = json.loads(vendored.read_text())
    jsonschema.validators.validator_for(schema)(schema).validate(ACTION)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validators.validator_for(schema)(schema).validate({**ACTION, "runs": {}})


def test_the_action_pins_what_it_uses():
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert [len(one.partition("@")[2]) for one in used] == [40]


def test_no_input_is_part_of_a_script():
    assert not any("${{" in step.get("run", "") for step in STEPS)


def hook(id_: str, repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a hook as pre-commit does: its entry, then the arguments of its user or its own."""
    (found,) = (one for one in HOOKS if one["id"] == f"vpce-guard-{id_}")
    command = [*shlex.split(found["entry"]), *(arguments or found.get("args", []))]
    command[0] = str(BIN / command[0])
    return subprocess.run(command, cwd=repository, capture_output=True, text=True)


@pytest.mark.parametrize("id_", ["policies", "exceptions"])
def test_a_hook_passes_what_is_well(id_: str, repository: Path):
    assert hook(id_, repository).returncode == 0


def test_a_hook_finds_a_bad_policy(repository: Path):
    next(repository.rglob("own-account.json")).write_text(BAD)
    done = hook("policies", repository)
    assert (done.returncode, "s3:*" in done.stdout) == (1, True)


def test_a_hook_finds_a_bad_exception(repository: Path):
    next(repository.rglob("exceptions.json")).write_text('{"exceptions": [{}]}')
    assert hook("exceptions", repository).returncode == 1


@pytest.fixture
def proposal(repository: Path) -> Path:
    """A proposal in the repository, made from a log of one read through an endpoint."""
    log = {"Records": [{**through(), "eventID": "e1"}]}
    (repository / "log.json").write_text(json.dumps(log))
    command = [str(BIN / "guardctl"), "twin", "propose", "log.json", *KNOWN]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return repository / "twin"


def test_the_hook_of_twin_proves_a_proposal(repository: Path, proposal: Path):
    assert hook("twin", repository, "twin", "log.json").returncode == 0
    deny_everybody(proposal)
    done = hook("twin", repository, "twin", "log.json")
    assert (done.returncode, "should pass would be denied" in done.stderr) == (1, True)


def deny_everybody(proposal: Path) -> None:
    policy = json.loads((proposal / "rcp-1.json").read_text())
    del policy["Statement"][0]["Condition"]
    (proposal / "rcp-1.json").write_text(json.dumps(policy))


def test_the_action_proves_a_proposal(repository: Path, proposal: Path, tmp_path: Path):
    code, _, logs = act(repository, tmp_path, twin="twin", logs="log.json")
    assert (code, results(logs, "twin")) == (0, [])
    deny_everybody(proposal)
    code, said, logs = act(repository, tmp_path / "again", twin="twin", logs="log.json")
    assert code == 1
    assert "error twin/rcp-1.json:1:" in said
    assert {one["level"] for one in results(logs, "twin")} == {"error"}


def test_the_hook_of_preflight_asks_the_logs_it_is_given(repository: Path):
    done = hook("preflight", repository, "own-account", "log.json")
    assert (done.returncode, "0 requests" in done.stderr) == (0, True)


def act(repository: Path, tmp_path: Path, **inputs: str) -> tuple[int, str, dict[str, Any]]:
    """Run the action's own step. Gives its exit code, what it printed, and its logs by name."""
    (step,) = (one for one in STEPS if one.get("id") == "check")
    folder = tmp_path / "runner" / "vpce-guard" / "venv"
    folder.mkdir(parents=True)
    (folder / "bin").symlink_to(BIN)
    of = {name: f"${{{{ inputs.{name} }}}}" for name in ACTION["inputs"]}
    given = {of[name]: one["default"] for name, one in ACTION["inputs"].items()}
    given |= {of[name]: value for name, value in inputs.items()}
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_EC2_METADATA_DISABLED": "true",  # a job without credentials
        **{name: given[value] for name, value in step["env"].items()},
        "RUNNER_TEMP": str(tmp_path / "runner"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_ACTION_PATH": str(ROOT),
    }
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
    )
    written = dict(line.split("=") for line in (tmp_path / "output").read_text().splitlines())
    logs = {path.stem: json.loads(path.read_text()) for path in Path(written["sarif"]).iterdir()}
    for one in logs.values():
        valid(one)
    return done.returncode, done.stdout, logs


def results(logs: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return logs[name]["runs"][0]["results"]


USUAL = {
    "policies": "layers/approved_policies/endpoint_policies",
    "exceptions": "layers/approved_policies/exceptions.json",
}


def test_the_action_checks_what_it_is_given(repository: Path, tmp_path: Path):
    code, said, logs = act(repository, tmp_path, **USUAL)
    assert (code, set(logs)) == (0, {"policies", "exceptions"})
    assert "warning layers/approved_policies/exceptions.json:1: ci: expired on" in said
    assert results(logs, "policies") == []


def test_the_action_makes_every_check_and_then_fails(repository: Path, tmp_path: Path):
    next(repository.rglob("own-account.json")).write_text(BAD)
    code, said, logs = act(repository, tmp_path, **USUAL)
    assert (code, len(results(logs, "exceptions"))) == (1, 1)
    assert "error" in {one["level"] for one in results(logs, "policies")}
    begin, end = said.splitlines()[0], said.splitlines()[-1]
    assert begin.startswith("::stop-commands::")
    assert end == f"::{begin.rpartition('::')[2]}::"


def test_the_action_gives_preflight_its_logs_and_options(repository: Path, tmp_path: Path):
    lines = "log.json\n\nlog.json\n"
    code, said, logs = act(
        repository, tmp_path, preflight="own-account", logs=lines, options="--assume-endpoint"
    )
    assert (code, set(logs)) == (0, {"preflight"})
    assert "guardctl preflight own-account log.json log.json --assume-endpoint" in said


def test_the_action_fails_where_a_check_cannot_be_made(repository: Path, tmp_path: Path):
    code, _, logs = act(repository, tmp_path, policies="nowhere", exceptions=USUAL["exceptions"])
    assert (code, set(logs)) == (2, {"exceptions"})


def test_a_guardctl_in_the_repository_is_not_run(repository: Path, tmp_path: Path):
    (repository / "guardctl").mkdir()
    (repository / "guardctl" / "__main__.py").write_text("raise SystemExit(7)\n")
    code, _, _ = act(repository, tmp_path, **USUAL)
    assert code == 0
