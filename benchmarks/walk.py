"""The way of an event through the code: which files it visits, and how often it goes back up.

    python -m benchmarks.walk

Plays a few events in the embedded cloud and watches each call of a function of functions/. For each
reaction it prints the run that visited most files:

- files: in which something was called;
- down, up: calls from one file to another. A call goes up if the file called imports, perhaps by
  way of others, the file that calls: control comes back to code that it came from;
- handler: how often the handler's own file was called.

Imports are left out, and generators, which run while others read them.
"""

import ast
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from inspect import CO_GENERATOR
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

from emulator import Caller, Cloud
from emulator.deploy import FunctionSpec
from emulator.runtime import Outcome
from emulator.runtime_inprocess import InProcess

FUNCTIONS = Path(__file__).parents[1] / "functions"
OPEN = json.dumps(
    {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
)
OUTSIDE = Caller(source_ip="198.51.100.7")


@dataclass(slots=True)
class Walk:
    """One run of a function: its calls from file to file, from the handler on."""

    moves: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    began: bool = False

    def watch(self, frame: FrameType, event: str, _: object) -> None:
        """A profile function (`sys.setprofile`)."""
        code, callee = frame.f_code, _file(frame)
        if event != "call" or code.co_flags & CO_GENERATOR or code.co_name == "<module>":
            return
        self.began = self.began or code.co_name == "handler"
        if callee is None or not self.began:
            return
        above = frame.f_back
        while above is not None and _file(above) is None:
            above = above.f_back
        caller = _file(above) if above else None
        if caller != callee:
            self.moves[caller or "", callee] += 1

    @property
    def files(self) -> set[str]:
        return {callee for _, callee in self.moves}

    def into(self, file: str) -> int:
        """How often the file was called from others."""
        return sum(n for (_, callee), n in self.moves.items() if callee == file)

    def up(self) -> int:
        """How often control went back up."""
        return sum(n for (caller, callee), n in self.moves.items() if caller in imported(callee))


def main() -> None:
    walks = play()
    print(f"{'':16} {'files':>6} {'down':>6} {'up':>6} {'handler':>8}")
    for name, walk in sorted(walks.items()):
        up = walk.up()
        down = walk.moves.total() - up
        handler = walk.into(f"{name}/app.py") or walk.into(f"{name}.py")
        print(f"{name:16} {len(walk.files):>6} {down:>6} {up:>6} {handler:>8}")


def play() -> dict[str, Walk]:
    """The run of each reaction that visited most files."""
    parameters = {"Mode": "remediate", "SlackWebhookParameter": "", "GraceMinutes": "0"}
    with Cloud.start(parameters=parameters) as cloud:
        cloud.settle()
        with watched() as walks:
            happen(cloud)
    return {name: max(some, key=lambda one: len(one.files)) for name, some in walks.items()}


def happen(cloud: Cloud) -> None:
    """One event for each reaction."""
    alice = cloud.session("alice")
    ec2: Any = alice.client("ec2")
    secrets: Any = alice.client("secretsmanager")
    vpc_id = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    zone = zones[0]["ZoneName"]
    ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.9.1.0/24", AvailabilityZone=zone)
    cloud.settle()
    only = [{"Name": "vpc-id", "Values": [vpc_id]}]
    (endpoint,) = ec2.describe_vpc_endpoints(Filters=only)["VpcEndpoints"]
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], PolicyDocument=OPEN)
    cloud.settle()
    tags = [{"Key": "vpce-guard:perimeter", "Value": ""}]
    secrets.create_secret(Name="db", SecretString="x", Tags=tags)
    secrets.put_resource_policy(SecretId="db", ResourcePolicy=OPEN)
    cloud.settle()
    outside = cloud.session("mallory", OUTSIDE)
    outside.client("secretsmanager").get_secret_value(SecretId="db")
    cloud.settle()
    alice.client("events").disable_rule(Name=cloud.resource("BypassRule"))
    cloud.settle()
    for rule in ("ScheduleRule", "DigestRule", "HeartbeatRule"):
        cloud.fire_schedule(rule)
        cloud.settle()


@contextmanager
def watched() -> Iterator[dict[str, list[Walk]]]:
    """The walks of all runs meanwhile, by the reaction's name."""
    walks: dict[str, list[Walk]] = {}
    invoke = InProcess.invoke

    def followed(self: InProcess, function: FunctionSpec, event: Mapping[str, Any]) -> Outcome:
        walk = Walk()
        sys.setprofile(walk.watch)
        try:
            return invoke(self, function, event)
        finally:
            sys.setprofile(None)
            name = function.handler.removesuffix(".handler").removesuffix(".app")
            walks.setdefault(name, []).append(walk)

    with patch.object(InProcess, "invoke", followed):
        yield walks


def _file(frame: FrameType) -> str | None:
    path = frame.f_code.co_filename
    return path.removeprefix(f"{FUNCTIONS}/") if path.startswith(f"{FUNCTIONS}/") else None


@cache
def imported(file: str) -> frozenset[str]:
    """The files that a file of functions/ imports, directly or by way of others."""
    found: set[str] = set()
    waiting = [file]
    while waiting:
        for one in _imports(waiting.pop()) - found:
            found.add(one)
            waiting.append(one)
    return frozenset(found)


@cache
def _imports(file: str) -> frozenset[str]:
    """Those that it imports as it runs: what stands under TYPE_CHECKING is not imported."""
    tree = ast.parse((FUNCTIONS / file).read_text())
    typing = {id(one) for node in ast.walk(tree) if _for_types(node) for one in ast.walk(node)}
    found: set[str | None] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in typing:
            parts = {_module(f"{node.module}.{one.name}") for one in node.names} - {None}
            found |= parts or {_module(node.module)}
    return frozenset(one for one in found if one)


def _for_types(node: ast.AST) -> bool:
    test = node.test if isinstance(node, ast.If) else None
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _module(name: str) -> str | None:
    path = name.replace(".", "/")
    return next(
        (f for f in (f"{path}.py", f"{path}/__init__.py") if (FUNCTIONS / f).exists()), None
    )


if __name__ == "__main__":
    main()
