"""What is mutated, and what is known of mutants that no test notices: tests/mutants.toml. Pure."""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

PLAN = Path("tests/mutants.toml")


class UnknownModule(ValueError):
    """A module was named that is not among those that decide."""


@dataclass(frozen=True, slots=True)
class Survivor:
    """A mutant that no test can notice: its function, the line as it is mutated, and why."""

    function: str
    line: str
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """`decides`: patterns of files under functions/, each with the tests that are to notice.

    `open` has by module how many mutants survive that nobody has explained yet; a module that is
    not in it was never counted.
    """

    decides: Mapping[str, Collection[str]]
    survivors: Collection[Survivor]
    open: Mapping[str, int]

    def modules(self, named: Collection[str], changed: Collection[str]) -> list[str]:
        """The files to mutate: those that are named (`guard.policy.coverage`, or the beginning of
        such a name), or else those that changed. Raises UnknownModule.
        """
        files = [str(path.relative_to("functions")) for path in Path("functions").rglob("*.py")]
        known = sorted(one for one in files if self.pattern(one))
        if not named:
            return [one for one in known if f"functions/{one}" in changed]
        found = {one: [file for file in known if _within(file, one)] for one in named}
        if missing := [one for one in named if not found[one]]:
            raise UnknownModule(f"{', '.join(missing)}: not in {PLAN}")
        return sorted({file for some in found.values() for file in some})

    def pattern(self, file: str) -> str:
        """The pattern of a file that decides; empty for any other."""
        return next((one for one in self.decides if fnmatchcase(file, one)), "")

    def tests(self, files: Collection[str]) -> list[str]:
        """The folders and files of tests for these modules."""
        return sorted({test for file in files for test in self.decides[self.pattern(file)]})


def dotted(file: str) -> str:
    """A file under functions/ as a module's name."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _within(file: str, name: str) -> bool:
    return f"{dotted(file)}.".startswith(f"{name}.")


def read(path: Path = PLAN) -> Plan:
    """The plan in the file. Raises KeyError or TypeError for one that is not in its form."""
    body = tomllib.loads(path.read_text())
    survivors = [Survivor(**one) for one in body.get("survivor", ())]
    return Plan(body["decides"], survivors, body.get("open", {}))
