"""The proof by logs: what the policies decide about every read that was logged. Pure."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from guard.policy import Policy, parse
from guard.policy.evaluate import Decision, Outcome, evaluate
from guardctl.preflight.source import ALL_MAY
from guardctl.twin.family import Candidate
from guardctl.twin.flows import Count, Flow, Flows, rows_of
from guardctl.twin.intent import Intent
from guardctl.twin.scope import Kind
from secret_policy.perimeter import document_of, statements

BROKEN = "would be denied, and should pass"
UNNAMED = "would be denied, and nobody said whether it may"
OPEN = "would pass, and should be stopped"
HANGS = "hangs on what CloudTrail does not say"


@dataclass(frozen=True, slots=True)
class Policies:
    """Policies of one kind as they act together: each that is for a flow's Region has its say."""

    kind: Kind
    parsed: Sequence[tuple[str, Policy]]

    @classmethod
    def of(cls, kind: Kind, candidates: Sequence[Candidate]) -> "Policies":
        """Raises PolicyError for a text that is no policy."""
        return cls(kind, [(one.region, read(one.text, kind)) for one in candidates])

    @property
    def regions(self) -> dict[str, Policy]:
        """One policy for each Region that has its own; else all together, without a Region."""
        joined: dict[str, list[Policy]] = {}
        for region, policy in self.parsed:
            joined.setdefault(region, []).append(policy)
        return {region: _joined(some) for region, some in joined.items()}

    @property
    def keys(self) -> frozenset[str]:
        """The condition keys that they ask of a request."""
        every = (one for _, policy in self.parsed for one in policy.statements)
        return frozenset(one.key for statement in every for one in statement.conditions)


def read(text: str, kind: Kind) -> Policy:
    """A policy's text as one that decides about requests for which all else allows everything.

    Raises PolicyError.
    """
    if kind is Kind.ENDPOINT:
        return parse(text)
    policy = parse(_with_principal(text) if kind is Kind.SCP else text)
    denials = (one for one in policy.statements if one.effect == "Deny")
    return replace(policy, statements=(ALL_MAY, *denials))


def _with_principal(text: str) -> str:
    """A service control policy is about whoever is in the accounts: it has no Principal."""
    document = document_of(text)
    bound = [{**one, "Principal": "*"} for one in statements(document)]
    return json.dumps({**document, "Statement": bound})


def _joined(policies: Sequence[Policy]) -> Policy:
    every = dict.fromkeys(one for policy in policies for one in policy.statements)
    return replace(policies[0], statements=tuple(every))


@dataclass(slots=True)
class Proof:
    """What became of the logged reads. `found` has the flows of each outcome that is not right."""

    flows: Flows
    stopped: int = 0
    bypasses: int = 0
    passed: int = 0
    found: dict[str, list[tuple[Flow, Count]]] = field(
        default_factory=dict[str, list[tuple[Flow, Count]]]
    )
    needs: Counter[str] = field(default_factory=Counter[str])

    def count(self, outcome: str) -> int:
        """The requests of an outcome that is not right."""
        return sum(count.requests for _, count in self.found.get(outcome, ()))

    @property
    def holds(self) -> bool:
        """Whether nothing that should pass is denied, and nothing that should not passes."""
        return not any(self.count(one) for one in (BROKEN, UNNAMED, OPEN))

    @property
    def words(self) -> str:
        """The proof in one sentence."""
        hangs = self.count(HANGS)
        keys = ", ".join(f"{key} ({number:,})" for key, number in self.needs.most_common())
        return (
            f"Of {self.flows.requests:,} requests in {self.flows.days:,} days"
            f" {self.count(BROKEN):,} that should pass would be denied,"
            f" {self.stopped:,} of {self.bypasses:,} bypasses would,"
            f" {hangs:,} hang on {keys or 'nothing'}"
        )

    def rows(self) -> Iterator[dict[str, Any]]:
        for outcome, flows in self.found.items():
            for row in rows_of(flows):
                yield {"outcome": outcome, **row}


def prove(policies: Policies, flows: Flows) -> Proof:
    """Decide about every flow; what the policies ask and the flows do not keep is unknown."""
    by_region = policies.regions
    proof = Proof(flows)
    for flow, count in flows.rows.items():
        policy = by_region.get(flow.region) or by_region.get("")
        decision = evaluate(policy, flow.request) if policy else Decision(Outcome.ALLOW)
        _add(proof, flow, count, decision)
    return proof


def _add(proof: Proof, flow: Flow, count: Count, decision: Decision) -> None:
    intent = flow.meant.intent
    proof.bypasses += count.requests * (intent is Intent.STOP)
    match intent, decision.outcome:
        case _, Outcome.UNKNOWN:
            outcome = HANGS
            proof.needs.update(dict.fromkeys(decision.unknown, count.requests))
        case Intent.PASS, Outcome.DENY:
            outcome = BROKEN
        case Intent.UNDECIDED, Outcome.DENY:
            outcome = UNNAMED
        case Intent.STOP, Outcome.ALLOW:
            outcome = OPEN
        case Intent.STOP, _:
            proof.stopped += count.requests
            return
        case _:
            proof.passed += count.requests
            return
    proof.found.setdefault(outcome, []).append((flow, count))
