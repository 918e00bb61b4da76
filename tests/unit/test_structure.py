"""The structure of functions/: one room per reaction, and imports that point down."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "functions"
REACTIONS = {path.parent.name for path in FUNCTIONS.glob("*/app.py")}
# What guard/ holds, from the ground up: each package imports from those above it in this list.
PACKAGES = (
    "alone",
    "partitions",
    "redact",
    "settings",
    "policy",
    "findings",
    "cloudtrail",
    "aws",
    "table",
    "endpoint",
    "publishing",
    "reconcile",
    "approved",
)
MODULES = sorted(path for path in FUNCTIONS.rglob("*.py") if path.name != "__init__.py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{one.name}" for one in node.names)
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names)


def name(path: Path) -> str:
    return str(path.relative_to(FUNCTIONS))


def room(path: Path) -> str:
    return path.relative_to(FUNCTIONS).parts[0]


GUARD = [path for path in MODULES if room(path) == "guard"]


def package(path: Path) -> str:
    return path.relative_to(FUNCTIONS / "guard").with_suffix("").parts[0]


def test_every_package_of_guard_has_its_place():
    assert {package(path) for path in GUARD} == set(PACKAGES)


@pytest.mark.parametrize("path", GUARD, ids=name)
def test_imports_within_guard_point_down(path: Path):
    own = package(path)
    asked = {one.split(".")[1] for one in imports(path) if one.startswith("guard.")} - {own}
    assert asked <= set(PACKAGES[: PACKAGES.index(own)])


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_room_imports_itself_and_guard_alone(path: Path):
    ours = REACTIONS | {"guard", "guardctl", "tools", "emulator", "benchmarks", "tests"}
    assert {one.split(".")[0] for one in imports(path)} & ours <= {room(path), "guard"}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_file_is_read_at_a_glance(path: Path):
    most = 100 if path.name == "app.py" else 300
    assert len(path.read_text().splitlines()) <= most


@pytest.mark.parametrize("folder", sorted((ROOT / "tests" / "unit").rglob("*/")), ids=str)
def test_tests_mirror_the_rooms(folder: Path):
    mirrored = FUNCTIONS / folder.relative_to(ROOT / "tests" / "unit")
    assert mirrored.is_dir() or folder.name == "__pycache__"


def pure(path: Path) -> bool:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " Pure." in text or path.parent.name in {"policy", "judge"}


PURE = [path for path in MODULES if pure(path)]


@pytest.mark.parametrize("path", PURE, ids=name)
def test_what_is_called_pure_talks_to_nobody(path: Path):
    """An exception of botocore's is a value, as any other."""
    asked = {one for one in imports(path) if not one.startswith("botocore.exceptions.")}
    outside = {"boto3", "botocore", "http", "urllib3", "socket"}
    assert {one.split(".")[0] for one in asked} & outside == set()
    assert {one for one in asked if one.startswith("guard.aws.clients")} == set()


def test_what_decides_is_called_pure():
    decides = {
        "guard/endpoint/decide.py",
        "guard/endpoint/placement.py",
        "ensure_endpoint/withdrawal/decide.py",
        "guard/approved/rollout.py",
        "detect_bypass/judge/judging.py",
        "detect_bypass/storm.py",
    }
    assert decides <= {name(one) for one in PURE}
