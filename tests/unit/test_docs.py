"""What the documents name is there: files of this repository, headings, commands and targets."""

import re
from pathlib import Path

import pytest
import typer

from guardctl.__main__ import app

ROOT = Path(__file__).parents[2]
PAGES = [
    path.relative_to(ROOT)
    for path in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        ROOT / "events" / "README.md",
        ROOT / "terraform" / "README.md",
        ROOT / "layers" / "approved_policies" / "README.md",
    )
    # These two describe former versions, too.
    if path.name not in ("CHANGELOG.md", "decisions.md")
]
FOLDERS = "benchmarks|docs|emulator|events|examples|functions|guardctl|layers|terraform|tests|tools"
PATHS = re.compile(rf"(?<![\w./-])(?:{FOLDERS})/[\w./-]*\w/?(?![\w<*])")
LINKS = re.compile(r"\]\((?!https?:)([^)\s#]*)(?:#([^)\s]+))?\)")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_path_on_a_page_exists(page: Path) -> None:
    named = PATHS.findall((ROOT / page).read_text())
    # POLICY stands for a name that the reader fills in.
    missing = {one for one in named if not (ROOT / one).exists() and "POLICY" not in one}
    assert missing == set()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target, heading in LINKS.findall((ROOT / page).read_text()):
        file = (ROOT / page.parent / target) if target else ROOT / page
        assert file.exists(), target
        if heading:
            assert heading in headings(file.read_text()), (target, heading)


def headings(text: str) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in titles}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_make_target_on_a_page_is_one(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:^|`)make ([a-z-]+)", (ROOT / page).read_text(), re.MULTILINE)
    assert set(named) <= targets


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_guardctl_command_on_a_page_is_one(page: Path) -> None:
    commands = set(typer.main.get_group(app).commands)
    text = (ROOT / page).read_text()
    assert set(re.findall(r"(?:^|`)guardctl ([a-z][a-z-]+)", text, re.MULTILINE)) <= commands


def test_there_is_something_to_check() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert len(PATHS.findall(text)) > 10
    assert LINKS.findall(text)
