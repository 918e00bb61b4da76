"""Which steps of a change that was recorded are in force now. Pure.

A function may die between a change and its finding, or before the change, and AWS may fail without
saying whether it did what was asked. What was only intended is not published as done: the present
state decides, and only what bears the stack's own tags counts as made by it.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from guard.endpoint.groups import own_groups, uncovered
from guard.endpoint.plan import (
    AuthoriseHttps,
    CreateEndpoint,
    CreateGroup,
    EnableDnsAttribute,
    ModifyEndpoint,
    RevokeIngress,
    Step,
)
from guard.endpoint.state import Endpoint, Rule, SecurityGroup, Vpc, managed_by, network
from guard.findings.finding import Finding, Kind, Severity

_STEPS: Mapping[str, type[Any]] = {
    one.__name__: one
    for one in (
        EnableDnsAttribute,
        CreateGroup,
        AuthoriseHttps,
        RevokeIngress,
        CreateEndpoint,
        ModifyEndpoint,
    )
}


def to_json(step: Step) -> dict[str, Any]:
    """The step as JSON's own types, without the policy's text: `from_json` reads it."""
    text = {"policy": ""} if isinstance(step, CreateEndpoint) else {}
    return {"step": type(step).__name__, **asdict(step), **text}


def from_json(written: Mapping[str, Any]) -> Step:
    """Read what `to_json` wrote."""
    kind, values = _STEPS[written["step"]], dict(written)
    del values["step"]
    names = [name for name, value in values.items() if isinstance(value, list)]
    lists: dict[str, Any] = {name: tuple(values[name]) for name in names}
    if kind is RevokeIngress:
        lists["rules"] = tuple(Rule(**one) for one in values["rules"])
    return kind(**values | lists)


def proven(
    finding: Finding, steps: tuple[Mapping[str, Any], ...], vpc: Vpc, stack_id: str
) -> Finding:
    """The finding of a change, with those of its `steps` alone that are in force."""
    shown: dict[str, Step | None] = {}
    for step in map(from_json, steps):
        shown[str(step)] = in_force(step, vpc, stack_id)
    done = tuple(
        str(shown[text]) if text in shown else text
        for text in finding.done
        if shown.get(text, True) is not None
    )
    creates = any(one["step"] == CreateEndpoint.__name__ for one in steps)
    made = any(isinstance(step, CreateEndpoint) for step in shown.values())
    finding = replace(finding, done=done)
    return _prepared(finding) if creates and not made else finding


def _prepared(finding: Finding) -> Finding:
    """The creation of an endpoint that did not come to the endpoint itself."""
    evidence = {k: v for k, v in finding.evidence.items() if k not in ("monthly_price_usd", "azs")}
    return replace(
        finding,
        kind=Kind.ENDPOINT_REPAIRED,
        severity=Severity.LOW,
        title=f"{finding.resource} was prepared for its Secrets Manager endpoint",
        cause="The guard began to create the endpoint. The endpoint itself was not created then.",
        todo=(),
        evidence=evidence,
    )


def in_force(step: Step, vpc: Vpc, stack_id: str) -> Step | None:
    """The step as the VPC shows it; None if it does not."""
    own = own_groups(vpc, stack_id)
    match step:
        case EnableDnsAttribute(attribute="enableDnsSupport"):
            return step if vpc.dns_support else None
        case EnableDnsAttribute():
            return step if vpc.dns_hostnames else None
        case CreateGroup():
            return step if own else None
        case AuthoriseHttps(networks=networks):
            admitted = [one for group in own for one in group.admits_https_from]
            return step if not uncovered(map(network, networks), admitted) else None
        case RevokeIngress(group_id=id_, rules=rules):
            left = vpc.groups[id_].rules if id_ in vpc.groups else frozenset[Rule]()
            return step if not left & set(rules) else None
        case CreateEndpoint():
            there = _made_by(step, vpc, stack_id)
            # With the subnets that it has: not always those that were desired first.
            subnet_ids = tuple(sorted(there.subnet_ids)) if there else ()
            return replace(step, subnet_ids=subnet_ids or step.subnet_ids) if there else None
        case ModifyEndpoint():
            there = next((one for one in vpc.endpoints if one.id == step.endpoint_id), None)
            return step if there and _modified(step, there, own) else None


def created_by(written: Mapping[str, Any], vpc: Vpc, stack_id: str) -> Endpoint | None:
    """The endpoint that a recorded step created, if the VPC shows it."""
    step = from_json(written)
    return _made_by(step, vpc, stack_id) if isinstance(step, CreateEndpoint) else None


def _made_by(step: CreateEndpoint, vpc: Vpc, stack_id: str) -> Endpoint | None:
    for one in vpc.endpoints:
        if managed_by(one.tags, stack_id) and one.id not in step.known_endpoints:
            return one
    return None


def _modified(step: ModifyEndpoint, there: Endpoint, own: list[SecurityGroup]) -> bool:
    groups = {step.group_id} if step.group_id else {group.id for group in own}
    return (
        set(step.add_subnet_ids) <= there.subnet_ids
        and (not step.enable_private_dns or there.private_dns)
        and (not step.add_group or bool(groups & there.group_ids))
        and step.ip_type in ("", there.ip_type)
    )
