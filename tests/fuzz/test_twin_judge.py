"""What `guardctl twin` proves is what an evaluator says that this project did not write.

Every logged read that the project's own evaluator decides, and every context of the exhaustive
proof, is decided alike by the second judge of `tools.rights.second`. FUZZ_CASES says how many
records are made, with a fresh seed in each run: 1,000,000 of them in `make nightly` make 50,000.
"""

import json
import os
import random
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from botocore.session import Session

from guard.cloudtrail.record import UnreadableRecord, parse
from guard.policy.evaluate import Outcome, Request, evaluate
from guardctl.policies import SHIPPED
from guardctl.twin.exhaustive import contexts
from guardctl.twin.family import fill
from guardctl.twin.flows import Flows
from guardctl.twin.logged import Policies
from guardctl.twin.meaning import Meaning
from guardctl.twin.scope import READS, Kind, Scope
from tests.fuzz.calls import EXCEPTIONS, INVENTORY, OWN, ROLE, calls
from tools.rights.second import FOLDER, judged

CASES = int(os.environ.get("FUZZ_CASES", "5000")) // 20
MOST_CONTEXTS = CASES // 4  # of each kind: a sample, and in nightly all
FAMILY = (SHIPPED / "own-account.json").read_text()
VPC = "vpc-0a1b2c3d4e5f60718"
READER = f"{ROLE}/reader"
SCOPE = Scope(
    kind=Kind.RCP,
    vpcs={one: frozenset({VPC}) for one in ("eu-west-1", "us-east-1")},
    vpc_of={"vpce-0a1b2c3d4e5f60718": VPC},
    accounts=frozenset({OWN}),
    principals=frozenset({f"{ROLE}/ci-*"}),
    networks=frozenset({"192.0.2.0/24"}),
    tags=frozenset({"break-glass=yes"}),
)
OPERATIONS = set(Session().get_service_model("secretsmanager").operation_names)
KINDS = [Kind.SECRET, Kind.RCP, Kind.SCP, Kind.ENDPOINT]
A_SECRET = rf"\*|arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:{OWN}:secret:[\w/+=.@?-]+"
ALLOWED = {"Allowed": Outcome.ALLOW, "Denied": Outcome.DENY}
SECRET = f"arn:aws:secretsmanager:eu-west-1:{OWN}:secret:prod/a-AbCdEf"

pytestmark = pytest.mark.skipif(
    not (FOLDER / "node_modules").exists(),
    reason="no judge: make .ci/iam/node_modules/.stamp",
)


@pytest.fixture
def seed() -> int:
    """Another one in each run; a failure prints it."""
    return random.SystemRandom().getrandbits(48)


def logged(scope: Scope, chance: random.Random) -> list[Request]:
    """What records that were made come to, each once."""
    flows = Flows(scope, INVENTORY, EXCEPTIONS)
    for one in calls(chance, CASES):
        if one.get("eventName") not in OPERATIONS:
            continue
        name = chance.choice(READS[scope.kind]) if scope.kind in READS else one["eventName"]
        try:
            flows.add(parse({**one, "eventName": name}))
        except UnreadableRecord:
            continue
    return [flow.request for flow in flows.rows]


def second(kind: Kind, text: str, requests: Iterable[Request]) -> list[Outcome | str]:
    """What the second judge says of requests by somebody who may do everything."""
    document = json.loads(text)
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*", "Sid": "All"}
    identity = {"all": {"Version": "2012-10-17", "Statement": [everything]}}
    asked = [
        {
            "role": READER,
            "principal": READER,
            "action": one.action,
            "resource": _resource(one),
            "account": OWN,
            "context": _context(one),
            "perimeter": kind,
        }
        for one in requests
    ]
    named = {one["resource"] for one in asked}
    case = {
        "roles": {READER: {"identity": identity, "boundary": None}},
        "resources": dict.fromkeys(named, document) if kind is Kind.SECRET else {},
        "perimeters": {kind: {} if kind is Kind.SECRET else {kind.value: document}},
        "requests": asked,
    }
    return [ALLOWED.get(one["result"], one["why"]) for one in judged(json.dumps(case))]


def _can_be_sent(request: Request) -> bool:
    """Whether AWS sends such a caller and secret: records are made with anything in their place."""
    asked = request.context
    return all(
        value is None or re.fullmatch(form, str(value), re.ASCII)
        for value, form in (
            (asked.get("aws:principalarn"), r"arn:aws[a-z-]*:(iam|sts)::\d{12}:.+"),
            (asked.get("aws:requestedregion"), r"[a-z]{2,4}(-[a-z]+)+-\d"),
            (request.resource, A_SECRET),
        )
    )


def _resource(request: Request) -> str:
    """As the action has one: a secret's, without what is not known of its ARN, or none."""
    has_none = request.action.rpartition(":")[2] in (
        *("BatchGetSecretValue", "ListSecrets", "GetRandomPassword"),
    )
    return "*" if has_none else (request.resource or SECRET).replace("??????", "AbCdEf")


def _context(request: Request) -> dict[str, Any]:
    return {key: value for key, value in request.context.items() if isinstance(value, str)}


@pytest.mark.parametrize("kind", KINDS)
def test_logged_reads_are_decided_alike(kind: Kind, seed: int):
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    scope = replace(SCOPE, kind=kind, tags=frozenset())  # no record says what tags a caller has
    (one, *_) = fill(scope, FAMILY)
    policy = Policies.of(kind, [one]).regions[one.region]
    decided: dict[Outcome, list[Request]] = {Outcome.ALLOW: [], Outcome.DENY: []}
    while not all(decided.values()):  # a denial is rare at an endpoint
        for request in filter(_can_be_sent, logged(scope, chance)):
            decided.setdefault(evaluate(policy, request).outcome, []).append(request)
    known = [(one, outcome) for outcome in ALLOWED.values() for one in decided[outcome]]
    answers = second(kind, one.text, (request for request, _ in known))
    unlike = [
        (request, outcome, answer)
        for (request, outcome), answer in zip(known, answers, strict=True)
        if outcome is not answer
    ]
    assert unlike == [], seed


@pytest.mark.parametrize("kind", KINDS)
def test_contexts_of_the_exhaustive_proof_are_decided_alike(kind: Kind, seed: int):
    scope = replace(SCOPE, kind=kind)
    (one, *_) = fill(scope, FAMILY)
    policy = Policies.of(kind, [one]).regions[one.region]
    meaning = Meaning(scope, one.region)
    found = [
        (request, meaning.expected(facets))
        for request, facets, _ in contexts(policy, meaning)
        if request.action.startswith("secretsmanager:")
    ]
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    chance.shuffle(found)
    # Few are of one outcome, by kind: some of each.
    some = [
        one
        for outcome in (Outcome.ALLOW, Outcome.DENY)
        for one in [each for each in found if each[1] is outcome][:MOST_CONTEXTS]
    ]
    assert {expected for _, expected in some} == {Outcome.ALLOW, Outcome.DENY}, seed
    answers = second(kind, one.text, (request for request, _ in some))
    unlike = [
        (request, expected, answer)
        for (request, expected), answer in zip(some, answers, strict=True)
        if expected is not answer
    ]
    assert unlike == [], seed
