"""Exceptions cover what they say, for as long as they say, and a wrong file says what is wrong."""

import json
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from detect_bypass.judge.exceptions import (
    FILE_NAME,
    ExceptionsError,
    Exemption,
    load,
    load_from,
    parse,
    parse_added,
)
from guard.approved.added import Added
from guard.cloudtrail.record import parse as parse_record
from tests.damage import json_values
from tests.records import ACCOUNT, FOREIGN_ENDPOINT, OTHER_ACCOUNT, REGION, SECRET, read, role

PUBLISHED = {"name": "n", "owner": "o@example.com", "reason": "r", "expires": "2026-12-31"}


def exemption(**conditions: Any) -> Exemption:
    (one,) = parse({"exceptions": [{**PUBLISHED, **conditions}]})
    return one


USER = f"arn:aws:iam::{ACCOUNT}:user/alice"


@pytest.mark.parametrize(
    ("conditions", "covered", "not_covered"),
    [
        ({"principal": USER}, read(), read(userIdentity=role())),
        ({"principal": "arn:aws:iam::*:user/al?ce"}, read(), read(userIdentity=role())),
        (
            {"principal": f"arn:aws:iam::{ACCOUNT}:role/app"},
            read(userIdentity=role("app")),
            read(userIdentity=role("app2")),
        ),
        ({"cidr": "198.51.100.0/24"}, read(), read(sourceIPAddress="198.51.101.7")),
        ({"cidr": "198.51.100.0/24"}, read(), read(sourceIPAddress="rds.amazonaws.com")),
        ({"cidr": ["2001:db8::/32"]}, read(sourceIPAddress="2001:db8::7"), read()),
        ({"endpoint": FOREIGN_ENDPOINT}, read(vpcEndpointId=FOREIGN_ENDPOINT), read()),
        (
            {"principal": USER, "action": ["List*", "Describe*"]},
            read(eventName="ListSecrets"),
            read(),
        ),
        ({"principal": USER, "account": ACCOUNT}, read(), read(recipientAccountId="0" * 12)),
        ({"principal": USER, "cidr": "198.51.100.7/32"}, read(), read(userIdentity=role())),
        ({"secret": SECRET}, read(), read(requestParameters={"secretId": "prod/db2"})),
        ({"secret": "prod/*"}, read(), read(requestParameters={"secretId": "test/db"})),
        (
            {"secret": "prod/db"},
            read(requestParameters={"secretId": SECRET[:-7]}),
            read(requestParameters=None),
        ),
        (
            {"secret": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:prod/db-??????"},
            read(requestParameters={"secretId": "prod/db"}),
            read(requestParameters={"secretId": "prod/db2"}),
        ),
        (
            {"secret": "prod/*"},
            read(requestParameters={"secretIdList": ["prod/a", "prod/b"]}),
            read(requestParameters={"secretIdList": ["prod/a", "test/b"]}),
        ),
        ({"secret": "prod/*"}, read(), read(requestParameters={"filters": []})),
    ],
)
def test_covers(conditions: dict[str, Any], covered: Any, not_covered: Any):
    one = exemption(**conditions)
    assert one.covers(parse_record(covered))
    assert not one.covers(parse_record(not_covered))


PARTIAL = SECRET.removesuffix("-AbCdEf")
SPELLINGS = ("prod/db", PARTIAL, SECRET)


@pytest.mark.parametrize("written", SPELLINGS)
@pytest.mark.parametrize("excepted", [*SPELLINGS, f"{PARTIAL}-??????", "prod/d?", f"{PARTIAL}*"])
def test_an_exception_covers_the_same_secret_in_each_spelling(excepted: str, written: str):
    one = exemption(secret=excepted)
    assert one.covers(parse_record(read(requestParameters={"secretId": written})))
    named = [{"type": "AWS::SecretsManager::Secret", "ARN": SECRET}]
    assert one.covers(parse_record(read(requestParameters={"secretId": written}, resources=named)))
    batch = {"secretIdList": [written, written]}
    assert one.covers(parse_record(read(requestParameters=batch)))


@pytest.mark.parametrize(
    ("excepted", "written"),
    [
        ("prod/db", "prod/db-backup"),
        ("prod/db", f"{PARTIAL}-backup"),
        ("prod/db", f"{PARTIAL}-202611"),
        ("prod/db", PARTIAL.replace(ACCOUNT, OTHER_ACCOUNT)),
        ("prod/db", SECRET.replace(REGION, "us-east-1")),
        ("prod/db-backup", "prod/db"),
        (f"{PARTIAL}-backup", SECRET),
        (f"{PARTIAL}-AbCdE", "prod/db"),
        (PARTIAL, f"{PARTIAL}-backup-AbCdEf"),
        (SECRET, f"{PARTIAL}-GhIjK1"),
        (SECRET, "prod/db-AbCdEf"),  # a name with that ending is another secret
        (SECRET.replace(ACCOUNT, OTHER_ACCOUNT), "prod/db"),
        (PARTIAL.replace(REGION, "us-east-1"), SECRET),
        (f"{PARTIAL}-??????", f"{PARTIAL}-backup-AbCdEf"),
    ],
)
def test_an_exception_covers_no_other_secret(excepted: str, written: str):
    one = exemption(secret=excepted)
    assert not one.covers(parse_record(read(requestParameters={"secretId": written})))


def test_covers_what_comes_out_of_a_vpc():
    one = exemption(vpc="vpc-0a")
    record = parse_record(read())
    assert one.covers(record, "vpc-0a")
    assert not one.covers(record, "vpc-0b")
    assert not one.covers(record)


@pytest.mark.parametrize(
    ("expires", "last", "first_after"),
    [
        (
            "2026-06-30",
            datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC),
            datetime(2026, 7, 1, tzinfo=UTC),
        ),
        (
            "2026-06-30T12:00:00+02:00",
            datetime(2026, 6, 30, 9, 59, 59, tzinfo=UTC),
            datetime(2026, 6, 30, 10, tzinfo=UTC),
        ),
    ],
)
def test_expires(expires: str, last: datetime, first_after: datetime):
    one = exemption(principal=USER, expires=expires)
    assert one.valid_at(last)
    assert not one.valid_at(first_after)


UNKNOWN = (
    "'principals' is not known; known are name, owner, reason, expires, principal, cidr, vpc, "
    "endpoint, secret, action, account"
)
TOO_WIDE = "at least one of principal, cidr, vpc, endpoint, secret must say what is excepted"
EMPTY = "must be a text that is not empty"
NO_LIST = "must be a text or a list of texts, none of them empty"
NO_DATE = "'expires' must be a date such as 2026-09-30 (its last day, UTC), or a time with zone"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"owner": ...}, f"'owner' {EMPTY}"),
        ({"reason": " "}, f"'reason' {EMPTY}"),
        ({"name": 5}, f"'name' {EMPTY}"),
        ({"name": "n" * 256}, "'name' must have at most 255 characters"),
        ({"expires": ...}, NO_DATE),
        ({"expires": "soon"}, NO_DATE),
        ({"expires": "9999-12-31"}, NO_DATE),
        ({"expires": "2026-06-30T12:00:00"}, NO_DATE),
        (
            {"principals": USER},
            UNKNOWN,
        ),
        (
            {"principal": ...},
            TOO_WIDE,
        ),
        (
            {"principal": ..., "action": "List*", "account": ACCOUNT},
            TOO_WIDE,
        ),
        ({"principal": "*"}, "'principal' must not match everything, as '*' does"),
        ({"vpc": "vpc-0a", "secret": "*:*"}, "'secret' must not match everything, as '*:*' does"),
        ({"endpoint": "?-/*"}, "'endpoint' must not match everything, as '?-/*' does"),
        ({"principal": []}, f"'principal' {NO_LIST}"),
        ({"principal": [USER, ""]}, f"'principal' {NO_LIST}"),
        ({"principal": {"AWS": USER}}, f"'principal' {NO_LIST}"),
        ({"action": " "}, f"'action' {NO_LIST}"),
        ({"cidr": "198.51.100.7/24"}, "'cidr': 198.51.100.7/24 has host bits set"),
        ({"cidr": "198.0.0.0/7"}, "'cidr': 198.0.0.0/7 is too wide, at least /8 is needed"),
        ({"cidr": "office"}, "'cidr': 'office' does not appear to be an IPv4 or IPv6 network"),
        ({"account": "1111"}, "'account' must be 12 digits, not '1111'"),
        ({"account": [ACCOUNT, f"{ACCOUNT}0"]}, f"'account' must be 12 digits, not '{ACCOUNT}0'"),
    ],
)
def test_a_wrong_exception_says_what_is_wrong(change: dict[str, Any], complaint: str):
    entry = {
        key: one
        for key, one in ({**PUBLISHED, "principal": USER} | change).items()
        if one is not ...
    }
    assert mistakes([{**PUBLISHED, "name": "fine", "principal": USER}, entry]) == [
        f"exceptions[1]: {complaint}"
    ]


@pytest.mark.parametrize(
    "change",
    [{"name": "n" * 255}, {"cidr": "11.0.0.0/8"}, {"principal": "*x"}, {"account": [ACCOUNT] * 2}],
)
def test_what_is_just_within_bounds_is_taken(change: dict[str, Any]):
    assert exemption(**{"principal": USER, **change})


def mistakes(entries: object) -> list[str]:
    """The lines of the error about these entries."""
    with pytest.raises(ExceptionsError) as raised:
        parse({"exceptions": entries})
    return str(raised.value).split("\n")


def test_every_mistake_is_published_at_once():
    assert mistakes([{}, 5, {**PUBLISHED, "principal": "*"}]) == [
        f"exceptions[0]: 'name' {EMPTY}",
        f"exceptions[0]: 'owner' {EMPTY}",
        f"exceptions[0]: 'reason' {EMPTY}",
        f"exceptions[0]: {NO_DATE}",
        f"exceptions[0]: {TOO_WIDE}",
        "exceptions[1]: must be an object",
        "exceptions[2]: 'principal' must not match everything, as '*' does",
    ]


@pytest.mark.parametrize("body", [[], None, {}, {"exceptions": {}}, {"exception": []}])
def test_a_file_without_the_list_says_so(body: object):
    with pytest.raises(ExceptionsError) as raised:
        parse(body)
    assert str(raised.value) == 'the file must be an object with a list "exceptions"'


def test_names_are_unique():
    entry = {**PUBLISHED, "principal": USER}
    other, alone = {**entry, "name": "m"}, {**entry, "name": "l"}
    assert mistakes([entry, other, alone, entry, other, entry]) == [
        "two exceptions are named 'm'",
        "two exceptions are named 'n'",
    ]


def test_each_condition_is_one_text_or_a_list():
    one = exemption(
        principal=USER,
        cidr=["198.51.100.0/24", "2001:db8::/32"],
        vpc="vpc-0a",
        endpoint=["vpce-0a", "vpce-0b"],
        secret="prod/*",
        action="List*",
        account=ACCOUNT,
    )
    assert one == Exemption(
        name="n",
        owner="o@example.com",
        reason="r",
        expires=datetime(2027, 1, 1, tzinfo=UTC),
        principal=(USER,),
        cidr=(ip_network("198.51.100.0/24"), ip_network("2001:db8::/32")),
        vpc=("vpc-0a",),
        endpoint=("vpce-0a", "vpce-0b"),
        secret=("prod/*",),
        action=("List*",),
        account=(ACCOUNT,),
    )


WRITTEN = datetime(2026, 6, 1, 12, tzinfo=UTC)


def added(**entry: Any) -> Added:
    """What was written at run time under the name `late`."""
    return Added("late", json.dumps({**PUBLISHED, "principal": USER, **entry}), WRITTEN)


def test_what_was_added_at_run_time_has_the_parameters_name_and_time():
    one = parse_added(added(expires="2026-08-30", name="other"))
    assert (one.name, one.added_at, one.principal) == ("late", WRITTEN, (USER,))


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        (Added("late", "[]", WRITTEN), "it is no JSON object"),
        (Added("late", "{", WRITTEN), "it is no JSON object"),
        (added(owner=""), f"'owner' {EMPTY}"),
        (added(expires="2026-08-31"), "'expires' must be at most 90 days after it was written"),
    ],
)
def test_what_was_added_wrongly_says_what_is_wrong(written: Added, complaint: str):
    with pytest.raises(ExceptionsError) as raised:
        parse_added(written)
    assert str(raised.value) == complaint


def test_a_layer_without_the_file_has_no_exceptions(tmp_path: Path):
    assert load_from(tmp_path) == ()
    (tmp_path / FILE_NAME).write_text(json.dumps({"exceptions": [{**PUBLISHED, "vpc": "vpc-0ä"}]}))
    assert [one.vpc for one in load_from(tmp_path)] == [("vpc-0ä",)]


def test_the_shipped_file_can_be_used():
    shipped = Path(__file__).parents[4] / "layers" / "approved_policies" / FILE_NAME
    assert load(shipped) == ()


def test_load(tmp_path: Path):
    path = tmp_path / "exceptions.json"
    path.write_text(json.dumps({"exceptions": [{**PUBLISHED, "principal": USER}]}))
    assert load(path)[0].principal == (USER,)
    path.write_text('{"exceptions": []}')
    assert load(path) == ()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_load_what_is_not_json(tmp_path: Path, content: bytes):
    path = tmp_path / "exceptions.json"
    path.write_bytes(content)
    with pytest.raises(ExceptionsError, match="not JSON"):
        load(path)


@given(json_values)
def test_any_content_is_refused_or_read(value: Any):
    for body in (value, {"exceptions": value}, {"exceptions": [{**PUBLISHED, "principal": value}]}):
        try:
            exemptions = parse(body)
        except ExceptionsError as error:
            assert str(error)  # noqa: PT017 - some examples do not raise
        else:
            assert all(one.owner for one in exemptions)
