"""The Makefile is what people meet first: its targets are listed, and each can be made."""

import ast
import os
import re
import subprocess

import pytest
import yaml

from tests.template.stack import ROOT

WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
TARGETS = [
    "help",
    "setup",
    "drill",
    "playground",
    "test",
    "second",
    "terraform",
    "nightly",
    "mutants",
    "rights",
    "least-rights",
    "messages",
    "lint",
    "lock",
    "operations",
    "build",
    "audit",
    "sbom",
    "reproducible",
    "release",
    "doctor",
    "deploy",
    "delete",
    "clean",
]


def make(*arguments: str) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def test_help_is_the_default_and_lists_the_targets():
    listed = make()
    assert listed == make("help")
    assert [line.split()[0] for line in listed.splitlines() if line.startswith("  ")] == TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_can_be_made(target: str):
    assert make("--dry-run", "--always-make", target)


def test_the_drill_builds_only_what_it_runs():
    plain = make("--dry-run", "--always-make", "drill")
    built = make("--dry-run", "--always-make", "drill", "RUNTIME=lambda")
    assert "sam build" not in plain
    assert built.index("sam build") < built.index("guardctl drill --runtime lambda")


def test_a_deployment_checks_builds_and_takes_its_values_from_the_command_line():
    reported = make("--dry-run", "--always-make", "deploy", "CONFIG_ENV=prod")
    assert reported.index("sam build") < reported.index("guardctl deploy")
    assert "--guided" not in reported


@pytest.mark.parametrize("target", ["deploy", "delete", "doctor"])
def test_values_reach_guardctl_whole(target: str):
    """With spaces, commas, quotes; and nothing that was not given."""
    line = make("--dry-run", "--always-make", target).splitlines()[-1]
    shown = "-c 'import sys; print(sys.argv[1:])'"
    line = line.replace(".venv/bin/python -m guardctl", f"python3 {shown}")
    given = {
        "CONFIG_ENV": "prod",
        "REGION": "eu-west-1",
        "PROFILE": "my profile",
        "PARAMETERS": "A='b c,d' E=\"f\"",
        "TAGS": "team='x y'",
        "ACCEPT": "ChangeBudget HistoryDays",
        "EXPORT": "my file.json",
        "DISCARD": "",
        "YES": "1",
    }
    assert run(line, {"CONFIG_ENV": "default"}) == [target, "--config-env", "default"]
    whole = run(line, given)
    where = ["--config-env", "prod", "--region", "eu-west-1", "--profile", "my profile"]
    assert whole[:7] == [target, *where]
    values = ["--parameters", given["PARAMETERS"]]
    assert (
        whole[7:]
        == {
            "doctor": values,
            "deploy": [*values, "--tags", "team='x y'", "--accept", given["ACCEPT"], "--yes"],
            "delete": ["--export", "my file.json", "--yes"],
        }[target]
    )


def run(line: str, environment: dict[str, str]) -> list[str]:
    done = subprocess.run(
        ["bash", "-eu", "-c", line],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return ast.literal_eval(done.stdout)


def test_nightly_asks_the_second_emulator_and_test_does_not():
    assert "pytest tests/second" in make("--dry-run", "--always-make", "nightly")
    assert "tests/second" not in make("--dry-run", "--always-make", "test")


def test_ci_runs_what_people_run():
    script = (ROOT / ".ci" / "run").read_text()
    assert script.split("\n")[-3:] == ["make lint", "make test", ""]
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    ran = [step["run"] for step in jobs["gate"]["steps"] if "run" in step]
    assert ran == ["make lint", "make test"]


def test_ci_takes_actions_by_commit_and_may_only_read():
    workflow = yaml.safe_load(WORKFLOW.read_text())
    used = [
        step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step
    ]
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one)] == []
    assert workflow["permissions"] == {"contents": "read"}
