"""Findings as OCSF: every kind of them is what the published schema calls an event."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from typer.testing import CliRunner, Result

from guard.findings.finding import Finding, Kind, Severity
from guard.publishing.message import published_form
from guardctl.__main__ import app
from guardctl.ocsf import COMPLIANCE, SUMMARIES, VERSION, event_of
from tests.records import ALICE, READ, changed
from tests.template.stack import ROOT
from tools.messages.examples import BYPASS, NOON, RESTORED, examples

EXAMPLES = examples(ROOT / "docs" / "runbooks")
OF_KIND = {kind: json.loads(EXAMPLES[kind][0]) for kind in Kind}


@cache
def validator(class_uid: int, version: str = VERSION) -> jsonschema.Draft202012Validator:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version))
    name = schema.lookup_class_name_from_uid(class_uid)
    return jsonschema.Draft202012Validator(schema.get_class_schema(name, ["cloud"]))


def converted(finding: Finding | dict[str, Any]) -> dict[str, Any]:
    """The event of a finding, which the schema takes."""
    body = published_form(finding) if isinstance(finding, Finding) else finding
    event = event_of(json.loads(json.dumps(body)))
    assert event
    validator(event["class_uid"]).validate(event)
    return event


def test_every_kind_has_its_class():
    assert not SUMMARIES & set(COMPLIANCE)


@pytest.mark.parametrize("kind", sorted(set(Kind) - SUMMARIES))
def test_every_kind_is_an_event_of_the_schema(kind: Kind):
    event = converted(OF_KIND[kind])
    assert event["class_uid"] == (2003 if kind in COMPLIANCE else 2004)
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert event["finding_info"]["types"] == [kind]


@pytest.mark.parametrize("kind", sorted(SUMMARIES))
def test_what_sums_up_others_is_no_event(kind: Kind):
    assert event_of(OF_KIND[kind]) is None


@pytest.mark.parametrize("version", ["1.4.0", "1.5.0", "1.7.0", "1.8.0"])
def test_the_schemas_before_and_after_take_the_same_fields(version: str):
    for finding in (BYPASS, RESTORED):
        event = converted(finding)
        validator(event["class_uid"], version).validate(event)


@pytest.mark.parametrize("field", ["class_uid", "time", "finding_info", "metadata", "cloud"])
def test_the_schema_refuses_an_event_that_lacks_a_field(field: str):
    event = converted(BYPASS)
    with pytest.raises(jsonschema.ValidationError):
        validator(2004).validate({name: value for name, value in event.items() if name != field})


def test_what_a_detection_says():
    event = converted(replace(BYPASS, count=7))
    assert (event["severity_id"], event["severity"], event["count"]) == (4, "High", 7)
    assert event["time"] == int(NOON.timestamp()) * 1000
    assert event["finding_info"]["uid"] == BYPASS.fingerprint
    assert event["cloud"]["account"]["uid"] == BYPASS.account
    assert event["cloud"]["region"] == BYPASS.region
    assert [one["uid"] for one in event["resources"]] == [
        BYPASS.resource,
        *BYPASS.evidence["secrets"],
    ]
    assert {"src_endpoint": {"ip": "198.51.100.7"}} in event["evidences"]
    assert {"actor": {"user": {"uid": BYPASS.evidence["principal"]}}} in event["evidences"]
    assert event["remediation"]["desc"].startswith("Find out where")
    assert event["is_alert"]


def test_what_a_compliance_finding_says():
    event = converted(RESTORED)
    assert (event["compliance"]["status_id"], event["status_id"]) == (1, 4)
    event = converted(replace(RESTORED, kind=Kind.POLICY_DRIFT))
    assert (event["compliance"]["status_id"], event["status_id"]) == (3, 1)
    assert event["compliance"]["control"] == "policy-drift"


def test_severities_that_wait_for_the_digest_are_no_alerts():
    ranks = {one: converted(replace(BYPASS, severity=one)) for one in Severity}
    assert [ranks[one]["severity_id"] for one in Severity] == [1, 2, 3, 4]
    assert [ranks[one]["is_alert"] for one in Severity] == [False, False, True, True]


@pytest.mark.parametrize(
    "odd",
    [
        {"account": "", "region": ""},
        {"evidence": {}},
        {"evidence": {"addresses": ["ecs.amazonaws.com"], "secrets": "no list", "actions": [3]}},
        {"todo": (), "links": {}},
        {"resource": ""},
    ],
    ids=str,
)
def test_a_finding_that_knows_little_is_an_event_too(odd: dict[str, Any]):
    converted(replace(BYPASS, **odd))


def test_what_is_not_known_and_what_is_no_address_is_left_out():
    event = converted(replace(BYPASS, account="", links={"Secret": "https://a.b/c"}))
    assert event["cloud"] == {"provider": "AWS", "region": BYPASS.region}
    # The runbook is a path in the repository here.
    assert event["remediation"]["references"] == ["https://a.b/c"]


def run(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(app, [*arguments], input=text)


def events(result: Result) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in result.stdout.splitlines()]
    for one in found:
        validator(one["class_uid"]).validate(one)
    return found


def test_replay_prints_one_event_for_each_finding(tmp_path: Path):
    log = tmp_path / "log.json"
    records = [READ, changed(READ, eventID="another"), changed(READ, userIdentity=ALICE)]
    log.write_text(json.dumps({"Records": records}))
    (form, usual) = (run("replay", str(log), "--format", one) for one in ("ocsf", "json"))
    assert form.exit_code == usual.exit_code == 1
    findings = {one["fingerprint"]: one for one in json.loads(usual.stdout)["findings"]}
    found = {one["finding_info"]["uid"]: one for one in events(form)}
    assert set(found) == set(findings)
    assert {uid: one["count"] for uid, one in found.items()} == {
        uid: one["occurrences"] for uid, one in findings.items()
    }


def test_replay_of_nothing_prints_nothing(tmp_path: Path):
    (tmp_path / "log.json").write_text('{"Records": []}')
    found = run("replay", str(tmp_path / "log.json"), "--format", "ocsf")
    assert (found.exit_code, found.stdout) == (0, "")


def test_groups_are_no_findings(tmp_path: Path):
    found = run("replay", "--groups", str(tmp_path), "--format", "ocsf")
    assert found.exit_code == 2


def test_findings_are_converted_out_of_every_envelope(tmp_path: Path):
    body = published_form(BYPASS)
    sns = {"Type": "Notification", "Message": json.dumps(body)}
    digest = OF_KIND["digest"]
    forms = [body, sns, {"Body": json.dumps(sns)}, {"detail-type": "x", "detail": body}, digest]
    (tmp_path / "findings.jsonl").write_text("\n".join(map(json.dumps, forms)) + "\n\n")
    found = run("ocsf", str(tmp_path / "findings.jsonl"))
    assert found.exit_code == 0, found.output
    assert events(found) == [converted(BYPASS)] * 4


def test_lines_that_are_no_findings_are_said_and_the_others_converted():
    lines = [json.dumps(published_form(BYPASS)), "{}", "no JSON", "[]", '{"detail": 3}']
    found = run("ocsf", "-", text="\n".join(lines))
    assert (found.exit_code, len(events(found))) == (2, 1)
    assert [line.split(" ")[0] for line in found.stderr.splitlines()] == [
        f"-:{number}:" for number in (2, 3, 4, 5)
    ]


def test_a_file_that_is_not_there_is_bad_input():
    found = run("ocsf", "/none")
    assert (found.exit_code, "cannot read /none" in found.stderr) == (2, True)
