"""Whatever call goes wrong, in whatever way: the end state is right, or the work is kept and told.

`FAULT_MATRIX=all` plays every call with every fault (`make nightly`); else a quarter of them is
played, with every call and every fault among them.
"""

import os

import pytest

from emulator import Cloud
from guardctl.rights.least import PLATFORM, role_of
from guardctl.rights.needs import grants
from tests.reactions.fault_matrix import FAULTS, OUTCOMES, Row, cells, outcome, record, table
from tests.reactions.stories import STORIES

EVERYTHING = os.environ.get("FAULT_MATRIX") == "all"
FUNCTIONS = sorted({story.function for story in STORIES.values()})


@pytest.fixture(scope="module")
def recorded(deployment: Cloud) -> dict[str, list[Row]]:
    """The calls of each function, each with a story in which it is made."""
    return {
        function: record(
            deployment, [name for name, story in STORIES.items() if story.function == function]
        )
        for function in FUNCTIONS
    }


def test_every_function_has_a_story(deployment: Cloud):
    assert set(FUNCTIONS) == set(deployment.deployment.functions)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_stories_make_every_call_that_the_function_may_make(
    deployment: Cloud, recorded: dict[str, list[Row]], function: str
):
    """By its role: so no call is left out of the matrix, whatever is added."""
    may = {
        grant.action
        for grant in grants(deployment.deployment.resources[role_of(function)][1])
        if grant.sid not in PLATFORM
    }
    made = {action for row in recorded[function] for action in row.needs}
    assert may <= made


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_call_gone_wrong(
    deployment: Cloud, recorded: dict[str, list[Row]], function: str, subtests, record_property
):
    found: dict[str, dict[str, str]] = {}
    for row, fault in cells(recorded[function], everything=EVERYTHING):
        with subtests.test(f"{row.call} {fault.name} ({row.story})"):
            mark = outcome(deployment, row, fault)
            found.setdefault(f"{function.removesuffix('Function')} {row.call}", {})[fault.name] = (
                mark
            )
            assert mark in fault.accepted + "-", OUTCOMES[mark]
    record_property("fault_matrix", found)


def test_the_part_that_is_played_has_every_call_and_every_fault():
    rows = [Row("F", "ec2", f"DescribeThing{number}", "story") for number in range(5)]
    played = cells(rows, everything=False)
    assert {row for row, _ in played} == set(rows)
    assert {fault.name for _, fault in played} == {fault.name for fault in FAULTS}
    assert len(cells(rows, everything=True)) == len(rows) * len(FAULTS) > 2 * len(played)


def test_the_table_has_a_line_for_each_call_and_explains_its_marks():
    lines = table({"Ensure ec2:A": {"throttled": "R", "denied": "K"}, "Ensure ec2:B": {}})
    assert lines[1].split() == ["Ensure", "ec2:A", "R", ".", ".", ".", "K", ".", "."]
    assert [line[0] for line in lines[3:]] == ["R", "K", "."]
