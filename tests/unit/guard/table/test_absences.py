"""When the guard itself was away from a VPC."""

from datetime import UTC, datetime, timedelta

import pytest

from guard.table.absences import SETTLES, Absences
from guard.table.items import Items

NOW = datetime(2026, 11, 25, tzinfo=UTC)
AT = int(NOW.timestamp())
MINUTE = timedelta(minutes=1)


@pytest.fixture
def absences(dynamodb) -> Absences:
    return Absences(Items(dynamodb, "state", "111122223333/eu-west-1"))


def test_an_absence_lasts_until_the_endpoint_that_was_made_serves(absences):
    absences.begin("vpc-1", NOW)
    absences.begin("vpc-1", NOW + MINUTE)  # a second try to take it away
    assert AT + 86_400 in absences.of(["vpc-1"], NOW)["vpc-1"]
    absences.end("vpc-1", NOW + 5 * MINUTE)
    absences.end("vpc-1", NOW + 9 * MINUTE)
    assert absences.of(["vpc-1"], NOW) == {"vpc-1": range(AT, AT + 300 + SETTLES + 1)}


def test_an_absence_that_nobody_ends_is_over_in_its_longest_time(absences):
    absences.begin("vpc-1", NOW, timedelta(hours=1))
    assert absences.of(["vpc-1", "vpc-2"], NOW) == {"vpc-1": range(AT, AT + 3_601)}


def test_the_next_absence_begins_anew(absences):
    absences.begin("vpc-1", NOW)
    absences.end("vpc-1", NOW + MINUTE)
    absences.begin("vpc-1", NOW + 60 * MINUTE)
    assert absences.of(["vpc-1"], NOW)["vpc-1"].start == AT + 3_600


def test_what_never_went_does_not_come_back(absences):
    absences.end("vpc-1", NOW)
    assert absences.of(["vpc-1"], NOW) == {}
