"""Each alert has a command that excepts it; what should not be excepted has none."""

import json
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from detect_bypass.judge import Inventory, Verdict, judge
from detect_bypass.judge.exceptions import parse as parse_exceptions
from detect_bypass.proposal import command_for, name_for, proposed
from guard.cloudtrail.record import UnreadableRecord, from_envelope, parse
from tests.records import ACCOUNT, FOREIGN_ENDPOINT, OTHER_ACCOUNT, ROOT, read, role

EVENTS = sorted((Path(__file__).parents[3] / "events").glob("*.json"))


def judged(record: Any) -> tuple[Any, Any]:
    return record, judge(record, Inventory())


def alerts() -> list[Any]:
    """The events of the repository that are alerts."""
    found: list[Any] = []
    for path in EVENTS:
        try:
            record, judgement = judged(from_envelope(json.loads(path.read_text())))
        except UnreadableRecord:
            continue
        if record.event_source == "secretsmanager.amazonaws.com" and judgement.alert:
            found.append(pytest.param(record, judgement, id=path.stem))
    return found


@pytest.mark.parametrize(("record", "judgement"), alerts())
def test_what_is_proposed_covers_the_alert(record: Any, judgement: Any):
    entry = proposed(record, judgement)
    if record.identity.type == "Root" or not record.identity.arn:
        assert entry == {}
        return
    body = {**entry, "owner": "o", "reason": "r", "expires": "2999-12-31"}
    excepted = judge(record, Inventory(), parse_exceptions({"exceptions": [body]}))
    assert excepted.verdict is Verdict.EXEMPT


def test_nothing_is_proposed_for_root_nor_for_what_cannot_be_judged_or_is_no_alert():
    unclear = read(userIdentity={}, sourceIPAddress=None)
    for record in (read(userIdentity=ROOT), unclear):
        assert proposed(*judged(parse(record))) == {}
    record = parse(read(vpcEndpointId=FOREIGN_ENDPOINT))
    through = judge(record, Inventory(own_endpoints=frozenset({FOREIGN_ENDPOINT})))
    assert proposed(record, through) == {}


def test_it_is_as_narrow_as_the_way_that_the_request_took():
    over_internet = proposed(*judged(parse(read(sourceIPAddress="2001:db8::7"))))
    assert over_internet["cidr"] == "2001:db8::7/128"
    through = proposed(*judged(parse(read(vpcEndpointId=FOREIGN_ENDPOINT))))
    assert (through["endpoint"], "cidr" in through) == (FOREIGN_ENDPOINT, False)
    of_service = proposed(*judged(parse(read(sourceIPAddress="AWS Internal"))))
    assert "cidr" not in of_service


def test_a_caller_of_another_account_has_another_name():
    theirs = json.loads(json.dumps(role("app")).replace(ACCOUNT, OTHER_ACCOUNT))
    records = [parse(read(userIdentity=who)) for who in (role("app"), theirs)]
    names = [proposed(*judged(record))["name"] for record in records]
    assert names == ["role-app", f"role-app-{OTHER_ACCOUNT}"]


@pytest.mark.parametrize("wild", ["*", "app-?"])
def test_a_caller_whose_name_has_a_wildcard_is_not_proposed(wild: str):
    assert proposed(*judged(parse(read(userIdentity=role(wild))))) == {}


def test_the_command_is_one_line_that_a_shell_takes_apart_as_it_was_meant():
    arn = "arn:aws:iam::111122223333:user/o'neil; rm -rf $HOME"
    entry = {"name": name_for(arn), "principal": arn, "cidr": ["203.0.113.9/32", "2001:db8::/64"]}
    command = command_for(entry, datetime(2026, 11, 23, 23, 59, tzinfo=UTC))
    assert shlex.split(command) == [
        *("guardctl", "exceptions", "add", "user-o-neil-rm--rf-HOME", "--principal", arn),
        *("--cidr", "203.0.113.9/32", "--cidr", "2001:db8::/64"),
        *("--expires", "2026-12-23", "--reason", ""),
    ]


@pytest.mark.parametrize("year", [1, 9999])
def test_a_time_that_cannot_be_makes_no_command_fail(year: int):
    command = command_for({"name": "a"}, datetime(year, 12, 31, tzinfo=UTC))
    assert command.startswith("guardctl exceptions add a --expires ")


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:iam::111122223333:role/service-role/a_b.c", "role-service-role-a_b.c"),
        ("arn:aws:iam::111122223333:user/é", "user"),
        ("arn:aws:iam::111122223333:" + "x" * 300, "x" * 100),
        ("arn:aws:iam::111122223333:///", "caller"),
    ],
)
def test_a_name_is_one_that_a_parameter_can_have(arn: str, name: str):
    assert name_for(arn) == name
