"""An endpoint is the guard's own where its record and the tags say so."""

from datetime import timedelta

import pytest

from ensure_endpoint.in_force import to_json
from ensure_endpoint.ownership import Ownership, unproven
from guard.approved.history import APPLIED, CREATED, Change, History
from guard.endpoint.plan import CreateEndpoint
from guard.endpoint.state import managed_by
from guard.reconcile.outbox import Entry
from guard.table.items import Items
from tests.builders import NOON, OURS, SERVICE, STACK, endpoint, vpc
from tests.findings import bypass

OTHERS = {**OURS, "vpce-guard:stack": "another"}


@pytest.fixture
def ownership(dynamodb) -> Ownership:
    items = Items(dynamodb, "state", "111122223333/us-east-1")
    return Ownership(items, History(items, timedelta(days=90)), STACK)


def owned(ownership: Ownership, there, entries=()) -> list[str]:
    proven = ownership.proven(there, entries, NOON)
    return [one.id for one in proven.endpoints if managed_by(one.tags, STACK)]


def test_tags_alone_prove_nothing_and_a_record_alone_neither(ownership):
    there = vpc(endpoints=[endpoint("vpce-1", tags=OURS), endpoint("vpce-2"), endpoint("vpce-3")])
    ownership.record("vpce-3", NOON)
    assert owned(ownership, there) == []
    assert unproven(there, ownership.proven(there, (), NOON)) == ("vpce-1",)
    ownership.record("vpce-1", NOON)
    assert owned(ownership, there) == ["vpce-1"]
    assert unproven(there, ownership.proven(there, (), NOON)) == ()


def test_the_record_never_expires(ownership):
    ownership.record("vpce-1", NOON)
    later = NOON + timedelta(days=4_000)
    there = vpc(endpoints=[endpoint("vpce-1", tags=OURS)])
    assert ownership.proven(there, (), later) == there


def test_what_another_guard_made_stays_that_guards(ownership):
    there = vpc(endpoints=[endpoint("vpce-1", tags=OTHERS)])
    assert ownership.proven(there, (), NOON) == there


@pytest.mark.parametrize(("action", "whether"), [(CREATED, True), (APPLIED, False)])
def test_of_a_version_before_the_history_says_that_it_was_created(ownership, action, whether):
    change = Change(endpoint_id="vpce-1", at=NOON, action=action, before="", after="{}")
    ownership.history.keep(change, "a message", NOON)
    there = vpc(endpoints=[endpoint("vpce-1", tags=OURS)])
    assert bool(owned(ownership, there)) is whether


@pytest.mark.parametrize(
    ("known", "tags", "age", "whether"),
    [
        ((), OURS, 0, True),
        (("vpce-1",), OURS, 0, False),
        ((), {}, 0, False),
        ((), OURS, 300, False),  # it was there before the attempt began
    ],
)
def test_a_creation_that_was_started_and_the_vpc_shows_is_recorded(
    ownership, known, tags, age, whether
):
    started = bypass(first_seen=NOON, last_seen=NOON)
    step = CreateEndpoint("vpc-1", SERVICE, ("subnet-1",), None, "{}", known_endpoints=known)
    entry = Entry("outbox#1", "repair", started, (to_json(step),))
    made = endpoint("vpce-1", tags=tags, created=NOON - timedelta(seconds=age))

    assert bool(owned(ownership, vpc(endpoints=[made]), [entry])) is whether
    assert bool(owned(ownership, vpc(endpoints=[made]))) is whether
