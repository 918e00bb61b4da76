"""A decision about a rollout is written only where nobody else has decided meanwhile."""

from dataclasses import replace

import pytest

from guard.approved.policies import ApprovedPolicy
from guard.approved.rollout import Phase, Rollout
from guard.approved.rollouts import Rollouts
from guard.policy import parse
from guard.table.items import Items
from tests.builders import NOON

TEXT = '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'
POLICY = ApprovedPolicy("own-account", TEXT, parse(TEXT))


@pytest.fixture
def rollouts(dynamodb) -> Rollouts:
    return Rollouts(Items(dynamodb, "state", "111122223333/eu-west-1"))


@pytest.fixture
def tried(rollouts) -> Rollout:
    assert rollouts.begin(rollouts.forget(None, POLICY), POLICY, "vpce-1")
    found = rollouts.of(POLICY.name, NOON)
    assert found
    assert found.phase is not Phase.REJECTED
    return found


def test_a_rejection_is_written_with_why(rollouts, tried):
    assert rollouts.reject(tried, POLICY.name, "it refused 3 requests")
    now = rollouts.of(POLICY.name, NOON)
    assert (now.phase, now.why) == (Phase.REJECTED, "it refused 3 requests")


@pytest.mark.parametrize("other", [{"candidate": "another"}, {"endpoint_id": "vpce-2"}])
def test_what_somebody_else_has_decided_meanwhile_is_not_rejected(rollouts, tried, other):
    assert not rollouts.reject(replace(tried, **other), POLICY.name, "late")
    assert rollouts.of(POLICY.name, NOON) == tried
    assert rollouts.accept(tried, POLICY)
    accepted = rollouts.of(POLICY.name, NOON)
    assert not rollouts.reject(tried, POLICY.name, "late")
    assert rollouts.of(POLICY.name, NOON) == accepted
