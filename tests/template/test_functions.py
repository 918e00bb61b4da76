"""The functions: they start with the variables they are given, and log and trace alike."""

import subprocess
import sys

import pytest

from tests.template.stack import ACCOUNT, REGION, ROOT, Stack, written

STACK = Stack()
FUNCTIONS = STACK.of_type("AWS::Lambda::Function")
FILES = {
    "EnsureEndpointFunction": "ensure_endpoint",
    "RestorePolicyFunction": "restore_policy",
    "DetectBypassFunction": "detect_bypass",
    "SweepFunction": "sweep",
    "DigestFunction": "digest",
    "SecretPolicyFunction": "secret_policy",
    "FindMissedFunction": "find_missed",
    "NotifySlackFunction": "notify_slack",
    "HeartbeatFunction": "heartbeat",
    "WatchGuardFunction": "watch_guard",
}


def test_one_function_per_reaction_and_one_room_each():
    assert {name: one["Handler"] for name, one in FUNCTIONS.items()} == {
        name: f"{file}.app.handler" for name, file in FILES.items()
    }
    assert {path.parent.name for path in (ROOT / "functions").glob("*/app.py")} == set(
        FILES.values()
    )


COLD_START = (
    "import importlib, sys; assert callable(importlib.import_module(sys.argv[1] + '.app').handler)"
)


@pytest.mark.parametrize("name", FILES)
def test_a_handler_starts_with_the_variables_of_the_template(name: str):
    """In a process of its own, with what Lambda and the template give it and nothing else."""
    lambdas = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "PYTHONPATH": "functions"}
    variables = {key: str(value) for key, value in variables_of(name).items()}
    done = subprocess.run(
        [sys.executable, "-c", COLD_START, FILES[name]],
        cwd=ROOT,
        env={**lambdas, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", FILES)
def test_every_function_knows_where_it_is(name: str):
    variables = variables_of(name)
    assert variables["POWERTOOLS_SERVICE_NAME"] == FILES[name]
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "VPCEGuard"
    assert (variables["ACCOUNT_ID"], variables["PARTITION"]) == (ACCOUNT, "aws")
    assert variables["TOPIC_ARN"] == "FindingsTopic"
    assert variables["TABLE_NAME"] == "StateTable"
    assert variables["MODE_PARAMETER"] == "ModeParameter"


@pytest.mark.parametrize("name", FILES)
def test_every_function_runs_alike(name: str):
    function = FUNCTIONS[name]
    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["arm64"]
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert function["LoggingConfig"]["LogFormat"] == "JSON"
    assert function["Layers"][0].startswith("DependenciesLayer")


@pytest.mark.parametrize("name", FILES)
def test_logs_are_the_functions_own_and_end(name: str):
    group = FUNCTIONS[name]["LoggingConfig"]["LogGroup"]
    assert group == f"{name}LogGroup"
    retention = STACK.properties(group)["RetentionInDays"]
    assert retention == STACK.parameters["LogRetentionDays"]


def test_what_is_approved_reaches_those_who_ask():
    have = {name for name, one in FUNCTIONS.items() if len(one["Layers"]) > 1}
    packages_alone = {
        "NotifySlackFunction",
        "DigestFunction",
        "FindMissedFunction",
    }
    assert have == set(FILES) - packages_alone - {"HeartbeatFunction", "WatchGuardFunction"}
    assert all(FUNCTIONS[name]["Layers"][1].startswith("ApprovedPoliciesLayer") for name in have)
    assert {name for name in FILES if "APPROVED_POLICY" in variables_of(name)} < have


def variables_of(name: str) -> dict[str, str]:
    return FUNCTIONS[name]["Environment"]["Variables"]


def test_the_default_policy_is_shipped():
    name = STACK.parameters["ApprovedPolicy"]
    assert (ROOT / "layers/approved_policies/endpoint_policies" / f"{name}.json").is_file()


def test_state_is_forgotten_in_time_and_kept_from_accidents():
    table = STACK.properties("StateTable")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_variable_is_a_text(name: str):
    """Lambda takes texts; not everything that deploys a template makes texts of numbers."""
    variables = written()["Resources"][name]["Properties"]["Environment"]["Variables"].values()
    chosen = [
        one for value in variables if isinstance(value, dict) for one in value.get("Fn::If", ())[1:]
    ]
    assert [one for one in (*variables, *chosen) if isinstance(one, int)] == []
