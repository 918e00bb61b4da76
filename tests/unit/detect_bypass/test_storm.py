"""Many of a kind are a few findings, and not one sighting gets lost."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect_bypass.findings import collapse, findings
from detect_bypass.judge import CallerLocation, Inventory, judge
from detect_bypass.storm import ADDRESSES, CALLERS, NEWCOMERS, OFTEN, Storms
from guard.cloudtrail.evidence import principal
from guard.cloudtrail.record import parse
from guard.findings.finding import Finding, Kind
from tests.records import ACCOUNT, ALICE, OWN_ENDPOINT, read, role

NOW = datetime(2026, 6, 1, 10, tzinfo=UTC)
HOUR = 3600
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def published(*records: dict[str, Any]) -> list[Finding]:
    """The findings of a batch, as the function makes them."""
    parsed = [parse(record) for record in records]
    return collapse([f for r in parsed for f in findings(r, judge(r, Inventory()), HOUR)])


def user(number: int, **fields: Any) -> dict[str, Any]:
    arn = f"arn:aws:iam::{ACCOUNT}:user/u{number}"
    return read(userIdentity={**ALICE, "arn": arn, "userName": f"u{number}"}, **fields)


def host(number: int, **fields: Any) -> dict[str, Any]:
    """One of a fleet: the same role, an address and a session of its own."""
    return read(
        userIdentity=role(session=f"i-{number:017x}"),
        sourceIPAddress=f"198.51.100.{number + 1}",
        **fields,
    )


def count(published: list[Finding]) -> int:
    return sum(one.count for one in published)


def test_a_few_callers_are_published_one_by_one():
    some = published(*map(user, range(CALLERS)))
    assert Storms().gather(some, NOW) == some


def test_a_crowd_is_one_finding_that_names_some():
    (finding,) = Storms().gather(published(*map(user, range(50))), NOW)
    assert (finding.kind, finding.count) == (Kind.BYPASS, 50)
    assert finding.resource == f"account {ACCOUNT}"
    assert finding.title == "Many callers bypassed the VPC endpoint"
    assert f"arn:aws:iam::{ACCOUNT}:user/u7" in finding.evidence["principals"]
    assert len(finding.evidence["principals"]) == 20
    assert "user/u0" in finding.cause
    assert "access_key_id" not in finding.evidence  # one caller's, and not the others'


def test_who_comes_often_is_published_by_name_in_the_crowd():
    crowd = published(*map(user, range(50)), *[user(99)] * OFTEN)
    named, gathered = Storms().gather(crowd, NOW)
    assert (named.resource.rpartition("/")[2], named.count) == ("u99", OFTEN)
    assert gathered.count == 50


def test_a_storm_that_goes_on_ends_an_hour_after_its_last_burst():
    """Its end moves with it: else each hour of one storm would begin with callers one by one."""
    storms, minute = Storms(), timedelta(minutes=1)
    storms.gather(published(*map(user, range(50))), NOW)
    storms.gather(published(*map(user, range(100, 150))), NOW + 50 * minute)
    (late,) = storms.gather(published(user(200)), NOW + 90 * minute)
    assert late.title == "Many callers bypassed the VPC endpoint"
    (after,) = storms.gather(published(user(201)), NOW + 160 * minute)
    assert after.resource.endswith("u201")


def test_a_crowd_that_trickles_in_is_one_finding_too():
    storms = Storms()
    trickle = [storms.gather(published(user(n)), NOW) for n in range(50)]
    assert len({one.fingerprint for batch in trickle for one in batch}) == CALLERS + 1
    assert sum(map(count, trickle)) == 50


def test_who_had_a_place_keeps_it_when_the_storm_comes():
    storms = Storms()
    (alone,) = storms.gather(published(user(7)), NOW)
    again = storms.gather(published(*map(user, range(50))), NOW)
    assert [one.fingerprint for one in again if one.count == 1] == [alone.fingerprint]


def test_after_the_window_callers_are_published_one_by_one_again():
    storms = Storms()
    storms.gather(published(*map(user, range(50))), NOW)
    assert [one.count for one in storms.gather(published(user(7)), NOW)] == [1]
    (during,) = storms.gather(published(user(7)), NOW + timedelta(seconds=HOUR - 1))
    assert during.title.startswith("Many callers")
    (after,) = storms.gather(published(user(7)), NOW + timedelta(seconds=HOUR))
    assert after.resource.endswith("user/u7")


def test_a_fleet_is_one_finding_of_its_role():
    few = published(*map(host, range(ADDRESSES)))
    assert len(Storms().gather(few, NOW)) == ADDRESSES
    (finding,) = Storms().gather(published(*map(host, range(60))), NOW)
    assert finding.resource == f"arn:aws:iam::{ACCOUNT}:role/app"
    assert finding.count == 60
    assert "many addresses" in finding.cause
    assert "198.51.100.5" in finding.evidence["addresses"]


def test_other_kinds_and_outcomes_are_gathered_apart():
    crowd = [user(n) for n in range(50)]
    crowd += [user(n, errorCode="AccessDenied") for n in range(50)]
    crowd += [user(n, sessionCredentialFromConsole=True, userAgent=BROWSER) for n in range(50)]
    titles = {one.title for one in Storms().gather(published(*crowd), NOW)}
    assert titles == {
        "Many callers bypassed the VPC endpoint",
        "Blocked: Many callers bypassed the VPC endpoint",
        "Many people used the console",
    }


def test_what_is_not_about_a_requests_way_is_left_alone():
    changes = [user(n, eventName="DeleteResourcePolicy", eventID=str(n)) for n in range(30)]
    through = [{**one, "vpcEndpointId": OWN_ENDPOINT} for one in changes]
    inventory = Inventory(own_endpoints=frozenset({OWN_ENDPOINT}))
    parsed = [parse(one) for one in through]
    some = [f for r in parsed for f in findings(r, judge(r, inventory), HOUR)]
    assert len(some) == 30
    assert Storms().gather(some, NOW) == some


ROOT_USER = {"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT}


def crowd_of_roles(**fields: Any) -> list[dict[str, Any]]:
    return [read(userIdentity=role(f"ci-{n}"), **fields) for n in range(50)]


@pytest.mark.parametrize(
    "graver",
    [
        read(userIdentity=ROOT_USER),
        user(1),  # with a key that never ends
        read(userIdentity=role("ci-3", "i-0aaaaaaaaaaaaaaaa"), sourceIPAddress="192.0.2.66"),
    ],
    ids=["root", "lasting key", "used elsewhere"],
)
def test_a_crowd_hides_nothing_graver(graver: dict[str, Any]):
    place = CallerLocation(via="instance", vpc_id="vpc-0a")
    inventory = Inventory(
        locations={"i-0aaaaaaaaaaaaaaaa": place}, strangers=frozenset({"192.0.2.66"})
    )
    records = [parse(one) for one in [*crowd_of_roles(), graver]]
    made = [f for one in records for f in findings(one, judge(one, inventory), HOUR)]
    gathered = Storms().gather(collapse(made), NOW)
    assert sorted(one.count for one in gathered) == [1, 50]
    (alone,) = (one for one in gathered if one.count == 1)
    assert alone.resource == principal(records[-1])


def test_a_crowd_does_not_count_each_ones_key():
    """Else thousands of keys would be as many messages as a finding remembers words."""
    crowd = [user(n) for n in range(50)]
    for number, one in enumerate(crowd):
        one["userIdentity"]["accessKeyId"] = f"AKIAEXAMPLE{number:09}"
    (finding,) = Storms().gather(published(*crowd), NOW)
    assert not [word for word in finding.novel if word.startswith("key ")]
    (alone,) = Storms().gather(published(*crowd[:1]), NOW)
    assert [word for word in alone.novel if word.startswith("key ")]


def test_a_crowd_of_one_severity_hides_none_of_a_higher_one():
    crowd = [*crowd_of_roles(), *crowd_of_roles(eventName="DescribeSecret")]
    gathered = Storms().gather(published(*crowd), NOW)
    assert sorted(one.severity for one in gathered) == ["high", "low"]


def test_a_fleet_does_not_hide_its_credentials_used_elsewhere():
    place = CallerLocation(via="instance", vpc_id="vpc-0a")
    known = Inventory(locations={f"i-{1:017x}": place}, strangers=frozenset({"192.0.2.66"}))
    away = parse(host(1) | {"sourceIPAddress": "192.0.2.66"})
    fleet = [parse(host(n)) for n in range(30)]
    made = [f for one in [*fleet, away] for f in findings(one, judge(one, known), HOUR)]
    gathered = Storms().gather(collapse(made), NOW)
    assert [one.identity[3] for one in gathered if one.count == 1][-1] == "elsewhere, 192.0.2.66"


def secret(number: int) -> dict[str, Any]:
    return {"requestParameters": {"secretId": f"s-{number}"}}


def test_who_reads_what_a_storm_has_not_read_is_no_part_of_it():
    storms = Storms()
    storms.gather(published(*[user(n, **secret(n % 30)) for n in range(50)]), NOW)
    later = NOW + timedelta(minutes=5)
    routine = published(*[user(n, **secret(n % 30)) for n in range(60, 90)])
    newcomer = published(user(99, **secret(99)))
    gathered = storms.gather([*routine, *newcomer], later)
    assert sorted(one.count for one in gathered) == [1, 30]
    assert newcomer[0] in gathered


def test_a_fleet_does_not_hide_another_secret_of_its_role():
    storms = Storms()
    storms.gather(published(*map(host, range(30))), NOW)
    crown = published(host(40, **secret(1)))
    assert storms.gather([*published(*map(host, range(50, 60))), *crown], NOW)[0] == crown[0]


def test_newcomers_have_a_bound_for_each_window():
    storms = Storms()
    storms.gather(published(*map(user, range(50))), NOW)
    some = published(*[user(n, **secret(n)) for n in range(100, 130)])
    gathered = storms.gather(some, NOW + timedelta(seconds=1))
    assert sorted(one.count for one in gathered) == [1] * NEWCOMERS + [30 - NEWCOMERS]
    soon, after = (NOW + timedelta(seconds=seconds) for seconds in (2, HOUR + 1))
    (still,) = storms.gather(published(user(200, **secret(200))), soon)
    assert still.title.startswith("Many callers")
    storms.gather(published(*map(user, range(300, 350))), after - timedelta(minutes=30))
    (alone,) = storms.gather(published(user(201, **secret(201))), after)
    assert alone.resource.endswith("u201")


def test_a_storm_says_how_many_it_does_not_name():
    (finding,) = Storms().gather(published(*[user(n, **secret(n)) for n in range(130)]), NOW)
    assert "u4 and 125 more" in finding.cause
    assert finding.evidence["not_listed"] == {"secrets": 30, "principals": 110}
    (fleet,) = Storms().gather(published(*map(host, range(60))), NOW)
    assert "and 55 more: either a fleet" in fleet.cause


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=60),
        max_size=4,
    )
)
def test_no_sighting_is_lost(batches: list[list[tuple[int, int]]]):
    storms = Storms()
    for number, batch in enumerate(batches):
        some = published(
            *(user(who, sourceIPAddress=f"198.51.100.{where}") for who, where in batch)
        )
        gathered = storms.gather(some, NOW + timedelta(minutes=30 * number))
        assert count(gathered) == len(batch)
        assert len(gathered) == len({one.fingerprint for one in gathered})
        assert len(gathered) <= CALLERS + 1
