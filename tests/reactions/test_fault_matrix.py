"""Whatever call goes wrong, however: the end state is right, or the work is kept and reported.

`FAULT_MATRIX=all` plays every call with every fault (`make nightly`); else each call is
played with one fault, and every fault is among them.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from emulator import Cloud
from tests.reactions.fault_matrix import FAULTS, OUTCOMES, Row, cells, outcome, record, table
from tests.reactions.notify_slack.test_slack_bot import BOT
from tests.reactions.stories import STORIES, WITH_BOT
from tests.template.stack import written
from tools.rights.day import PARAMETERS
from tools.rights.least import PLATFORM, role_of
from tools.rights.needs import grants

EVERYTHING = os.environ.get("FAULT_MATRIX") == "all"
FUNCTIONS = sorted({story.function for story in STORIES.values()})


@pytest.fixture(scope="module")
def whole() -> Iterator[Cloud]:
    """A deployment with every function, those that hang on a parameter, too."""
    with Cloud.start(parameters=PARAMETERS) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def recorded(whole: Cloud) -> dict[str, list[Row]]:
    """The calls of each function, each with a story in which it is made."""
    return {
        function: record(
            whole,
            [
                name
                for name, story in STORIES.items()
                if story.function == function and name not in WITH_BOT
            ],
        )
        for function in FUNCTIONS
    }


@pytest.fixture(scope="module")
def with_bot() -> Iterator[Cloud]:
    with Cloud.start(parameters=BOT) as cloud:
        yield cloud


def test_every_function_of_the_template_has_a_story(whole: Cloud):
    """Of the file, not of what is deployed here: a function may hang on a condition."""
    written_down = {
        name
        for name, one in written()["Resources"].items()
        if one["Type"] == "AWS::Serverless::Function"
    }
    assert written_down == set(FUNCTIONS) == set(whole.deployment.functions)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_stories_make_every_call_that_the_function_may_make(
    whole: Cloud, recorded: dict[str, list[Row]], function: str
):
    """By its role: so no call is left out of the matrix, whatever is added."""
    may = {
        grant.action
        for grant in grants(whole.deployment.resources[role_of(function)][1])
        if grant.sid not in PLATFORM
    }
    made = {action for row in recorded[function] for action in row.needs}
    assert may <= made


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_call_gone_wrong(
    whole: Cloud, recorded: dict[str, list[Row]], function: str, subtests, record_property
):
    record_property("fault_matrix", played(whole, recorded[function], subtests))


def test_every_call_for_a_bot_gone_wrong(with_bot: Cloud, subtests, record_property):
    rows = [replace(row, again=True) for row in record(with_bot, WITH_BOT)]
    record_property("fault_matrix", played(with_bot, rows, subtests))


def played(cloud: Cloud, rows: Sequence[Row], subtests) -> dict[str, dict[str, str]]:
    """Play these calls; what came of it, for the table."""
    found: dict[str, dict[str, str]] = {}
    for row, fault in cells(rows, everything=EVERYTHING):
        with subtests.test(f"{row.call} {fault.name} ({row.story})"):
            mark = outcome(cloud, row, fault)
            found.setdefault(row.line, {})[fault.name] = mark
            assert mark in fault.accepted + "-", OUTCOMES[mark]
    return found


def test_the_part_that_is_played_has_every_call_and_every_fault():
    rows = [Row("F", "ec2", f"DescribeThing{number}", "story") for number in range(len(FAULTS))]
    played = cells(rows, everything=False)
    assert {row for row, _ in played} == set(rows)
    assert {fault.name for _, fault in played} == {fault.name for fault in FAULTS}
    assert len(cells(rows, everything=True)) == len(rows) * len(FAULTS) > 2 * len(played)


def test_the_table_has_a_line_for_each_call_and_explains_its_marks():
    lines = table({"Ensure ec2:A": {"throttled": "R", "denied": "K"}, "Ensure ec2:B": {}})
    assert lines[1].split() == ["Ensure", "ec2:A", "R", ".", ".", ".", "K", ".", "."]
    assert [line[0] for line in lines[3:]] == ["R", "K", "."]
