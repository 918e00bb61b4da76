"""Of a batch, one caller gets a share; nobody else waits for what he does."""

import pytest

from guard.aws.errors import throttled
from guard.reconcile.request import Key, Request, Trigger
from secret_policy.shares import MOST_OF_ONE_CALLER, later, over_share

MALLORY, ALICE = "arn:aws:iam::111122223333:user/mallory", "arn:aws:iam::111122223333:user/alice"
ROLE = "arn:aws:sts::111122223333:assumed-role/tenant"


def asked(name: str, *callers: str, own: bool = False) -> Request:
    triggers = [Trigger(name="PutResourcePolicy", is_event=True, who=one) for one in callers]
    triggers += [Trigger(name="sweep")] * own
    key = Key("111122223333", "eu-west-1", "secret", name)
    return Request(key=key, triggers=tuple(triggers))


def names(requests: list[Request]) -> list[str]:
    return [one.key.id for one in over_share(requests)]


FLOOD = [asked(f"m{n}", MALLORY) for n in range(MOST_OF_ONE_CALLER + 3)]
REST = ["m10", "m11", "m12"]


def test_a_caller_has_a_share_and_the_rest_waits():
    assert names(FLOOD) == REST
    assert names(FLOOD[:MOST_OF_ONE_CALLER]) == []


@pytest.mark.parametrize("first", [True, False])
def test_others_do_not_wait_wherever_they_are_in_the_batch(first):
    other = [asked("a", ALICE)]
    assert names([*other, *FLOOD] if first else [*FLOOD, *other]) == REST


def test_what_somebody_else_changed_too_does_not_wait():
    """Else a flood could have another's secret wait, by touching it."""
    assert names([*FLOOD, asked("a", MALLORY, ALICE)]) == REST


def test_what_the_guard_asks_for_does_not_wait():
    """Neither a sweep's requests, however many, nor what an event came to besides."""
    sweep = [asked(f"s{n}", own=True) for n in range(50)]
    assert names([*FLOOD, *sweep, asked("m", MALLORY, own=True)]) == REST


def test_a_role_is_one_caller_whatever_its_sessions_are_called():
    sessions = [asked(f"t{n}", f"{ROLE}/session-{n}/x\n") for n in range(MOST_OF_ONE_CALLER + 1)]
    assert names(sessions) == ["t10"]
    roles = [asked(f"t{n}", f"{ROLE}{n}/session") for n in range(MOST_OF_ONE_CALLER + 1)]
    assert names(roles) == []


def test_what_waits_backs_off():
    assert throttled(later())
