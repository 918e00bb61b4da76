"""guardctl policies lint and doctor check approved.json, too."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from guardctl import policies
from guardctl.__main__ import app
from guardctl.lists import SHIPPED, list_problems
from guardctl.policies import ROOT
from guardctl.policies import SHIPPED as POLICIES
from tests.guardctl.doctors import doctor


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder whose samconfig.toml chooses the organization's policy."""
    (tmp_path / "template.yaml").write_text((ROOT / "template.yaml").read_text())
    saved = '[prod.deploy.parameters]\nparameter_overrides = "ApprovedPolicy=own-organization"\n'
    (tmp_path / "samconfig.toml").write_text(saved)
    return tmp_path


def test_the_shipped_file_is_well():
    assert list(list_problems(ROOT, POLICIES)) == []


def test_a_chosen_policy_that_needs_the_organization_is_reported(root, tmp_path):
    ((name, place, text),) = list_problems(root, POLICIES)
    assert (name, place) == ("own-organization", "approved.json")
    assert "needs the id of your organization" in text
    file = tmp_path / "approved.json"
    file.write_text('{"organization": "o-a1b2c3d4e5"}')
    assert list(list_problems(root, POLICIES, file)) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [('{"vpcs": [1], "zones": []}', ["'zones' is not known", "vpcs[0]"]), ("", ["not JSON"])],
)
def test_a_file_that_is_wrong_fails_the_lint_with_each_mistake(
    monkeypatch, tmp_path, content, said
):
    file = tmp_path / "approved.json"
    file.write_text(content)
    monkeypatch.setattr(
        policies, "list_problems", lambda root, folder, _: list_problems(root, folder, file)
    )
    found = CliRunner().invoke(app, ["policies", "lint", "--offline", "--format", "json"])
    assert found.exit_code == 1
    texts = [one["text"] for one in json.loads(found.stdout) if one["policy"] == "approved.json"]
    assert len(texts) == len(said)
    assert all(any(one in text for text in texts) for one in said)


def test_a_file_that_is_not_there_is_reported(root, tmp_path):
    ((_, _, text),) = list_problems(root, POLICIES, tmp_path / "none.json")
    assert "cannot be read" in text


def test_doctor_stops_a_deployment_whose_policy_could_not_be_filled_in(cloud):
    assert json.loads(SHIPPED.read_text())["organization"] == ""
    line = doctor("--parameters", "ApprovedPolicy=own-organization", code=1)["ApprovedPolicy"]
    assert line["state"] == "stop"
    assert "approved.json" in line["text"]
