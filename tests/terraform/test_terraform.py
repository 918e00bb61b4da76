"""Terraform itself reads the modules, and says what they come to. `make terraform` runs it."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from guard.approved.policies import Placeholders, fill
from tests.template.stack import ROOT

PYTHON = ROOT / ".venv-terraform" / "bin" / "python"
SHIPPED = ROOT / "layers" / "approved_policies" / "endpoint_policies"
VALUES = {"account_id": "111122223333", "region": "cn-north-1", "partition": "aws-cn"}
ORGANIZATION = "o-a1b2c3d4e5"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [PYTHON, ROOT / ".ci" / "run_terraform.py", *arguments]
    return subprocess.run([*map(str, command)], capture_output=True, text=True)


def applied(folder: Path, **variables: str) -> dict[str, Any]:
    done = run(folder, *(f"{name}={value}" for name, value in variables.items()))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("folder", ["terraform", "terraform/policies"])
def test_terraform_reads_the_module_and_would_not_format_it_anew(folder: str):
    done = run("--format", ROOT / folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", ['variable "a" { type = list( }\n', "locals {\na=1\n}\n"])
def test_terraform_refuses_what_is_no_module_or_of_another_form(tmp_path: Path, text: str):
    (tmp_path / "main.tf").write_text(text)
    assert run("--format", tmp_path).returncode != 0


@pytest.fixture
def parameters(tmp_path: Path) -> Path:
    """The module without what needs AWS: its variables, and what becomes of them."""
    for name in ("variables.tf", "parameters.tf"):
        shutil.copy(ROOT / "terraform" / name, tmp_path)
    (tmp_path / "out.tf").write_text('output "parameters" { value = local.parameters }\n')
    return tmp_path


OWN = {"bucket": "b", "template": "t"}


def test_what_is_not_given_is_left_to_the_template(parameters: Path):
    assert applied(parameters, **OWN) == {"parameters": {}}


def test_values_become_the_texts_that_cloudformation_takes(parameters: Path):
    given = {
        "mode": "remediate",
        "grace_minutes": "20",
        "watch_foreign_endpoints": "false",
        "approved_accounts": '["111122223333", "444455556666"]',
        "function_subnets": "[]",
    }
    assert applied(parameters, **OWN, **given)["parameters"] == {
        "Mode": "remediate",
        "GraceMinutes": "20",
        "WatchForeignEndpoints": "false",
        "ApprovedAccounts": "111122223333,444455556666",
        "FunctionSubnets": "",
    }


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """The module of the policies, beside the repository's policies."""
    folder = tmp_path / "terraform" / "policies"
    shutil.copytree(ROOT / "terraform" / "policies", folder)
    shutil.copytree(SHIPPED, tmp_path / SHIPPED.relative_to(ROOT))
    return folder


def test_the_policies_are_those_of_the_guard(policies: Path):
    found = applied(policies, **VALUES, organization_id=ORGANIZATION)["endpoint_policies"]
    values = Placeholders(**VALUES, org_id=ORGANIZATION)
    assert {name: json.loads(text) for name, text in found.items()} == {
        path.stem: json.loads(fill(path.stem, path.read_text(), values).text)
        for path in SHIPPED.glob("*.json")
    }


def test_a_policy_that_needs_the_organization_is_left_out_without_it(policies: Path):
    found = applied(policies, **VALUES)["endpoint_policies"]
    assert "own-organization" not in found
    assert "own-account" in found


def test_an_account_that_is_none_is_refused(policies: Path):
    assert run(policies, "account_id=1", "region=eu-west-1").returncode != 0
