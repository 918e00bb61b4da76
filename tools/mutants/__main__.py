"""Change the code that decides in small ways, and say which changes no test notices.

mutmut makes the mutants and runs for each of them the tests that reach it. It takes modules by
their path from the folder where it runs, so it gets a folder of its own in which `functions` is
called `src`, and the tests as they are.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from tools.mutants.plan import Plan, UnknownModule, dotted, read

ROOT = Path(__file__).parent.parent.parent
PLACE = ROOT / ".tools" / "mutants"
BESIDE = ("benchmarks", "docs", "emulator", "events", "guardctl", "layers", "tests", "tools")
FILES = ("template.yaml", "uv.lock")
MUTMUT = str(Path(sys.executable).with_name("mutmut"))
SURVIVED, NO_TEST = 0, 33  # as mutmut keeps the exit code of a mutant's tests
_PYTHONPATH = 'pythonpath = [".", "functions"]'


def main() -> int:
    """Exit code 0: no more survive than is known. 1: more do. 2: bad usage."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", help="such as guard.policy.coverage")
    parser.add_argument("--base", default="origin/main", help="changed against this commit")
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    plan = read()
    try:
        files = plan.modules(given.modules, () if given.modules else changed(given.base))
    except UnknownModule as error:
        parser.error(str(error))
    if not files:
        print(f"Nothing that decides has changed since {given.base}")
        return 0
    prepare(plan, files)
    names = [f"{dotted(file)}.x*" for file in files]
    command = [MUTMUT, "run", "--max-children", str(given.processes), *names]
    try:
        output(command, PLACE)
    except subprocess.CalledProcessError as error:
        print(f"mutmut failed in {PLACE}:\n{error.stdout[-2_000:]}", file=sys.stderr)
        return 2
    return report(plan, files)


def changed(base: str) -> set[str]:
    """The files that differ from where this branch left the base, committed or not."""
    fork = output(["git", "merge-base", base, "HEAD"], ROOT).strip()
    return set(output(["git", "diff", "--name-only", fork], ROOT).splitlines())


def output(command: Sequence[str], place: Path) -> str:
    """What a command prints. Raises CalledProcessError."""
    return subprocess.run(  # noqa: S603 - git and mutmut, of this project
        command, cwd=place, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ).stdout


def prepare(plan: Plan, files: Collection[str]) -> None:
    """The folder in which mutmut runs: nothing in it but links and the settings."""
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    (PLACE / "src").symlink_to(ROOT / "functions")
    for name in (*BESIDE, *FILES):
        (PLACE / name).symlink_to(ROOT / name)
    settings = {
        "source_paths": ["src"],
        "only_mutate": [f"src/{file}" for file in files],
        "also_copy": [*BESIDE, *FILES],
        "pytest_add_cli_args_test_selection": plan.tests(files),
    }
    project = (ROOT / "pyproject.toml").read_text()
    if _PYTHONPATH not in project:
        raise RuntimeError(f"pyproject.toml has no line {_PYTHONPATH}")
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    text = project.replace(_PYTHONPATH, _PYTHONPATH.replace("functions", "src"))
    (PLACE / "pyproject.toml").write_text("\n".join([text, "[tool.mutmut]", *lines, ""]))


def report(plan: Plan, files: Collection[str]) -> int:
    """Print what survived, and whether that is more than is known."""
    excess, killed, all_of_them = 0, 0, 0
    for file in files:
        results = json.loads((PLACE / "mutants" / "src" / f"{file}.meta").read_text())
        codes = results["exit_code_by_key"]
        left = [name for name, code in codes.items() if code in (SURVIVED, NO_TEST)]
        killed, all_of_them = killed + len(codes) - len(left), all_of_them + len(codes)
        allowed = plan.open.get(dotted(file))
        may = "never counted before" if allowed is None else f"{allowed} may"
        print(f"{dotted(file)}: {len(left)} of {len(codes)} mutants survive, {may}")
        if allowed is None or len(left) <= allowed:
            continue
        unknown = [(name, line) for name, line in lines(left) if not known(plan, name, line)]
        if len(unknown) > allowed:
            excess += len(unknown) - allowed
            print("\n".join(f"  {name}: {line}" for name, line in unknown))
    share = 100 * killed / all_of_them if all_of_them else 100.0
    print(f"{killed} of {all_of_them} mutants are noticed: {share:.1f} %")
    return 1 if excess else 0


def lines(names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Each mutant with the line that it has in place of the code's."""
    for name in names:
        shown = output([MUTMUT, "show", name], PLACE)
        new = re.findall(r"^\+(?!\+\+)(.*)$", shown, re.MULTILINE)
        yield name, new[0].strip() if new else ""


def known(plan: Plan, name: str, line: str) -> bool:
    """Whether somebody has said why no test can notice this mutant."""
    function = name.partition("__mutmut_")[0]
    return any(one.function == function and one.line == line for one in plan.survivors)


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
