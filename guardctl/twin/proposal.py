"""From flows to policies that are proven, or to what keeps them from being proposed. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from guard.policy.operators import Unnamed
from guardctl.twin import exhaustive, logged
from guardctl.twin.exhaustive import Exhausted
from guardctl.twin.family import Candidate
from guardctl.twin.flows import Flows
from guardctl.twin.intent import Intent
from guardctl.twin.logged import Policies, Proof
from guardctl.twin.meaning import Meaning
from guardctl.twin.options import partition_in
from guardctl.twin.scope import Kind, Scope


def filled_scope(flows: Flows) -> Scope:
    """The scope with what the flows show: the VPCs that were used, and exceptions' callers."""
    scope = flows.scope
    if scope.kind is Kind.ENDPOINT:
        return scope
    vpcs = {flow.region: frozenset[str]() for flow in flows.rows}
    vpcs |= scope.vpcs
    for flow, _ in flows.of(Intent.PASS):
        vpc = dict(flow.context).get("aws:sourcevpc")
        if isinstance(vpc, str) and not isinstance(vpc, Unnamed):
            vpcs[flow.region] |= {vpc}
    return replace(
        scope,
        partition=partition_in(vpcs),
        vpcs={region: ids | scope.other_vpcs for region, ids in vpcs.items()},
        principals=scope.principals | flows.principals,
        networks=scope.networks | flows.networks,
    )


@dataclass(frozen=True, slots=True)
class Proofs:
    """Both proofs: by the logs, and exhaustively by the names of the policies."""

    logged: Proof
    exhausted: Mapping[str, Exhausted]

    @property
    def hold(self) -> bool:
        return self.logged.holds and not any(one.count for one in self.exhausted.values())


def proofs(scope: Scope, candidates: Sequence[Candidate], flows: Flows) -> Proofs:
    """Prove policies. Raises PolicyError and exhaustive.TooMany."""
    policies = Policies.of(scope.kind, candidates)
    exhausted = {
        (region or scope.kind.value): exhaustive.prove(policy, Meaning(scope, region))
        for region, policy in policies.regions.items()
    }
    return Proofs(logged.prove(policies, flows), exhausted)
