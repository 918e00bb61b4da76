"""The structure of the core: folders stand on floors, and imports point down."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

GUARD = Path(__file__).parents[2] / "functions" / "guard"
# From the ground up. What stands on a floor imports from those below it, and from itself.
FLOORS = (
    {"partitions"},
    {"links", "policy", "redact", "variables", "vpc"},
    {"finding", "settings"},
    {"approved", "aws", "events", "table"},
    {"findings", "judge", "mode"},
    {"endpoint", "missed", "slack"},
    {"bypass", "enforcement", "secrets"},
    {"watch"},
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(path for path in GUARD.rglob("*.py") if path != GUARD / "__init__.py")


def room(path: Path) -> str:
    return path.relative_to(GUARD).with_suffix("").parts[0]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{one.name}" for one in node.names)
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names)


def name(path: Path) -> str:
    return str(path.relative_to(GUARD))


def test_every_room_has_a_floor():
    assert {room(path) for path in MODULES} == set(FLOOR_OF)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_point_down(path: Path):
    own = room(path)
    asked = {one.split(".")[1] for one in imports(path) if one.startswith("guard.")} - {own}
    assert {one for one in asked if FLOOR_OF[one] >= FLOOR_OF[own]} == set()


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_the_core_knows_neither_the_command_line_nor_the_emulator(path: Path):
    assert {one.split(".")[0] for one in imports(path)} & {"guardctl", "emulator"} == set()


def pure(path: Path) -> bool:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " Pure." in text or room(path) in {"policy", "judge"}


PURE = [path for path in MODULES if pure(path)]


@pytest.mark.parametrize("path", PURE, ids=name)
def test_what_is_called_pure_talks_to_nobody(path: Path):
    """An exception of botocore's is a value, as any other."""
    asked = {one for one in imports(path) if not one.startswith("botocore.exceptions.")}
    outside = {"boto3", "botocore", "http", "urllib3", "socket"}
    assert {one.split(".")[0] for one in asked} & outside == set()
    assert {one for one in asked if one.startswith("guard.aws.clients")} == set()


def test_what_decides_is_called_pure():
    decides = {"endpoint/decide.py", "endpoint/placement.py", "judge/judging.py"}
    assert decides | {"enforcement/canary.py", "bypass/storm.py"} <= {name(one) for one in PURE}
