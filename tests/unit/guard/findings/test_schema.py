"""What is published is what docs/finding.schema.json promises to subscribers."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator, ValidationError

from guard.findings.finding import SCHEMA, Finding, Kind, Severity
from guard.publishing.message import message, published_form
from tests.findings import bypass, findings

DOCUMENT = json.loads((Path(__file__).parents[4] / "docs" / "finding.schema.json").read_text())
VALIDATOR = Draft202012Validator(DOCUMENT)


def as_subscribers_get_it(finding: Finding) -> Any:
    return json.loads(json.loads(message(published_form(finding)))["default"])


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(DOCUMENT)


@settings(deadline=None)
@given(findings)
def test_every_finding_validates(finding: Finding) -> None:
    VALIDATOR.validate(as_subscribers_get_it(finding))


@settings(deadline=None)
@given(findings)
def test_every_finding_can_be_read_back(finding: Finding) -> None:
    body = as_subscribers_get_it(finding)
    again = Finding.from_json(body)
    assert (again.kind, again.severity, again.count) == (
        finding.kind,
        finding.severity,
        finding.count,
    )
    assert body["fingerprint"] == finding.fingerprint


def test_kinds_severities_and_version_are_those_of_the_code() -> None:
    properties = DOCUMENT["properties"]
    assert properties["kind"]["enum"] == list(Kind)
    assert properties["severity"]["enum"] == list(Severity)
    assert properties["schema"]["const"] == DOCUMENT["$id"] == SCHEMA


@pytest.mark.parametrize("name", DOCUMENT["required"])
def test_a_finding_without_one_of_its_parts_is_none(name: str) -> None:
    body = as_subscribers_get_it(bypass())
    del body[name]
    with pytest.raises(ValidationError):
        VALIDATOR.validate(body)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "vpce-guard/finding/2"},
        {"kind": "by-pass"},
        {"severity": "critical"},
        {"count": 0},
        {"window": -1},
        {"first_seen": "2026-05-04 12:00"},
        {"fingerprint": "xyz"},
        {"id": ""},
        {"more": 1},
        {"links": {}},
        {"todo": "one"},
    ],
)
def test_what_is_not_as_promised_does_not_validate(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VALIDATOR.validate(as_subscribers_get_it(bypass()) | change)


def test_a_spoiled_identity_has_a_fingerprint_too():
    """As a table's item may hold it: it must not keep others from being read."""
    spoiled = Finding.from_json({**bypass().to_json(), "identity": [["a"], None, {"b": 1}]})
    assert len(spoiled.fingerprint) == 24
