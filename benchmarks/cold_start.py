"""How long the first invocation of each function takes, and what its artefact weighs.

    make build && .venv/bin/python -m benchmarks.cold_start [--starts 10] [--check]

Each function as SAM built it starts anew in AWS's Lambda Runtime Interface Emulator and does real
work: of its runs in the drill's story the one in the middle by its number of AWS calls, with AWS's
answers of then (given at once, see recording.py). Beside them, alternately, on the same machine:

- `bare ec2 client`: a handler that makes one boto3 client for EC2 and returns, with boto3 as it is
  installed from PyPI, bytecode included;
- `Cloud Custodian`: its own handler with a policy on VPC endpoints, in an environment of its own
  that uv makes from the lock file. Left out, with a word, where that cannot be had.

Ratios are to the bare client. With `--check`, the exit code is 1 if a goal is missed.
"""

import argparse
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks import custodian
from benchmarks.recording import Playback, Take, record
from benchmarks.sandbox import ROOT, Artefact, Failed, first_invocation
from emulator.runtime import lambda_environment
from emulator.templates import parse as parse_template

RUNTIME_MODULES = ("awslambdaric", "simplejson", "snapshot_restore_py", "runtime_client")
BOTO3 = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
BARE = "bare ec2 client"
KEYS = {"AccessKeyId": "ASIABENCHMARK0000000", "SecretAccessKey": "x", "SessionToken": "x"}
REGION = "us-east-1"
GOAL, GOALS = 0.9, {"detect_bypass": 0.6, "notify_slack": 0.6}  # times the bare client
MOST_MEGABYTES = 10.0

HANDLER = """
import boto3

ec2 = boto3.client("ec2")


def handler(event, context):
    return {}
"""


@dataclass(frozen=True, slots=True)
class Contender:
    name: str
    calls: int | None
    start: Callable[[], float | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--starts", type=int, default=10, help="fresh starts of each")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a goal is missed")
    options = parser.parse_args()
    build = ROOT / ".aws-sam" / "build"
    if not (build / "template.yaml").exists():
        sys.exit("There is no build: run make build")
    with tempfile.TemporaryDirectory(prefix="vpce-guard-cold-start-") as folder:
        misses = measure(build, Path(folder), options.starts)
    misses += weigh(build)
    for miss in misses:
        print(f"MISSED: {miss}")
    sys.exit(1 if misses and options.check else 0)


# --- time -----------------------------------------------------------------------------------------


def measure(build: Path, folder: Path, starts: int) -> list[str]:
    """Print the medians of all contenders, started alternately; returns the goals missed."""
    runtime = copied(folder / "runtime", RUNTIME_MODULES)
    playback = Playback()
    with playback.running():
        contenders = [bare(folder, runtime)]
        for name, takes in sorted(record().items()):
            begin = partial(start, build, playback, runtime)
            take = playable(name, takes, begin)
            contenders.append(Contender(name, len(take.answers), partial(begin, take)))
            if not take.answers:  # beside it the middle one of those that ask AWS for something
                take = playable(name, asking(takes), begin)
                again = partial(begin, take)
                contenders.append(Contender(f"{name}, asking", len(take.answers), again))
        other = custodian.artefact(folder, playback.url)
        if isinstance(other, str):
            print(other)
        else:
            again = partial(custodian.start, other, playback, runtime)
            contenders.append(Contender("Cloud Custodian", custodian.CALLS, again))
        seconds: dict[str, list[float]] = {one.name: [] for one in contenders}
        for one in contenders:
            one.start()  # once uncounted: the files are in the memory of this machine for all
        for _ in range(starts):
            for one in contenders:
                seconds[one.name].append(one.start() or 0.0)
    return report(contenders, seconds, starts)


def playable(name: str, takes: list[Take], begin: Callable[[Take], float | None]) -> Take:
    """The first run that goes at this time of day as it went in the story."""
    for take in takes:
        if begin(take) is not None:
            return take
    sys.exit(f"{name}: no run of the story goes now as it went then")


def asking(takes: list[Take]) -> list[Take]:
    """Of a function's runs those that called AWS, the middle one by their number first."""
    some = sorted((one for one in takes if one.answers), key=lambda one: len(one.answers))
    middle = len(some) // 2
    return sorted(some, key=lambda one: abs(some.index(one) - middle))


def report(contenders: list[Contender], seconds: dict[str, list[float]], starts: int) -> list[str]:
    print(f"First invocation, {starts} fresh starts each, Python {platform.python_version()}")
    print(f"{'':21} {'AWS calls':>9} {'median ms':>10} {'least':>7} {'most':>7} {'ratio':>7}")
    misses: list[str] = []
    base = statistics.median(seconds[BARE])
    for one in contenders:
        times = seconds[one.name]
        ratio = statistics.median(times) / base
        calls = "-" if one.calls is None else str(one.calls)
        print(
            f"{one.name:21} {calls:>9} {1000 * statistics.median(times):>10.0f}"
            f" {1000 * min(times):>7.0f} {1000 * max(times):>7.0f} {ratio:>7.2f}"
        )
        goal = GOALS.get(one.name, GOAL)
        if one.name not in (BARE, "Cloud Custodian") and ratio > goal:
            misses.append(f"{one.name} takes {ratio:.2f} times the bare client, goal {goal}")
    return misses


def bare(folder: Path, runtime: Path) -> Contender:
    packages = copied(folder / "packages", BOTO3)
    task = folder / "bare"
    task.mkdir()
    (task / "bare.py").write_text(HANDLER)
    compiled(task)
    environment = {
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": KEYS["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": KEYS["SecretAccessKey"],
    }
    artefact = Artefact(task, "bare.handler", [packages], environment)
    return Contender(BARE, 0, partial(first_invocation, artefact, {}, runtime))


def start(build: Path, playback: Playback, runtime: Path, take: Take) -> float | None:
    """One cold start of a function; None where it does not do what it did in the story.

    What a run does may depend on the time, which is another one here. Raises Failed.
    """
    playback.load(take.answers)
    environment = {
        **lambda_environment(take.function, REGION, KEYS),
        "AWS_ENDPOINT_URL": playback.url,
        "APPROVED_POLICIES_DIR": str(ROOT / "layers" / "approved_policies" / "endpoint_policies"),
    }
    layer = build / "DependenciesLayer" / "python"
    task = build / take.function.logical_id
    artefact = Artefact(task, take.function.handler, [layer], environment)
    try:
        seconds = first_invocation(artefact, take.event, runtime)
    except Failed:
        if playback.as_recorded:
            raise
        return None
    return seconds if playback.as_recorded else None


def copied(folder: Path, modules: tuple[str, ...]) -> Path:
    """The modules of this environment in a folder of their own, compiled."""
    folder.mkdir()
    for name in modules:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            sys.exit(f"the module {name} is missing: run make setup")
        origin = Path(spec.origin)
        if origin.name == "__init__.py":
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(origin.parent, folder / origin.parent.name, ignore=ignore)
        else:
            shutil.copy(origin, folder)
    compiled(folder)
    return folder


def compiled(folder: Path) -> None:
    command = [sys.executable, "-m", "compileall", "-q", str(folder)]
    subprocess.run(command, check=True)  # noqa: S603 - the command is all ours


# --- size -----------------------------------------------------------------------------------------


def weigh(build: Path) -> list[str]:
    """Print what one function consists of, its layers included; returns the goals missed."""
    template = parse_template((build / "template.yaml").read_text())
    function = next(
        name
        for name, one in template["Resources"].items()
        if one["Type"] == "AWS::Serverless::Function"
    )
    parts = {"functions": size(build / function)}
    for path in sorted((build / "DependenciesLayer" / "python").iterdir()):
        parts[path.name] = size(path)
    total = sum(parts.values()) / 1e6
    print(
        f"\nArtefact of a function with its packages, unzipped: {total:.1f} MB; ten largest parts:"
    )
    for name, weight in sorted(parts.items(), key=lambda one: -one[1])[:10]:
        print(f"  {name:32} {weight / 1e6:>6.2f} MB")
    return [f"{total:.1f} MB, goal {MOST_MEGABYTES}"] if total > MOST_MEGABYTES else []


def size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())


if __name__ == "__main__":
    main()
