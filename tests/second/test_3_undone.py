"""A later deployment changes what it should and nothing else, and `sam delete` leaves nothing."""

import pytest
from botocore.exceptions import ClientError

from tests.second.conftest import PARAMETERS, WEBHOOK
from tests.second.ministack import STACK, Second


def variables(second: Second) -> dict[str, str]:
    found = second.client("lambda").get_function_configuration(
        FunctionName=second.resources["DetectBypassFunction"]
    )
    return found["Environment"]["Variables"]


def test_another_parameter_is_deployed_in_place(second: Second):
    ssm, before = second.client("ssm"), dict(second.resources)
    mode = before["ModeParameter"]
    ssm.put_parameter(Name=mode, Value="observe", Overwrite=True)
    second.deploy(**PARAMETERS, LogLevel="ERROR")
    assert second.stack["StackStatus"] == "UPDATE_COMPLETE"
    assert second.resources == before
    assert variables(second)["POWERTOOLS_LOG_LEVEL"] == "ERROR"
    # "What was put in with --overwrite stays over later deployments": the template's own words.
    assert ssm.get_parameter(Name=mode)["Parameter"]["Value"] == "observe"


def test_what_a_parameter_switches_off_goes(second: Second):
    assert "ForeignEndpointRule" in second.resources
    second.deploy(**PARAMETERS, WatchForeignEndpoints="false", ShowDashboard="false")
    gone = {"ForeignEndpointRule", "Dashboard"}
    assert gone & set(second.resources) == set()
    rules = second.client("events").list_rules()["Rules"]
    assert [one["Name"] for one in rules if "ForeignEndpoint" in one["Name"]] == []


def test_deletion_leaves_only_what_is_the_owners(second: Second):
    second.sam("delete", "--no-prompts", "--stack-name", STACK, "--region", second.region)
    with pytest.raises(ClientError, match="does not exist"):
        _ = second.stack
    left = {
        "queues": second.client("sqs").list_queues().get("QueueUrls", []),
        "functions": second.client("lambda").list_functions()["Functions"],
        "rules": second.client("events").list_rules()["Rules"],
        "topics": second.client("sns").list_topics()["Topics"],
        "alarms": second.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "tables": second.client("dynamodb").list_tables()["TableNames"],
        "roles": second.client("iam").list_roles()["Roles"],
        "layers": second.client("lambda").list_layers()["Layers"],
        "parameters": second.client("ssm").describe_parameters()["Parameters"],
    }
    ours = {name: [one for one in found if STACK in str(one)] for name, found in left.items()}
    assert [one["Name"] for one in ours.pop("parameters")] == [WEBHOOK]
    assert {name: found for name, found in ours.items() if found} == {}
