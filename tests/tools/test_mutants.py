"""`make mutants`: what it changes, and that what it knows of survivors is true of the code."""

from pathlib import Path

import pytest

from tests.template.stack import ROOT
from tools.mutants.plan import Plan, Survivor, UnknownModule, dotted, read

PLAN = read(ROOT / "tests" / "mutants.toml")
DECIDES = {
    "guard/policy/*.py": ["tests/unit/guard/policy"],
    "restore_policy/fights.py": ["tests/x"],
}
SMALL = Plan(DECIDES, (), {})


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("pattern", PLAN.decides)
def test_each_pattern_has_files_and_tests(pattern):
    assert list((ROOT / "functions").glob(pattern))
    assert PLAN.decides[pattern]
    assert all((ROOT / test).exists() for test in PLAN.decides[pattern])


@pytest.mark.parametrize("module", PLAN.open)
def test_what_is_open_is_of_a_module_that_decides(module):
    assert PLAN.modules([module], ())
    assert PLAN.open[module] >= 0


@pytest.mark.parametrize("one", PLAN.survivors, ids=lambda one: one.function)
def test_a_survivor_is_of_a_function_that_is_there_and_says_why(one: Survivor):
    module, _, name = one.function.rpartition(".")
    (file,) = (file for file in PLAN.modules([module], ()) if dotted(file) == module)
    function = name.removeprefix("x_").rpartition("ǁ")[2]
    assert f"def {function}(" in (ROOT / "functions" / file).read_text()
    assert len(one.why) > 20


def test_what_decides_and_has_changed_is_mutated():
    changed = {"functions/guard/policy/coverage.py", "functions/guard/redact.py", "README.md"}
    assert SMALL.modules([], changed) == ["guard/policy/coverage.py"]
    assert SMALL.modules([], ()) == []


def test_named_modules_are_mutated_whether_they_changed_or_not():
    assert SMALL.modules(["restore_policy.fights"], ()) == ["restore_policy/fights.py"]
    policy = SMALL.modules(["guard.policy"], ())
    assert len(policy) == len(list(Path("functions/guard/policy").glob("*.py")))
    assert SMALL.tests(policy) == ["tests/unit/guard/policy"]


@pytest.mark.parametrize("name", ["guard.redact", "guard.policy.cover", "", "guard/policy"])
def test_a_module_that_decides_nothing_is_refused(name):
    with pytest.raises(UnknownModule, match=r"not in tests/mutants\.toml"):
        SMALL.modules(["restore_policy.fights", name], ())
