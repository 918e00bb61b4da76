"""The prices that the documents name are those that the project's own model gives."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JUDGING = 0.10  # dollars: what judging costs is measured, and a busy machine takes longer


@pytest.fixture(scope="module")
def model() -> str:
    """What `python -m benchmarks.cost` prints."""
    command = [sys.executable, "-m", "benchmarks.cost"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=300)
    assert done.returncode == 0
    return done.stdout


def row(model: str, name: str) -> list[float]:
    (line,) = re.findall(rf"^{re.escape(name)}(.*)$", model, re.MULTILINE)
    return [float(one.replace(",", "")) for one in line.split()]


def dollars(page: str, before: str) -> float:
    """The first number after some words on a page."""
    text = " ".join((ROOT / page).read_text().split())
    place = text.index(before) + len(before)
    found = re.search(r"\d[\d,]*\.\d\d", text[place:])
    assert found is not None, before
    return float(found[0].replace(",", ""))


def test_what_an_idle_stack_costs(model: str):
    full, after = row(model, "the stack when nothing happens")
    (shown,) = row(model, "  without its dashboard")[:1]
    assert dollars("README.md", "[what it costs](docs/costs.md):") == full
    assert dollars("docs/costs.md", "| the stack when nothing happens |") == full
    assert dollars("docs/costs.md", "free if it is one of the account's first three |") == (
        pytest.approx(full - shown)
    )
    assert dollars("docs/costs.md", "within all of AWS's free tiers |") == after
    assert dollars("docs/performance.md", "Idle, with Slack:") == full
    assert dollars("docs/performance.md", "Without the dashboard it is") == shown


def test_what_an_ordinary_small_account_pays(model: str):
    idle, metrics, judging, together, _ = row(model, "S: 10 VPCs, 1M")
    assert together == pytest.approx(idle + metrics + judging, abs=0.011)
    for page, before in (
        ("README.md", "a month idle,"),
        ("docs/costs.md", "1% of them past the endpoint |"),
    ):
        assert dollars(page, before) == pytest.approx(together, abs=JUDGING)
    text = (ROOT / "docs" / "performance.md").read_text()
    (said,) = re.findall(r"^\| S: 10 VPCs, 1 million requests \|(.*)\|$", text, re.MULTILINE)
    numbers = [float(one) for one in said.split("|")]
    assert numbers[:2] == [idle, metrics]
    assert numbers[3] == pytest.approx(together, abs=JUDGING)
    assert metrics / together == pytest.approx(0.5, abs=0.05)  # "half of the last figure"


def test_what_endpoints_cost(model: str):
    ten = row(model, "S: 10 VPCs, 1M")[-1]
    assert dollars("README.md", "in a small account, and") * 10 == ten
    assert dollars("docs/costs.md", "an interface endpoint in three AZs is") * 10 == ten
    assert f"ten of them ${ten:.0f}" in " ".join((ROOT / "docs" / "costs.md").read_text().split())


def test_the_picture_has_the_small_accounts_sum(model: str):
    sums = re.findall(r">\$(\d+\.\d\d)<", (ROOT / "docs" / "cost.svg").read_text())
    together = row(model, "S: 10 VPCs, 1M")[3]
    assert any(float(one) == pytest.approx(together, abs=JUDGING) for one in sums)
