"""Findings on an EventBridge bus: examples/ beside the guard's stack, in the embedded cloud."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from emulator import Cloud
from emulator.add_on import AddOns
from guard.findings.finding import Kind
from tests.records import READ, envelope
from tests.template.stack import ROOT
from tools.messages.examples import examples

EXAMPLES = ROOT / "examples"
BUS = "vpce-guard-findings"
SCHEMA, FINDING = (
    json.loads((ROOT / "docs" / f"{name}.schema.json").read_text()) for name in ("event", "finding")
)
REGISTRY = Registry().with_resource(FINDING["$id"], Resource.from_contents(FINDING))
EVERY_KIND = [examples(ROOT / "docs" / "runbooks")[kind] for kind in Kind]
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, registry=REGISTRY)


@pytest.fixture
def add_ons(cloud: Cloud) -> Iterator[AddOns]:
    """The stacks beside the guard's: first the bus, with its findings."""
    found = AddOns(cloud)
    found.deploy(EXAMPLES / "event-bus.yaml", BUS, FindingsTopic=cloud.outputs["FindingsTopicArn"])
    yield found
    found.remove()


@pytest.fixture
def jira() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server at an address on this machine, and the issues that it was sent."""
    issues: list[dict[str, Any]] = []

    class Issues(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            issues.append({"path": self.path, **json.loads(body)})
            self.send_response(201)
            self.end_headers()

        def log_message(self, *said: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Issues)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", issues
    server.shutdown()
    server.server_close()


def bypass(cloud: Cloud, **fields: Any) -> dict[str, Any]:
    """Somebody reads a secret over the internet. Gives the finding as the topic has it."""
    cloud.inject(envelope({**READ, **fields}))
    cloud.settle()
    return cloud.findings[-1]


def test_each_finding_is_an_event_of_the_published_form(cloud: Cloud, add_ons: AddOns):
    found = bypass(cloud)
    add_ons.settle()
    assert found in [one["detail"] for one in add_ons.events]
    assert len(add_ons.events) == len(cloud.findings) - len(cloud.collected)
    for one in add_ons.events:
        VALIDATOR.validate(one)


def test_nothing_is_left_in_the_queue(cloud: Cloud, add_ons: AddOns):
    bypass(cloud)
    add_ons.settle()
    before = len(add_ons.events)
    add_ons.settle()
    assert len(add_ons.events) == before > 0


@pytest.mark.parametrize(
    "change",
    [{"source": "aws.ec2"}, {"detail": {}}, {"detail-type": "finding"}, {"resources": ["arn"]}],
    ids=str,
)
def test_the_schema_refuses_another_form(cloud: Cloud, add_ons: AddOns, change: dict[str, Any]):
    bypass(cloud)
    add_ons.settle()
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate({**add_ons.events[0], **change})


def test_no_rule_of_the_guard_sees_such_an_event(cloud: Cloud):
    event = {**envelope(READ), "source": "vpce-guard", "detail-type": "VPCE Guard Finding"}
    assert cloud.matching_rules(envelope(READ)) != []
    for body, _ in EVERY_KIND:
        assert cloud.matching_rules({**event, "detail": json.loads(body)}) == []
    # Not even one whose detail is a record that a rule waits for.
    assert cloud.matching_rules(event) == []


def test_a_bus_that_fails_takes_nothing_from_the_topic(cloud: Cloud, add_ons: AddOns):
    stack = add_ons.stacks[BUS]
    cloud.session("admin").client("events").delete_event_bus(Name=BUS)
    assert bypass(cloud)["kind"] == "bypass"
    # What was published waits for the pipe.
    sqs = cloud.session("admin").client("sqs")
    attributes = sqs.get_queue_attributes(
        QueueUrl=stack.resource("FindingsQueue"), AttributeNames=["All"]
    )["Attributes"]
    assert int(attributes["ApproximateNumberOfMessages"]) > 0
    assert int(attributes["MessageRetentionPeriod"]) == 14 * 86400


def test_the_guard_has_no_part_in_it(cloud: Cloud, add_ons: AddOns):
    bypass(cloud)
    assert not [call for call in cloud.calls if call.action in ("PutEvents", "CreatePipe")]


def test_jira_gets_an_issue_for_each_high_finding(
    cloud: Cloud, add_ons: AddOns, jira: tuple[str, list[dict[str, Any]]]
):
    address, issues = jira
    stack = EXAMPLES / "jira.yaml"
    add_ons.deploy(stack, "jira", BusName=BUS, JiraAddress=address, JiraProject="OPS")
    low = bypass(cloud, eventName="ListSecrets", eventID="listed", requestParameters=None)
    high = bypass(cloud, eventID="read", userIdentity={**READ["userIdentity"], "type": "Root"})
    add_ons.settle()
    assert (low["severity"] != "high", high["severity"]) == (True, "high")
    (issue,) = issues
    assert issue["path"] == "/rest/api/2/issue"
    assert issue["fields"] == {
        "project": {"key": "OPS"},
        "issuetype": {"name": "Task"},
        "summary": high["title"],
        "description": high["cause"],
        "labels": ["vpce-guard", "bypass", high["fingerprint"]],
    }


def test_a_workflow_starts_for_each_bypass(cloud: Cloud, add_ons: AddOns):
    add_ons.deploy(EXAMPLES / "step-functions.yaml", "workflow", BusName=BUS)
    found = bypass(cloud)
    add_ons.settle()
    client = cloud.session("admin").client("stepfunctions")
    (machine,) = client.list_state_machines()["stateMachines"]
    arn = machine["stateMachineArn"]
    inputs = [
        json.loads(client.describe_execution(executionArn=one["executionArn"])["input"])
        for one in client.list_executions(stateMachineArn=arn)["executions"]
    ]
    assert [one["detail"] for one in inputs] == [found]


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_cloudformation_takes_each_example(example: Path):
    command = [Path(sys.executable).with_name("cfn-lint"), "--template", example]
    regions = ["--regions", "us-east-1", "eu-west-1", "cn-north-1"]
    done = subprocess.run(
        [*command, *regions, "--config-file", "/dev/null"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
