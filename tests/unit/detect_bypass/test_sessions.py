"""A console session that is used from another address than its first page says so."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from detect_bypass.judge import Inventory, judge
from detect_bypass.sessions import REMEMBERED, Sessions
from guard.cloudtrail.record import Record, parse
from guard.table.items import Items
from tests.records import ACCOUNT, read, role

NOW = datetime(2026, 6, 1, 10, tzinfo=UTC)
HOME, ELSEWHERE = "198.51.100.7", "203.0.113.99"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def used(address: str, agent: str = "aws-cli/2.31.0", **fields: Any) -> Record:
    fields.setdefault("userIdentity", role("sso", session="jo"))
    fields.setdefault("eventID", f"{address} {agent[:3]}")
    mark = {"sessionCredentialFromConsole": "true", "sourceIPAddress": address}
    return parse(read(userAgent=agent, **mark, **fields))


def page(address: str, **fields: Any) -> Record:
    return used(address, BROWSER, **fields)


@pytest.fixture
def sessions(dynamodb: Any) -> Sessions:
    return Sessions(Items(dynamodb, "state", ""))


def cause(record: Record, addresses: dict[str, str]) -> str:
    known = Inventory(accounts=frozenset({ACCOUNT}), signed_in_from=addresses)
    return judge(record, known).cause


def test_a_client_elsewhere_is_published_with_the_address_of_the_console(sessions: Sessions):
    assert sessions.addresses([page(HOME)], NOW) == {"198.51.100.7 Moz": HOME}
    client = used(ELSEWHERE)
    found = sessions.addresses([client], NOW)
    assert f"was first in the console at {HOME}." in cause(client, found)
    assert "first in the console" not in cause(used(HOME), sessions.addresses([used(HOME)], NOW))


def test_another_process_knows_it_too(sessions: Sessions):
    sessions.addresses([page(HOME)], NOW)
    other = Sessions(sessions.items)
    assert list(other.addresses([used(ELSEWHERE)], NOW).values()) == [HOME]


def test_in_one_batch_the_page_counts_whatever_the_order(sessions: Sessions):
    found = sessions.addresses([used(ELSEWHERE), page(HOME)], NOW)
    assert set(found.values()) == {HOME}


def test_a_browser_that_moves_is_published_as_well(sessions: Sessions):
    sessions.addresses([page(HOME)], NOW)
    moved = page(ELSEWHERE)
    known = Inventory(
        accounts=frozenset({ACCOUNT}), signed_in_from=sessions.addresses([moved], NOW)
    )
    judgement = judge(moved, known)
    assert (judgement.verdict, judgement.severity) == ("console", "low")
    assert judgement.todo == (
        f"Ask the person whether {HOME} and {ELSEWHERE} are theirs; if not, revoke the sessions.",
    )
    assert judgement.reason != judge(moved, Inventory(accounts=frozenset({ACCOUNT}))).reason


def test_a_client_alone_is_not_taken_for_the_console(sessions: Sessions):
    assert sessions.addresses([used(ELSEWHERE)], NOW) == {}
    assert sessions.addresses([page(HOME)], NOW + timedelta(minutes=1)) == {
        "198.51.100.7 Moz": HOME
    }


@pytest.mark.parametrize(
    "other",
    [
        {"userIdentity": role("sso", session="ann")},
        {"userIdentity": {**role("sso", session="jo"), "sessionContext": {}}},
    ],
)
def test_another_session_or_one_without_a_beginning_is_not_mixed_in(sessions: Sessions, other: Any):
    sessions.addresses([page(HOME)], NOW)
    assert sessions.addresses([used(ELSEWHERE, **other)], NOW) == {}


def test_without_the_mark_nothing_is_asked(sessions: Sessions):
    broken = Sessions(Items(None, "state", ""))  # pyright: ignore[reportArgumentType]
    assert broken.addresses([parse(read(userIdentity=role()))], NOW) == {}


def test_a_session_costs_one_call(sessions: Sessions):
    made: list[str] = []
    sessions.items.client.meta.events.register(
        "before-call.dynamodb.UpdateItem", lambda **_: made.append("UpdateItem")
    )
    for number in range(50):
        sessions.addresses([page(HOME, eventID=f"{number}"), used(ELSEWHERE)], NOW)
    assert len(made) == 1


def test_the_process_forgets_before_it_holds_too_many(sessions: Sessions):
    for number in range(REMEMBERED):
        sessions._known[f"session#{number}"] = HOME
    sessions.addresses([page(HOME)], NOW)
    assert len(sessions._known) == 1
