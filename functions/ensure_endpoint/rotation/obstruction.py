"""Whether a rotation function in a VPC gets through to the endpoint, and through its policy. Pure.

The function's security groups must let it out to port 443 where the endpoint's interfaces are, the
endpoint's must let it in, and the approved policy must let its role do what rotation asks for
("Permissions for rotation" and "Troubleshoot rotation" in the Secrets Manager User Guide). Network
ACLs must let packets through between their subnets; firewalls in between are not checked. Where
something cannot be known, such as what is in a prefix list, nothing is said.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ensure_endpoint.rotation.function import Rotation
from guard.endpoint.acls import between
from guard.endpoint.plan import CreateEndpoint, ModifyEndpoint, Plan
from guard.endpoint.state import IP_VERSIONS, Access, SecurityGroup, Subnet, Vpc
from guard.policy import Policy
from guard.policy.evaluate import Outcome, Request, evaluate, principals_of
from guard.policy.sent import NEVER_SENT

# What a rotation function asks Secrets Manager for, and whether it names the secret.
ROTATION_ACTIONS: Mapping[str, bool] = {
    "DescribeSecret": True,
    "GetSecretValue": True,
    "PutSecretValue": True,
    "UpdateSecretVersionStage": True,
    "GetRandomPassword": False,
}


@dataclass(frozen=True, slots=True)
class _Target:
    """The endpoint as it is, or as the plan leaves it; `group_ids` only of groups that exist."""

    subnets: Sequence[Subnet]
    versions: frozenset[int]
    group_ids: frozenset[str]


def obstruction(
    vpc: Vpc, plan: Plan, rotation: Rotation, groups: Mapping[str, SecurityGroup]
) -> str:
    """Why the function cannot reach the VPC's endpoint over the network; empty if it can.

    `groups` are the function's. Where an endpoint elsewhere serves the VPC, all that is asked is
    that the function gets out to port 443 at all.
    """
    own = [groups[id_] for id_ in sorted(rotation.group_ids) if id_ in groups]
    out = _united(group.egress for group in own)
    if not (out.networks or out.groups or out.prefix_lists):
        return f"its security groups {_names(rotation)} let nothing out to port 443"
    target = _target(vpc, plan)
    if target is None:
        return ""
    subnets = [subnet for subnet in vpc.subnets if subnet.id in rotation.subnet_ids]
    versions = frozenset[int]().union(*(subnet.ip_versions for subnet in subnets))
    if subnets and not versions & target.versions:
        ids = ", ".join(sorted(rotation.subnet_ids))
        return f"its subnets {ids} have no IP version in common with the endpoint"
    common = (versions or target.versions) & target.versions
    closed = [s.id for s in target.subnets if not _lets(out, s, common, target.group_ids)]
    if closed:
        ids = ", ".join(sorted(closed))
        return (
            f"its security groups {_names(rotation)} do not let it out to port 443 in {ids},"
            " where the endpoint has interfaces"
        )
    for client in subnets:
        for place in target.subnets:
            if (wall := between(vpc.acls, client, place, common)) and wall.closed:
                return (
                    f"network ACLs keep {client.id} from the interface in {place.id}: {wall.words}"
                )
    # What the plan is about to repair is no obstruction any more.
    theirs = [vpc.groups[id_] for id_ in sorted(target.group_ids) if id_ in vpc.groups]
    into = _united(group.ingress for group in theirs)
    if plan.steps or not theirs:
        return ""
    shut = [s.id for s in subnets if not _lets(into, s, common, rotation.group_ids)]
    if shut:
        ids = ", ".join(sorted(target.group_ids))
        return f"the endpoint's security groups {ids} do not admit it from {', '.join(shut)}"
    return ""


def refused_actions(policy: Policy, rotation: Rotation, partition: str) -> tuple[str, ...]:
    """The actions of a rotation that the policy is sure to refuse the function's role."""
    if not rotation.role_arn:
        return ()
    account = rotation.role_arn.split(":")[4]
    path, _, role = rotation.role_arn.partition(":role")[2].rpartition("/")
    function = rotation.function_arn.split(":")[6]  # also the name of the role's session
    session = f"arn:{partition}:sts::{account}:assumed-role/{role}/{function}"
    principals = principals_of(session, role_path=f"{path}/")
    context: dict[str, str | None] = {
        **NEVER_SENT,
        "aws:PrincipalAccount": account,
        "aws:PrincipalArn": rotation.role_arn,
        "aws:PrincipalIsAWSService": "false",
        "aws:PrincipalType": "AssumedRole",
        "aws:SecureTransport": "true",
        "aws:SourceVpc": rotation.vpc_id,
        "aws:ViaAWSService": "false",
    }
    # The secret is of this account, or `locate` had said that it is elsewhere.
    of_secret = {**context, "aws:ResourceAccount": account}
    return tuple(
        action
        for action, names_secret in ROTATION_ACTIONS.items()
        if evaluate(
            policy,
            Request(
                action=f"secretsmanager:{action}",
                resource=(rotation.secret_arn or None) if names_secret else "*",
                principals=principals,
                context=of_secret if names_secret else context,
            ),
        ).outcome
        is Outcome.DENY
    )


def _target(vpc: Vpc, plan: Plan) -> _Target | None:
    """The endpoint that the function has to reach; None if it is in another VPC, or nowhere."""
    here = next((one for one in vpc.endpoints if one.id == plan.endpoint_id), None)
    ids, groups = (
        (here.subnet_ids, here.group_ids) if here else (frozenset[str](), frozenset[str]())
    )
    versions = here.ip_versions if here else frozenset[int]()
    for step in plan.steps:
        match step:
            case CreateEndpoint():
                ids, versions = frozenset(step.subnet_ids), IP_VERSIONS[step.ip_type]
            case ModifyEndpoint():
                ids |= frozenset(step.add_subnet_ids)
                versions = IP_VERSIONS.get(step.ip_type, versions)
            case _:
                continue
        groups |= {step.group_id} if step.group_id else frozenset[str]()
    subnets = [subnet for subnet in vpc.subnets if subnet.id in ids]
    return _Target(subnets, versions, groups) if subnets else None


def _united(some: Iterable[Access]) -> Access:
    rules = list(some)
    return Access(
        networks=frozenset(one for rule in rules for one in rule.networks),
        groups=frozenset(one for rule in rules for one in rule.groups),
        prefix_lists=any(rule.prefix_lists for rule in rules),
    )


def _lets(access: Access, subnet: Subnet, versions: frozenset[int], groups: frozenset[str]) -> bool:
    """Whether the rules let through to or from the subnet, or perhaps do.

    A rule for a part of a subnet may be the part where the interface is, so it counts.
    """
    if access.prefix_lists or access.groups & groups:
        return True
    return any(
        one.version == other.version and one.overlaps(other)
        for one in subnet.networks
        if one.version in versions
        for other in access.networks
    )


def _names(rotation: Rotation) -> str:
    return ", ".join(sorted(rotation.group_ids))
