"""How long the guard waits for builders: no longer than three graces, and not where it was well."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ensure_endpoint.grace import MOST_GRACES, Grace, grace_of
from ensure_endpoint.memory import VpcRecord
from guard.endpoint.decide import decide
from tests.builders import DESIRED, NOON, OURS, STACK, endpoint, vpc

AT = int(NOON.timestamp())
BARE = vpc(endpoints=[])
THEIRS = vpc(endpoints=[endpoint(private_dns=False)])
NEW = VpcRecord()
SECONDS = 600


def of(there, known: VpcRecord = NEW, built: int = 0, seconds: int = SECONDS) -> Grace:
    return grace_of(there, decide(there, DESIRED), known, built, seconds, STACK)


def test_it_counts_from_the_last_that_was_built():
    assert of(BARE, built=AT) == Grace(AT, AT + 600)
    known = VpcRecord(grace_began=AT, grace_until=AT + 600)
    assert of(BARE, known, built=AT + 300) == Grace(AT, AT + 900)
    assert of(BARE, known) == Grace(AT, AT + 600)
    assert of(BARE) == Grace()
    assert of(BARE, built=AT, seconds=0) == Grace()


def test_who_keeps_building_has_three_at_most():
    most = AT + MOST_GRACES * SECONDS
    known = VpcRecord(grace_began=AT, grace_until=most)
    assert of(BARE, known, built=most - 10) == Grace(AT, most, capped=True)
    assert of(BARE, known) == Grace(AT, most, capped=True)  # the request that comes at its end
    assert of(BARE, replace(known, grace_until=most - 1)).capped is False


def test_a_grace_that_a_version_before_noted_began_one_grace_before_its_end():
    assert of(BARE, VpcRecord(grace_until=AT + 600), built=AT + 60).began == AT


@pytest.mark.parametrize(
    ("there", "known"),
    [
        (BARE, VpcRecord(endpoint_id="vpce-1")),
        (vpc(endpoints=[endpoint(state="deleted")]), NEW),
        (THEIRS, VpcRecord(endpoint_id="vpce-1")),
        (vpc(endpoints=[endpoint(private_dns=False, tags=OURS)]), NEW),
        (vpc(dns_hostnames=False, endpoints=[endpoint(tags=OURS)]), NEW),
    ],
    ids=["had one", "had theirs", "theirs was well", "ours", "ours, and a DNS attribute"],
)
def test_none_where_something_was_well_or_is_ours(there, known):
    assert of(there, known, built=AT) == Grace()


def test_what_somebody_else_made_has_as_long_as_a_vpc():
    assert of(THEIRS).until == AT + 600
    older = endpoint(private_dns=False, created=NOON - timedelta(hours=1))
    assert of(vpc(endpoints=[older])).until == AT - 3_000


def test_what_the_guard_itself_withdrew_leaves_the_builders_their_grace():
    withdrawn = vpc(endpoints=[endpoint(state="deleted", tags=OURS)])
    assert of(withdrawn, built=AT).until == AT + 600
