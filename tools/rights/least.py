"""The least rights of each function: from its calls on the embedded cloud, and AWS's on its behalf.

As "Grant least privilege access" (IAM user guide) says: begin with what was called, allow no more.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from emulator import Cloud
from tools.rights.access import Grant, grants_of, verdict
from tools.rights.deployed import Deployed, role_of
from tools.rights.onbehalf import Asked

__all__ = ["NEVER", "PLATFORM", "REFUSED", "Right", "kind_of", "policies", "rights", "role_of"]

# What AWS does with a function's role by itself, or on the way of another call.
PLATFORM = {
    "Log": "Lambda writes the log",
    "Trace": "Lambda sends the traces",
    "KeepWhatFailed": "Lambda sends what failed for good to the destination",
    "KeepFailures": "Lambda sends what failed to the function's failure destination",
    "Receive": "the event source mapping polls the queue",
    "DecryptWebhook": "SSM asks KMS on behalf of the reader",
    "DecryptLogFiles": "S3 asks KMS on behalf of the reader",
    "SwitchPrivateDnsOn": "EC2 asks Route 53 on behalf of whoever creates an endpoint",
}

NEVER = "never called"
REFUSED = "not granted"


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One action on one kind of resource that a function needs, and why.

    `grant` is the statement of its role that allows it. `problem` is NEVER for a grant that no call
    used, and REFUSED for a call that no grant allows.
    """

    function: str
    action: str
    resource: str
    why: str
    grant: str
    problem: str = ""

    def shown(self) -> dict[str, str]:
        """The members for JSON."""
        return {
            "function": self.function,
            "action": self.action,
            "resource": self.resource,
            "why": self.why,
            "grant": self.grant,
            "problem": self.problem,
        }


def rights(cloud: Cloud) -> list[Right]:
    """What every deployed function needs, by the calls that `cloud` has seen so far.

    Every policy that AWS would evaluate is: see `tools.rights.access`.
    """
    deployed, found = Deployed(cloud), set[Right]()
    asked = deployed.asked()
    for function in cloud.deployment.functions:
        needed = [one for one in asked if one.principal == function]
        granted = [
            grant
            for name, document in deployed.identity(role_of(function)).items()
            for grant in grants_of(name, document)
        ]
        found.update(_called(deployed, one, granted) for one in needed)
        found.update(_granted_only(function, needed, granted, cloud))
    return sorted(found)


def _called(deployed: Deployed, asked: Asked, granted: Iterable[Grant]) -> Right:
    need = asked.need
    decided = verdict(need, deployed.principal(asked), deployed.policies(asked))
    grant = next((one for one in granted if one.meets(need)), None) if decided.allowed else None
    return Right(
        asked.principal,
        need.action,
        _resource(asked, grant, deployed.cloud),
        asked.why,
        grant.sid if grant else "",
        "" if grant else REFUSED,
    )


def _granted_only(
    function: str, needed: Iterable[Asked], granted: Iterable[Grant], cloud: Cloud
) -> Iterable[Right]:
    for grant in granted:
        if any(grant.meets(one.need) for one in needed):
            continue
        for resource in grant.resources:
            kind = kind_of(resource, cloud.deployment.physical)
            yield Right(function, grant.action, kind, "", grant.sid, NEVER)


def _resource(asked: Asked, grant: Grant | None, cloud: Cloud) -> str:
    """The kind of resource; every one where IAM knows none, by the statement that says so."""
    if grant and list(grant.resources) == ["*"]:
        return "*"
    return kind_of(asked.need.resource, cloud.deployment.physical)


def kind_of(resource: str, physical: Mapping[str, str]) -> str:
    """The ARN with the stack's own resources by their logical ids, and others' as their kind."""
    if resource == "*":
        return resource
    name = re.split("[:/]", resource)[-1]
    for logical_id, id_ in physical.items():
        if name and name == re.split("[:/]", id_)[-1]:
            return f"{resource.removesuffix(name)}${{{logical_id}}}"
    head, kind, separator, _ = _cut(resource)
    if not separator:  # the name is all there is, as for a bucket
        return resource
    return f"{head}{kind}{separator}*"


def _cut(arn: str) -> tuple[str, str, str, str]:
    """An ARN as its head, the kind of the resource, what separates them, and its name."""
    parts = arn.split(":", 5)
    kind, separator, name = re.fullmatch(r"([^:/]*)([:/]?)(.*)", parts[5], re.DOTALL).groups()  # type: ignore[union-attr]
    return ":".join(parts[:5]) + ":", kind, separator, name


def policies(found: Iterable[Right]) -> dict[str, dict[str, Any]]:
    """An IAM policy document for each function, of what it needs and no more."""
    actions: dict[str, dict[str, set[str]]] = {}
    for right in found:
        if right.problem != NEVER:
            actions.setdefault(right.function, {}).setdefault(right.resource, set()).add(
                right.action
            )
    return {
        function: {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": sorted(some), "Resource": resource}
                for resource, some in sorted(by_resource.items())
            ],
        }
        for function, by_resource in actions.items()
    }
