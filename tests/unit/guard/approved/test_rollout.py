"""The state machine of a rollout: every transition, and what endpoints are to carry."""

from dataclasses import replace

import pytest

from guard.approved.policies import ApprovedPolicy
from guard.approved.rollout import (
    Accept,
    DesiredPolicy,
    Phase,
    RollBack,
    Rollout,
    StartTrial,
    Steady,
    Wait,
    desired_policy,
    digest,
    is_new_version,
    step,
)
from guard.policy import parse

CANARY, OTHER = "vpce-1", "vpce-2"
WATCH = 900


def text(action: str, sid: str = "") -> str:
    statement = f'"Effect":"Allow","Principal":"*","Action":"{action}","Resource":"*"'
    return f'{{"Statement":[{{"Sid":"{sid}",{statement}}}]}}'


def version(action: str, sid: str = "") -> ApprovedPolicy:
    return ApprovedPolicy("p", text(action, sid), parse(text(action, sid)))


OLD, NEW, NEWER = (
    version("secretsmanager:Get*"),
    version("secretsmanager:GetSecretValue"),
    version("secretsmanager:DescribeSecret"),
)
STEADY = Rollout(stable=OLD.text, previous="")
TRYING = Rollout(
    stable=OLD.text,
    phase=Phase.TRYING,
    candidate=digest(NEW),
    endpoint_id=CANARY,
    applied_at=1_000,
)
NOT_YET = replace(TRYING, applied_at=0)
REJECTED = replace(TRYING, phase=Phase.REJECTED, why="AWS refused it")
BOTH = (CANARY, OTHER)


@pytest.mark.parametrize(
    ("rollout", "desired", "given", "expected"),
    [
        (None, NEW, {}, Steady()),
        (STEADY, OLD, {}, Steady()),
        (STEADY, version("secretsmanager:get*", "Reworded"), {}, Steady()),
        (STEADY, NEW, {}, StartTrial(BOTH)),
        (STEADY, NEW, {"endpoint_ids": ()}, Steady()),
        (NOT_YET, NEW, {}, Wait()),
        (NOT_YET, NEW, {"now": 10**9}, Wait()),
        (TRYING, NEW, {"now": 1_001}, Wait(1_900)),
        (TRYING, NEW, {"now": 1_899}, Wait(1_900)),
        (TRYING, NEW, {"now": 1_900}, Accept()),
        (TRYING, NEW, {"now": 1_001, "watch_seconds": 0}, Accept()),
        (
            TRYING,
            NEW,
            {"now": 1_001, "denied": "GetSecretValue by x"},
            RollBack("GetSecretValue by x"),
        ),
        (TRYING, NEW, {"now": 1_900, "denied": "y"}, RollBack("y")),
        (TRYING, NEW, {"now": 1_001, "redeployed": True}, Wait(1_900)),
        (TRYING, NEW, {"now": 1_001, "endpoint_ids": (OTHER,)}, StartTrial((OTHER,))),
        (TRYING, NEW, {"now": 1_001, "endpoint_ids": ()}, Steady()),
        (TRYING, NEWER, {"now": 1_001}, StartTrial(BOTH)),
        (TRYING, OLD, {"now": 1_001}, Steady()),
        (REJECTED, NEW, {}, Wait()),
        (REJECTED, NEW, {"redeployed": True}, StartTrial(BOTH)),
        (REJECTED, NEWER, {}, StartTrial(BOTH)),
        (REJECTED, OLD, {}, Steady()),
    ],
)
def test_each_transition(rollout, desired, given, expected):
    asked = {"endpoint_ids": BOTH, "now": 0, "watch_seconds": WATCH, **given}
    assert step(rollout, desired, **asked) == expected


@pytest.mark.parametrize(
    ("rollout", "endpoint_id", "carried", "canary"),
    [
        (None, CANARY, NEW, False),
        (replace(STEADY, stable=NEW.text), OTHER, NEW, False),
        (STEADY, CANARY, OLD, False),  # deployed, and the sweep has not yet rolled it out
        (NOT_YET, CANARY, NEW, True),
        (TRYING, CANARY, NEW, True),
        (TRYING, OTHER, OLD, False),
        (REJECTED, CANARY, OLD, False),
        (REJECTED, OTHER, OLD, False),
        (replace(TRYING, candidate=digest(NEWER)), CANARY, OLD, False),
    ],
)
def test_what_an_endpoint_is_to_carry(rollout, endpoint_id, carried, canary):
    assert desired_policy(rollout, NEW, endpoint_id) == DesiredPolicy(carried, canary)


def test_a_stored_version_that_cannot_be_read_leaves_the_deployed_one():
    assert desired_policy(replace(STEADY, stable="{"), NEW, OTHER) == DesiredPolicy(NEW)


def test_the_version_before_is_reported_from_what_somebody_wrote():
    steady = Rollout(stable=NEW.text, previous=OLD.text)
    assert is_new_version(steady, OLD.text, DesiredPolicy(NEW))
    assert not is_new_version(steady, NEWER.text, DesiredPolicy(NEW))
    assert not is_new_version(None, OLD.text, DesiredPolicy(NEW))
    assert is_new_version(TRYING, OLD.text, DesiredPolicy(NEW, canary=True))
    assert not is_new_version(TRYING, NEWER.text, DesiredPolicy(NEW, canary=True))
    assert not is_new_version(TRYING, NEWER.text, DesiredPolicy(OLD))
