"""Functions in this process: worlds of their own, virtual sleep, timeouts, logs."""

import os
import sys
import time
from pathlib import Path

import boto3
import pytest
from aws_lambda_powertools import Metrics

from emulator import Cloud

TEMPLATE = Path(__file__).with_name("small_stack.yaml")

WORK = """
import json, os, time
import boto3
import extra

client = boto3.client("secretsmanager")
limit = int(os.environ["LIMIT"]) if "LIMIT" in os.environ else 0
extra.started += 1
print("cold")


def handler(event, context):
    what = event["do"]
    print(json.dumps({"said": what}))
    if what == "who":
        return boto3.client("sts").get_caller_identity()["Arn"]
    if what == "list":
        client.list_secrets()
    if what == "sleep":
        left = context.get_remaining_time_in_millis()
        time.sleep(event["seconds"])
        return [left, context.get_remaining_time_in_millis()]
    if what == "count":
        extra.calls += 1
        return [extra.started, extra.calls]
    if what == "environment":
        names = "AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME", "NOTE_QUEUE", "LIMIT"
        return {name: os.environ.get(name) for name in names}
    if what == "raise":
        raise LookupError("nothing here")
    if what == "change":
        event["do"] = "changed"
    if what == "set":
        return {1, 2}
    if what == "exit":
        raise SystemExit(3)
    if what == "powertools":
        from aws_lambda_powertools import Metrics
        metrics = Metrics(namespace="N", service="work")
        metrics.add_metric("Done", "Count", 1)
        metrics.flush_metrics()
    if what == "metric":
        print(json.dumps({
            "_aws": {"Timestamp": 1, "CloudWatchMetrics": [
                {"Namespace": "N", "Dimensions": [["F"]], "Metrics": [{"Name": "Done"}]},
            ]},
            "F": "work", "Done": [1.0, 2.0],
        }))
    return context.invoked_function_arn
"""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    code = root / "functions"
    code.mkdir()
    (code / "work.py").write_text(WORK)
    (code / "extra.py").write_text("started = 0\ncalls = 0\n")
    with Cloud.start(root=root, template=TEMPLATE) as cloud:
        yield cloud


@pytest.fixture
def cloud(deployed):
    deployed.reset()
    return deployed


def run(cloud, what, function="WorkFunction", **more):
    return cloud.invoke(function, {"do": what, **more})


def test_the_handler_gets_event_and_context(cloud):
    made = run(cloud, "arn")
    assert made.result.startswith("arn:aws:lambda:us-east-1:123456789012:function:")
    assert made.error is None


def test_environment_is_as_deployed(cloud):
    before = dict(os.environ)
    made = run(cloud, "environment").result
    assert made["LIMIT"] == "3"
    assert made["NOTE_QUEUE"] == cloud.resource("NoteQueue")
    assert made["AWS_LAMBDA_FUNCTION_NAME"] == cloud.resource("WorkFunction")
    assert dict(os.environ) == before


def test_credentials_are_those_of_the_role(cloud):
    before = boto3.DEFAULT_SESSION
    assert "assumed-role" in run(cloud, "who").result
    run(cloud, "list")
    call = cloud.calls[-1]
    assert (call.function, call.iam_action) == ("WorkFunction", "secretsmanager:ListSecrets")
    who = cloud.records[-1]["userIdentity"]
    assert who["sessionContext"]["sessionIssuer"]["userName"] == cloud.resource("Role")
    assert who["inScopeOf"]["issuerType"] == "AWS::Lambda::Function"
    assert boto3.DEFAULT_SESSION is before


def test_functions_share_no_modules(cloud):
    assert run(cloud, "count").result == [1, 1]
    assert run(cloud, "count").result == [1, 2]
    assert run(cloud, "count", function="AsyncFunction").result == [1, 1]
    assert not {"work", "extra"} & set(sys.modules)


def test_a_function_measures_nothing_that_another_left_behind(cloud):
    """Powertools has one store for the process, and adds to it what is there already."""
    outside = Metrics(namespace="N", service="toy")
    outside.provider.clear_metrics()  # of what other tests left
    outside.add_metric("Left", "Count", 1)
    outside.add_dimension("service", "toy")
    try:
        measured = [one for one in run(cloud, "powertools").logs if "_aws" in one]
        assert [(one["service"], one["Done"], "Left" in one) for one in measured] == [
            ("work", [1.0], False)
        ]
        assert (list(outside.metric_set), outside.dimension_set) == (["Left"], {"service": "toy"})
    finally:
        outside.provider.clear_metrics()


def test_a_killed_function_has_made_its_call_and_does_nothing_more(cloud):
    cloud.fault("secretsmanager", "ListSecrets", "", when="killed", function="WorkFunction")
    run(cloud, "count")
    made = run(cloud, "list")
    assert (made.error_type, made.result) == ("Runtime.ExitError", None)
    assert "signal: killed" in made.error
    assert cloud.calls[-1].action == "ListSecrets"
    assert run(cloud, "count").result == [1, 1]  # a cold start


def test_a_reset_makes_every_function_cold(cloud):
    run(cloud, "count")
    cloud.reset()
    assert run(cloud, "count").result == [1, 1]


def test_sleep_costs_virtual_time_only(cloud):
    began, virtual = time.monotonic(), cloud.clock.now()
    before, after = run(cloud, "sleep", seconds=15).result
    assert time.monotonic() - began < 5
    assert (cloud.clock.now() - virtual).total_seconds() >= 15
    assert 14_900 <= before - after <= 20_000
    assert before <= 20_000


def test_a_function_that_takes_too_long_is_stopped(cloud):
    made = run(cloud, "sleep", seconds=500)
    assert made.error == "Task timed out after 20.00 seconds"
    assert made.error_type == "Sandbox.Timedout"
    assert run(cloud, "count").result == [1, 1]


def test_what_it_raises_is_reported(cloud):
    made = run(cloud, "raise")
    assert (made.error, made.error_type) == ("nothing here", "LookupError")
    assert "in handler" in made.trace


def test_an_exit_is_an_error(cloud):
    assert run(cloud, "exit").error_type == "SystemExit"


def test_a_result_that_is_no_json_is_an_error(cloud):
    assert run(cloud, "set").error_type == "TypeError"


def test_the_event_is_a_copy(cloud):
    event = {"do": "change"}
    made = cloud.invoke("WorkFunction", event)
    assert event == made.event == {"do": "change"}


def test_output_is_kept_and_read(cloud, capsys):
    made = run(cloud, "metric")
    assert "cold" in made.output
    assert {"said": "metric"} in made.logs
    assert made.metrics == {"Done": 3.0}
    assert capsys.readouterr().out == ""


def test_a_module_that_does_not_import_is_an_error_of_the_function(cloud, monkeypatch):
    spec = cloud.deployment.functions["WorkFunction"]
    broken = {**spec.environment, "LIMIT": "many"}
    monkeypatch.setitem(
        cloud.deployment.functions,
        "WorkFunction",
        type(spec)(**{**{n: getattr(spec, n) for n in spec.__slots__}, "environment": broken}),
    )
    assert run(cloud, "count").error_type == "ValueError"
