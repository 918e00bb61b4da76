"""Exceptions cover what they say, for as long as they say, and a wrong file says what is wrong."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from detect_bypass.judge.exceptions import FILE_NAME, ExceptionsError, Exemption, load, parse
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


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"owner": ...}, "'owner'"),
        ({"reason": " "}, "'reason'"),
        ({"name": 5}, "'name'"),
        ({"name": "n" * 256}, "'name' must have at most 255 characters"),
        ({"expires": ...}, "'expires'"),
        ({"expires": "soon"}, "'expires'"),
        ({"expires": "9999-12-31"}, "'expires'"),
        ({"expires": "2026-06-30T12:00:00"}, "'expires'"),
        ({"principals": USER}, "'principals' is not known"),
        ({"principal": ...}, "at least one of"),
        ({"principal": "*"}, "match everything"),
        ({"principal": "*:*"}, "match everything"),
        ({"principal": []}, "'principal' must be a text or a list"),
        ({"principal": [USER, ""]}, "'principal' must be a text or a list"),
        ({"principal": {"AWS": USER}}, "'principal' must be a text or a list"),
        ({"cidr": "198.51.100.7/24"}, "has host bits set"),
        ({"cidr": "0.0.0.0/0"}, "too wide"),
        ({"cidr": "office"}, "'cidr'"),
        ({"account": "1111"}, "12 digits"),
    ],
)
def test_a_wrong_exception_says_what_is_wrong(change: dict[str, Any], complaint: str):
    entry = {
        key: one
        for key, one in ({**PUBLISHED, "principal": USER} | change).items()
        if one is not ...
    }
    with pytest.raises(ExceptionsError, match=r"exceptions\[1\]") as raised:
        parse({"exceptions": [{**PUBLISHED, "name": "fine", "principal": USER}, entry]})
    assert complaint in str(raised.value)


def test_every_mistake_is_published_at_once():
    with pytest.raises(ExceptionsError) as raised:
        parse({"exceptions": [{}, {**PUBLISHED, "principal": "*"}]})
    assert len(str(raised.value).splitlines()) == 6


def test_names_are_unique():
    entry = {**PUBLISHED, "principal": USER}
    with pytest.raises(ExceptionsError, match="two exceptions are named 'n'"):
        parse({"exceptions": [entry, entry]})


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
