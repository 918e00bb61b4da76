"""Approved policies: found by name, filled in, refused when anything is left open."""

import json
from pathlib import Path

import pytest

from guard.approved import policies as approved
from guard.approved.policies import ApprovedPolicyError, Placeholders, fill, load, names
from guard.policy import MAX_CHARACTERS, parse

SHIPPED = Path(__file__).parents[4] / "layers" / "approved_policies" / "endpoint_policies"
VALUES = Placeholders(
    account_id="123456789012", region="eu-central-1", partition="aws", org_id="o-abcdefghij"
)
WITHOUT_ORGANIZATION = Placeholders(
    account_id="123456789012", region="eu-central-1", partition="aws"
)


def source(value: str = "x", **elements: object) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "secretsmanager:*",
        "Resource": "*",
        "Condition": {"StringLike": {"aws:PrincipalTag/team": value}},
    } | elements
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)


def value_of(policy: approved.ApprovedPolicy) -> str:
    (condition,) = policy.policy.statements[0].conditions
    (value,) = condition.values
    return value


def test_the_shipped_policies():
    assert names(SHIPPED) == ("one-account", "one-secret", "own-account", "own-organization")


@pytest.mark.parametrize("name", ["one-account", "one-secret", "own-account", "own-organization"])
def test_a_shipped_policy_is_filled_in_and_short(name: str):
    policy = load(name, SHIPPED, VALUES)
    assert policy.name == name
    assert "${" not in policy.text
    assert "\n" not in policy.text
    assert ": " not in policy.text
    assert parse(policy.text) == policy.policy
    assert "123456789012" in policy.text or "o-abcdefghij" in policy.text


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("us-east-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-isob-east-1", "aws-iso-b"),
        ("ap-southeast-7", "aws"),
    ],
)
def test_one_secret_is_of_the_partition_and_region(region: str, partition: str):
    values = Placeholders(account_id="000000000001", region=region, partition=partition)
    (statement,) = load("one-secret", SHIPPED, values).policy.statements
    arn = f"arn:{partition}:secretsmanager:{region}:000000000001:secret:example-??????"
    assert statement.resources.values == {arn}


def test_one_account_is_the_account_in_any_spelling():
    (statement,) = load("one-account", SHIPPED, VALUES).policy.statements
    assert statement.principals.values == {"AWS:123456789012"}


def test_own_organization_needs_an_organization():
    with pytest.raises(ApprovedPolicyError, match=r"own-organization: \$\{OrgId\} has no value"):
        load("own-organization", SHIPPED, WITHOUT_ORGANIZATION)


@pytest.mark.parametrize("name", ["own-account", "one-account", "one-secret"])
def test_the_others_need_none(name: str):
    assert load(name, SHIPPED, WITHOUT_ORGANIZATION) == load(name, SHIPPED, VALUES)


@pytest.mark.parametrize("name", ["own", "Own-Account", "", "../own-account", "own-account.json"])
def test_an_unknown_name_is_refused_with_those_there_are(name: str):
    with pytest.raises(ApprovedPolicyError) as error:
        load(name, SHIPPED, VALUES)
    assert repr(name) in str(error.value)
    assert "one-account, one-secret, own-account, own-organization" in str(error.value)


def test_a_name_never_leads_out_of_the_folder(tmp_path: Path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "outside.json").write_text(source())
    with pytest.raises(ApprovedPolicyError, match="there are: none"):
        load("../outside", tmp_path / "inner", VALUES)


def test_a_name_of_the_wrong_form_is_refused_even_if_the_file_is_there(tmp_path: Path):
    (tmp_path / "My Policy.json").write_text(source())
    with pytest.raises(ApprovedPolicyError, match="My Policy"):
        load("My Policy", tmp_path, VALUES)


def test_a_folder_that_is_not_there_has_no_policies(tmp_path: Path):
    with pytest.raises(ApprovedPolicyError, match="there are: none"):
        load("own-account", tmp_path / "absent", VALUES)


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("${AccountId}", "123456789012"),
        ("${Region}", "eu-central-1"),
        ("${Partition}", "aws"),
        ("${OrgId}", "o-abcdefghij"),
        ("a${Region}b${Region}c", "aeu-central-1beu-central-1c"),
        ("$AccountId", "$AccountId"),
        # IAM's own variables and escapes stay as they are (their names have no case).
        ("${aws:username}", "${aws:username}"),
        ("${aws:PrincipalTag/team}", "${aws:principaltag/team}"),
        ("${aws:PrincipalTag/team, 'all'}", "${aws:principaltag/team, 'all'}"),
        ("${saml:sub}-${AccountId}", "${saml:sub}-123456789012"),
        ("${*}${?}${$}", "${*}${?}${$}"),
    ],
)
def test_placeholders_are_filled_in_and_policy_variables_are_not(written: str, filled: str):
    assert value_of(fill("test", source(written), VALUES)) == filled


def test_a_placeholder_written_with_json_escapes_is_one():
    text = source("x").replace('"x"', '"\\u0024{Account\\u0049d}"')
    assert value_of(fill("test", text, VALUES)) == "123456789012"


@pytest.mark.parametrize("place", ["Principal", "Action", "Resource"])
def test_placeholders_are_found_in_every_element(place: str):
    text = source(**{place: "arn:${Nowhere}"})
    with pytest.raises(ApprovedPolicyError, match=r"unknown placeholder \$\{Nowhere\}"):
        fill("test", text, VALUES)


def test_placeholders_are_found_in_keys():
    text = source(Condition={"StringEquals": {"aws:PrincipalTag/${AccountId}": "x"}})
    (condition,) = fill("test", text, VALUES).policy.statements[0].conditions
    assert condition.key == "aws:principaltag/123456789012"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("${AccountID}", r"unknown placeholder \$\{AccountID\}; known are \$\{AccountId\}, "),
        ("${accountid}", "unknown placeholder"),
        ("${ AccountId }", "unknown placeholder"),
        ("${}", "unknown placeholder"),
        ("${AWS::AccountId", "not closed"),
        ("${AccountId", "not closed"),
        ("${${AccountId}}", "not closed"),
        ("${Account{Id}", "not closed"),
    ],
)
def test_what_is_no_placeholder_is_refused(written: str, message: str):
    with pytest.raises(ApprovedPolicyError, match=f"approved policy test: .*{message}"):
        fill("test", source(written), VALUES)


def test_a_brace_of_the_next_string_closes_nothing():
    text = source(Condition={"StringEquals": {"a:b": ["${aws:x", "y}"]}})
    with pytest.raises(ApprovedPolicyError, match="not closed"):
        fill("test", text, VALUES)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account_id", ""),
        ("account_id", "12345678901"),
        ("account_id", "1234567890123"),
        ("account_id", '123456789012","x":"'),
        ("account_id", "\u0661" * 12),
        ("region", ""),
        ("region", "eu-central"),
        ("region", "*"),
        ("partition", ""),
        ("partition", "amazon"),
        ("partition", "aws\n"),
        ("org_id", "o-short"),
        ("org_id", "r-abcdefghij"),
        ("org_id", "*"),
    ],
)
def test_a_value_of_the_wrong_shape_is_refused(field: str, value: str):
    fields = {"account_id": "123456789012", "region": "eu-west-1", "partition": "aws"}
    with pytest.raises(ApprovedPolicyError, match="cannot be filled in"):
        Placeholders(**fields | {field: value})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1, column 2"),
        ('{"Statement": []}', "Statement: this list is empty"),
        ('{"Id": "a", "Id": "b"}', "Id: this key is given twice"),
        (source(Principal=None), r"Statement\[0\].Principal"),
    ],
)
def test_a_broken_document_is_refused_with_its_place(text: str, message: str):
    with pytest.raises(ApprovedPolicyError, match=f"approved policy test: {message}"):
        fill("test", text, VALUES)


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path):
    (tmp_path / "latin.json").write_bytes(source("caf\u00e9").encode("utf-8") + b"\xe9")
    with pytest.raises(ApprovedPolicyError, match="latin: this is not UTF-8"):
        load("latin", tmp_path, VALUES)


def test_the_size_that_counts_is_without_white_space():
    room = MAX_CHARACTERS - len(fill("test", source(""), VALUES).text)
    assert len(fill("test", source("x" * room) + " " * 9_000, VALUES).text) == MAX_CHARACTERS
    with pytest.raises(ApprovedPolicyError, match=r"20,481 characters without white space"):
        fill("test", source("x" * (room + 1)), VALUES)


def test_the_size_that_counts_is_after_filling_in():
    room = MAX_CHARACTERS - len(fill("test", source("${OrgId}"), VALUES).text)
    assert fill("test", source("${OrgId}" + "x" * room), VALUES)
    longer = Placeholders(
        account_id="123456789012", region="eu-west-1", partition="aws", org_id="o-" + "a" * 32
    )
    with pytest.raises(ApprovedPolicyError, match="20,502 characters"):
        fill("test", source("${OrgId}" + "x" * room), longer)


def test_text_of_any_alphabet_is_kept():
    assert "gehälter" in fill("test", source("gehälter*"), VALUES).text
