"""guardctl doctor against the embedded cloud: each line's two faces, and never a traceback."""

import json

import pytest
from botocore.exceptions import NoCredentialsError, UnauthorizedSSOTokenError
from typer.testing import CliRunner

from emulator.strict import options
from guardctl.__main__ import app
from guardctl.doctor.access import judge_identity, judge_refusal
from guardctl.doctor.lines import State
from guardctl.doctor.quotas import judge_endpoints, judge_room, resources_of
from guardctl.doctor.stacks import judge_bucket, judge_stack
from guardctl.doctor.trail import judge_network, judge_trails
from heartbeat.trails import Seen
from tests.guardctl.doctors import doctor
from tests.template.stack import TEMPLATE, written

OK, WARN, STOP, UNKNOWN = State.OK, State.WARN, State.STOP, State.UNKNOWN


def test_all_is_ok_for_a_deployed_stack(cloud):
    lines = doctor()
    states = {check: line["state"] for check, line in lines.items()}
    assert set(states.values()) == {"ok", "info"}, lines
    assert cloud.account in lines["credentials"]["text"]
    assert "will be updated" in lines["stack"]["text"]
    assert lines["trail"]["text"].endswith("logs management events, reads included")
    assert lines["mode"]["text"].startswith("remediate")
    assert "not checked" in lines["rights to deploy"]["text"]


def test_a_first_deployment_is_created_and_another_guard_is_named(cloud):
    lines = doctor("--stack-name", "second", code=1)
    assert lines["stack"]["text"] == "second is not there yet and will be created"
    assert lines["another guard"]["state"] == "warning"
    assert "vpce-guard guards" in lines["another guard"]["text"]
    assert "17 more needed" in lines["EventBridge rules"]["text"]
    assert "mode" not in lines


def test_only_reads_are_made(cloud):
    doctor("--stack-name", "second", "--parameters", "SlackWebhookParameter=/x", code=1)
    made = {call.action for call in cloud.calls}
    assert made
    assert [one for one in made if not one.startswith(("Get", "Describe", "List"))] == []


def test_people_read_a_line_each_and_commands_are_not_broken(cloud, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    shown = CliRunner().invoke(app, ["doctor", "--parameters", "SlackWebhookParameter=/none"])
    assert shown.exit_code == 1
    lines = shown.stdout.splitlines()
    assert any(line.startswith("ok        credentials: account") for line in lines)
    put = "aws ssm put-parameter --region us-east-1 --type SecureString --name /none --value ..."
    assert f"          -> {put}" in lines


# --- credentials and Region -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("ExpiredToken", "they have expired"),
        ("InvalidClientTokenId", "AWS does not accept them"),
        ("SignatureDoesNotMatch", "AWS does not accept them"),
    ],
)
def test_credentials_that_do_not_work_are_the_only_line(cloud, code, says):
    cloud.fault("sts", "GetCallerIdentity", code, times=20)
    (line,) = doctor(code=1).values()
    assert (line["check"], line["state"]) == ("credentials", "stop")
    assert line["text"].startswith(says)
    assert line["do"]


def test_no_credentials(cloud, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (line,) = doctor(code=1).values()
    assert line["text"].startswith("there are none that work")
    assert "make PROFILE=" in line["do"]


def test_a_region_that_is_not_enabled_is_reported_from_credentials_that_are_not_valid(cloud):
    cloud.fault("sts", "GetCallerIdentity", "InvalidClientTokenId", times=1)
    lines = doctor("--region", "ap-east-1", code=1)
    assert lines["credentials"]["state"] == "ok"
    assert lines["Region"]["state"] == "stop"
    assert "aws account enable-region --region-name ap-east-1" in lines["Region"]["do"]


def test_a_region_that_there_is_not(cloud):
    (line,) = doctor("--region", "xx-west-1", code=1).values()
    assert "no AWS partition has a Region xx-west-1" in line["text"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--profile", "nobody"], "nobody"),
        (["--parameters", "Mode"], "no Key=value pair"),
        (["--parameters", "AlertMail=a@b.c"], "AlertEmail perhaps?"),
    ],
)
def test_bad_usage_exits_with_2(cloud, arguments, says):
    found = CliRunner().invoke(app, ["doctor", *arguments])
    assert found.exit_code == 2
    assert says in found.stderr


def test_no_region_at_all_exits_with_2(cloud, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION")
    found = CliRunner().invoke(app, ["doctor"])
    assert (found.exit_code, "no Region is configured" in found.stderr) == (2, True)
    assert "next: name one: --region eu-west-1, or REGION=eu-west-1 behind make" in found.stderr


def test_identities_and_refusals_in_words():
    assert judge_identity("arn:aws:iam::123456789012:root", "123456789012").state is WARN
    assert judge_identity("arn:aws:iam::123456789012:user/ann", "123456789012").state is OK
    assert "aws sso login" in judge_refusal(UnauthorizedSSOTokenError()).do
    assert judge_refusal(NoCredentialsError()).state is STOP


def test_a_region_without_the_endpoint_service(cloud):
    cloud.fault("ec2", "DescribeVpcEndpointServices", "InvalidServiceName", times=1)
    assert doctor(code=1)["endpoint service"]["state"] == "stop"


# --- what may not be read -------------------------------------------------------------------------


REFUSED = {
    "endpoint service": ("ec2", "DescribeVpcEndpointServices"),
    "network activity events": ("cloudtrail", "DescribeTrails"),
    "stack": ("cloudformation", "DescribeStacks"),
    "Lambda concurrency": ("lambda", "GetAccountSettings"),
    "IAM roles": ("iam", "GetAccountSummary"),
    "EventBridge rules": ("events", "ListRules"),
    "interface endpoints per VPC": ("ec2", "DescribeVpcEndpoints"),
    "SlackWebhookParameter": ("ssm", "GetParameters"),
    "EncryptionKeyArn": ("kms", "DescribeKey"),
    "FunctionSubnets": ("ec2", "DescribeSubnets"),
}


def test_what_may_not_be_read_is_not_known_and_no_failure(cloud):
    for service, action in REFUSED.values():
        cloud.fault(service, action, "AccessDenied", times=50)
    key = f"arn:aws:kms:us-east-1:{cloud.account}:key/0a"
    given = f"SlackWebhookParameter=/x EncryptionKeyArn={key} FunctionSubnets=subnet-00000000"
    lines = doctor("--parameters", given)
    for check, (service, action) in REFUSED.items():
        assert lines[check]["state"] == "not known"
        assert f"missing permission: {service}:{action}" in lines[check]["text"]
    assert lines["trail"]["state"] == "not known"
    assert "CloudTrail in us-east-1 answers AccessDenied" in lines["trail"]["text"]


def test_what_runs_may_not_be_read_either(cloud):
    for service, action in (("sns", "ListSubscriptionsByTopic"), ("ssm", "GetParameters")):
        cloud.fault(service, action, "AccessDenied", times=50)
    lines = doctor()
    for check in ("subscribers of findings", "subscribers of alarms", "mode"):
        assert lines[check]["state"] == "not known"


def test_quotas_that_may_not_be_read(cloud):
    cloud.fault("service-quotas", "GetServiceQuota", "AccessDeniedException", times=50)
    lines = doctor()
    for check in ("EventBridge rules", "interface endpoints per VPC", "security groups"):
        assert "the quota cannot be read" in lines[check]["text"]


# --- the trail ------------------------------------------------------------------------------------


def test_a_trail_that_is_stopped_or_logs_writes_only_is_not_enough(cloud):
    trails = cloud.session("ann").client("cloudtrail")
    selector = {"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}
    trails.put_event_selectors(TrailName="management-events", EventSelectors=[selector])
    line = doctor(code=1)["trail"]
    assert (line["state"], "put-event-selectors" in line["do"]) == ("warning", True)

    trails.delete_trail(Name="management-events")
    assert "create-trail" in doctor(code=1)["trail"]["do"]


def test_a_trail_of_another_home_region_is_asked_there(cloud):
    line = doctor("--region", "eu-west-1")["trail"]
    assert line["state"] == "ok"
    assert "trail/management-events" in line["text"]


def test_trails_are_judged():
    ours, theirs = Seen("t1", reads=True), Seen("t2", reads=None, hindrance="AccessDenied")
    assert judge_trails([theirs, ours]).state is OK
    assert judge_trails([theirs]).state is UNKNOWN
    assert judge_trails([Seen("t3", reads=False, hindrance="it is stopped")]).state is WARN
    assert judge_trails([]).state is WARN


def test_network_activity_events_are_an_option(cloud):
    def selector(source):
        fields = {"eventCategory": ["NetworkActivity"], "eventSource": [source]}
        return {"FieldSelectors": [{"Field": k, "Equals": v} for k, v in fields.items()]}

    def put(source):
        cloud.session("ann").client("cloudtrail").put_event_selectors(
            TrailName="management-events",
            AdvancedEventSelectors=[
                {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]},
                selector(source),
            ],
        )

    assert doctor()["network activity events"]["state"] == "info"
    put("s3.amazonaws.com")
    assert doctor()["network activity events"]["state"] == "info"
    put("secretsmanager.amazonaws.com")
    assert doctor()["network activity events"]["state"] == "ok"
    assert judge_network({"a": None}).state is UNKNOWN


# --- stacks and quotas ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "state", "do"),
    [
        ("CREATE_COMPLETE", OK, ""),
        ("UPDATE_COMPLETE", OK, ""),
        ("UPDATE_ROLLBACK_COMPLETE", OK, ""),
        ("IMPORT_COMPLETE", OK, ""),
        ("REVIEW_IN_PROGRESS", OK, ""),
        ("UPDATE_IN_PROGRESS", STOP, "wait"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", STOP, "wait"),
        ("ROLLBACK_COMPLETE", STOP, "delete-stack --region r --stack-name s"),
        ("CREATE_FAILED", STOP, "delete-stack"),
        ("DELETE_FAILED", STOP, "delete-stack"),
        ("UPDATE_ROLLBACK_FAILED", STOP, "continue-update-rollback --region r --stack-name s"),
    ],
)
def test_the_state_of_the_stack(status, state, do):
    stack = {"StackName": "s", "StackStatus": status, "Description": "VPCE Guard keeps"}
    line = judge_stack(stack, "s", "r")
    assert (line.state, do in line.do) == (state, True)


def test_a_stack_of_somebody_else_with_that_name(cloud):
    body = json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})
    client = cloud.session("ann").client("cloudformation", region_name="eu-west-1")
    client.create_stack(StackName="taken", TemplateBody=body)
    line = doctor("--stack-name", "taken", "--region", "eu-west-1", code=1)["stack"]
    assert (line["state"], "which is no guard" in line["text"]) == ("stop", True)
    client.delete_stack(StackName="taken")


def test_the_bucket_of_sam():
    assert judge_bucket(None, "r").state is OK
    assert judge_bucket({"StackStatus": "CREATE_COMPLETE"}, "r").state is OK
    assert "delete-stack" in judge_bucket({"StackStatus": "ROLLBACK_COMPLETE"}, "r").do


def test_the_limit_of_a_new_account(cloud):
    options.concurrent_executions = 10
    line = doctor(code=1)["Lambda concurrency"]
    assert (line["state"], "L-B99A9384" in line["do"]) == ("warning", True)


def test_rules_that_find_no_room_stop_a_first_deployment_only(cloud):
    options.rules_per_bus = 20
    assert doctor("--stack-name", "second", code=1)["EventBridge rules"]["state"] == "stop"
    assert doctor()["EventBridge rules"]["state"] == "ok"


def test_room_is_judged_to_the_last_place():
    assert judge_room("x", 90, 10, 100).state is OK
    assert judge_room("x", 91, 10, 100).state is STOP
    full, served = {"vpc-1": 50, "vpc-2": 49}, set()
    assert "vpc-1" in judge_endpoints(full, served, 50).text
    assert "vpc-2" not in judge_endpoints(full, served, 50).text
    assert judge_endpoints(full, {"vpc-1"}, 50).state is OK


def test_what_the_stack_makes_is_counted_from_the_template():
    kinds = [one["Type"] for one in written()["Resources"].values()]
    counted = resources_of(TEMPLATE.read_text())
    assert counted["AWS::IAM::Role"] == kinds.count("AWS::IAM::Role") > 0
    assert counted["AWS::Events::Rule"] == kinds.count("AWS::Events::Rule") > 0
