"""Code, template and documents use the words of docs/glossary.md, none that only insiders know."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (
    *("functions", "guardctl", "tools", "emulator", "benchmarks", "tests", "docs", ".ci"),
    *("events", "examples", "terraform", "layers/approved_policies", "layers/dependencies"),
)
KINDS = {".py", ".md", ".yaml", ".toml", ".html", ".js", ".css", ".tf"}
FILES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*")
    if path.suffix in KINDS
    and not {"node_modules", "lean"} & set(path.parts)
    # These describe former versions, or name the words.
    and path.name not in {"decisions.md", "test_words.py"}
) + [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "template.yaml", "pyproject.toml")]

PRIVATE = re.compile(
    r"\b(told|tells?|telling|wish|wishes|wanted|unwell|whereabouts|worklist|inbox|shelf|shelves"
    r"|beats?|beaten|news|voices?|begun|seldom|census|put by|puts? off|(went|goes|gone|going) round"
    r"|(a|the|next|last|later|denied|lost) looks?|looks? (again|at|into|after|like)|looked"
    r"|(took|takes?|taking) turns|in turn|mended|mends)\b",
    re.IGNORECASE,
)
# Attributes and keys of items that deployed stacks have, and part of fingerprints.
STORED = re.compile(r'(past_)?told|claimed_news|shelf#|"next_look"|"look"')
HOLD_ITEMS = {
    "functions/detect_bypass/judge/severity.py",
    "functions/digest/windows.py",
    "functions/guard/approved/rollouts.py",
    "functions/guard/table/counts.py",
    "functions/guard/table/deferred.py",
    "functions/guard/table/sound.py",
    "functions/guard/table/windows.py",
    "emulator/cloud.py",
    "tests/reactions/digest/test_digest.py",
    "tests/unit/guard/approved/test_old_names.py",
    "tests/unit/guard/table/test_counts.py",
    "tests/fuzz/table.py",
    "tests/unit/guard/table/test_deferred.py",
    "tests/unit/guard/table/test_items.py",
}
# A method of Python's files.
FOREIGN = re.compile(r"\.tell\(\)")


def words(line: str) -> str:
    """The words of a line, also those of which a name is made: `was_told`, `WasTold`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", line.replace("_", " "))


def private(line: str) -> Iterator[str]:
    for found in PRIVATE.finditer(words(FOREIGN.sub("", line))):
        yield found[0]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_private_word_is_used(path: Path) -> None:
    stored = STORED if name(path) in HOLD_ITEMS else re.compile(r"(?!)")
    lines = path.read_text().splitlines()
    found = {
        f"{name(path)}:{number}: {word}"
        for number, line in enumerate(lines, 1)
        for word in private(stored.sub("", line))
    }
    assert found == set()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("def was_told(self):", ["told"]),
        ("Sid: OnlyTheGuardTells", ["Tells"]),
        ("WANTED = 1", ["WANTED"]),
        ("asked for a look at it", ["a look"]),
        ("a lookup of an event, a satellite, newsletters, hotels", []),
        ("the file is found by look-up", []),
    ],
)
def test_names_are_taken_apart(line: str, found: list[str]) -> None:
    assert list(private(line)) == found


def test_there_is_something_to_check() -> None:
    assert len(FILES) > 500
