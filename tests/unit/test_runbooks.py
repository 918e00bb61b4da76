"""Every kind of finding has its page, and what the pages ask people to type is right."""

import re
import shlex
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from guard.findings.finding import Kind

DOCS = Path(__file__).parents[2] / "docs"
RUNBOOKS = DOCS / "runbooks"
PARTS = ["What it means", "Check", "Fix", "Silence"]
GLOBAL_OPTIONS = {"query", "output", "region"}
OUTFILE = {("lambda", "invoke")}  # takes the name of a file for the answer
CODE = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def commands() -> list[tuple[str, str]]:
    """Every `aws` command of the docs, with the page it is on."""
    return [
        (page.name, line)
        for page in [*sorted(RUNBOOKS.glob("*.md")), DOCS / "findings.md"]
        for block in CODE.findall(page.read_text())
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("aws ")
    ]


@pytest.fixture(scope="module")
def aws() -> botocore.session.Session:
    return botocore.session.get_session()


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_page_with_the_same_parts(kind: Kind) -> None:
    text = (RUNBOOKS / f"{kind}.md").read_text()
    assert text.startswith(f"# {kind}\n")
    sections = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)
    assert sections[1::2] == PARTS
    assert all(len(section.split()) >= 5 for section in sections[2::2])


def test_no_page_is_left_over() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == set(Kind)


def test_the_overview_names_every_kind_once() -> None:
    rows = re.findall(
        r"^\| \[(.*?)\]\(runbooks/(.*?)\.md\)", (DOCS / "findings.md").read_text(), re.MULTILINE
    )
    assert [name for name, _ in rows] == [target for _, target in rows] == list(Kind)


@pytest.mark.parametrize(("page", "command"), commands())
def test_commands_are_ones_that_the_aws_cli_knows(
    aws: botocore.session.Session, page: str, command: str
) -> None:
    _, service, action, *words = shlex.split(command)
    model = aws.get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    assert action in operations
    members = model.operation_model(operations[action]).input_shape
    known = {xform_name(name, "-"): shape for name, shape in members.members.items()}
    options = [word.removeprefix("--") for word in words if word.startswith("--")]
    for option in options:
        flag = option.removeprefix("no-")
        assert option in known or flag in known or option in GLOBAL_OPTIONS, (page, option)
    given = set(options)
    missing = {xform_name(name, "-") for name in members.required_members} - given
    assert not missing, (page, missing)
    if (service, action) in OUTFILE:
        assert not words[-1].startswith("--")


def test_there_are_commands_to_check() -> None:
    assert len(commands()) > len(Kind)


def test_queries_of_the_log_name_what_is_logged() -> None:
    lines = (RUNBOOKS / "bypass.md").read_text().splitlines()
    (query,) = [line for line in lines if "| stats " in line]
    code = (DOCS.parent / "functions" / "detect_bypass" / "metrics.py").read_text()
    asked = re.findall(r"filter (\w+)|sum\((\w+)\)|by (\w+), (\w+)", query)
    names = {name for some in asked for name in some} - {"", "message"}
    assert names == {"records", "principal", "event_name"}
    assert {name for name in names if f'"{name}":' not in code} == set()
