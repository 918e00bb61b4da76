"""A secret's spellings: what is its name, its suffix, its home, and that two secrets stay two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect_bypass.judge.spelling import (
    Parts,
    arn_of,
    name_of_secret,
    own_head,
    parts_of,
    which_secret,
)
from guard.cloudtrail.record import parse
from tests.records import ACCOUNT, REGION, SECRET, read, role

HEAD = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:"
RECORD = parse(read())


@pytest.mark.parametrize(
    ("secret", "head", "name", "suffix"),
    [
        ("prod/db", "", "prod/db", ""),
        ("prod/db-AbCdEf", "", "prod/db-AbCdEf", ""),
        (f"{HEAD}prod/db-AbCdEf", HEAD, "prod/db", "-AbCdEf"),
        (f"{HEAD}prod/db-a1b2c3", HEAD, "prod/db", "-a1b2c3"),
        (f"{HEAD}prod/db", HEAD, "prod/db", ""),
        (f"{HEAD}prod/db-backup", HEAD, "prod/db-backup", ""),  # six small letters: a word
        (f"{HEAD}prod/db-202611", HEAD, "prod/db-202611", ""),  # six digits: a date
        (f"{HEAD}prod/db-AbCdE", HEAD, "prod/db-AbCdE", ""),
        (f"{HEAD}prod/db-AbCdEfG", HEAD, "prod/db-AbCdEfG", ""),
        (f"{HEAD}prod/db-AbCdÉf", HEAD, "prod/db-AbCdÉf", ""),
        (f"{HEAD}prod/db-??????", HEAD, "prod/db", ""),
        (f"{HEAD}-AbCdEf", HEAD, "", "-AbCdEf"),
        (f"{HEAD}a:b-AbCdEf", HEAD, "a:b", "-AbCdEf"),  # a name has no colon, an ARN may lie
        (
            "arn:aws:secretsmanager:eu-west-1:1:secret",
            "",
            "arn:aws:secretsmanager:eu-west-1:1:secret",
            "",
        ),
        ("x:arn:1:2:3:4:5:6", "", "x:arn:1:2:3:4:5:6", ""),
    ],
)
def test_the_parts_of_a_spelling(secret: str, head: str, name: str, suffix: str):
    assert parts_of(secret) == Parts(head, name, suffix)
    assert name_of_secret(secret) == (secret.removeprefix(HEAD) if head else secret)


@pytest.mark.parametrize(
    ("secret", "arn"),
    [
        ("prod/db", f"{HEAD}prod/db-??????"),
        (f"{HEAD}prod/db", f"{HEAD}prod/db-??????"),
        (SECRET, SECRET),
        (SECRET.replace(REGION, "us-east-1"), SECRET.replace(REGION, "us-east-1")),
    ],
)
def test_the_arn_of_a_spelling(secret: str, arn: str):
    assert arn_of(secret, RECORD) == arn


def test_a_name_is_of_the_callers_partition_and_the_records_region_and_account():
    china = role()
    china["arn"] = china["arn"].replace("arn:aws:", "arn:aws-cn:")
    record = parse(read(userIdentity=china, awsRegion="cn-north-1"))
    assert own_head(record) == f"arn:aws-cn:secretsmanager:cn-north-1:{ACCOUNT}:secret:"
    assert own_head(RECORD) == HEAD


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("prod/db", f"{HEAD}prod/db", True),
        ("prod/db", f"{HEAD}prod/db-??????", True),
        ("prod/db", SECRET, False),
        ("prod/db-AbCdEf", SECRET, False),
        ("prod/db", SECRET.replace(ACCOUNT, "0" * 12), False),
        (SECRET, SECRET.replace("AbCdEf", "GhIjK1"), False),
    ],
)
def test_two_secrets_never_share_a_text(one: str, other: str, same: bool):
    assert (which_secret(one, RECORD) == which_secret(other, RECORD)) is same
    assert which_secret(SECRET, RECORD) == f"{HEAD}prod/db -AbCdEf"


@given(st.text("aA1-:/?é", min_size=1, max_size=12))
def test_a_full_arn_loses_nothing(name: str):
    parts = parts_of(f"{HEAD}{name}")
    assert f"{parts.head}{parts.name}{parts.suffix or '-??????'}" in (
        f"{HEAD}{name}",
        f"{HEAD}{name}-??????",
    )
