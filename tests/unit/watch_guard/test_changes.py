"""Which calls are about the guard, and which of them are no deployment."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from guard.cloudtrail.record import Identity, Record
from tests.builders import SETTINGS
from watch_guard.changes import Deployers, Part, changed_parts, may_be_ours, owner_parts
from watch_guard.findings import guard_changed, guard_deployed

ACCOUNT = "eu-west-1:111122223333"
STACK = f"arn:aws:cloudformation:{ACCOUNT}:stack/vpce-guard/0aa11bb2-3c4d"
TOPIC = f"arn:aws:sns:{ACCOUNT}:vpce-guard-FindingsTopic-1A"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/vpce-guard-DetectionQueue-1B"
KEY = "0f0e0d0c-0b0a-4009-8008-070605040302"
TABLE, TABLES = "vpce-guard-StateTable-1G", f"arn:aws:dynamodb:{ACCOUNT}:table"
GROUP = "vpce-guard-SweepFunctionLogGroup-1I"
POLICIES = "arn:aws:iam::111122223333:policy"
PARTS = [
    Part("BypassRule", "AWS::Events::Rule", "vpce-guard-BypassRule-1C"),
    Part("DetectBypassFunction", "AWS::Lambda::Function", "vpce-guard-DetectBypassFunction-1D"),
    Part(
        "DetectMapping", "AWS::Lambda::EventSourceMapping", "0c0c0c0c-1111-4111-8111-111111111111"
    ),
    Part("DetectBypassRole", "AWS::IAM::Role", "vpce-guard-DetectBypassRole-1E"),
    Part("ModeParameter", "AWS::SSM::Parameter", "CFN-ModeParameter-1F"),
    Part("DetectionQueue", "AWS::SQS::Queue", QUEUE),
    Part("FindingsTopic", "AWS::SNS::Topic", TOPIC),
    Part("NotifySubscription", "AWS::SNS::Subscription", f"{TOPIC}:22222222-2222"),
    Part("StateTable", "AWS::DynamoDB::Table", TABLE),
    Part("HeartbeatAlarm", "AWS::CloudWatch::Alarm", "vpce-guard-HeartbeatAlarm-1H"),
    Part("SweepFunctionLogGroup", "AWS::Logs::LogGroup", GROUP),
    Part("UseKeyPolicy", "AWS::IAM::ManagedPolicy", f"{POLICIES}/vpce-guard-UseKeyPolicy-1J"),
    *owner_parts(
        {
            "SLACK_WEBHOOK_PARAMETER": "/vpce-guard/slack-webhook",
            "ENCRYPTION_KEY_ARN": f"arn:aws:kms:{ACCOUNT}:key/{KEY}",
            "PERMISSIONS_BOUNDARY_ARN": f"{POLICIES}/org/boundary",
        }
    ),
]
MALLORY = Identity(type="IAMUser", arn="arn:aws:iam::111122223333:user/mallory")
FUNCTION_ARN = f"arn:aws:lambda:{ACCOUNT}:function:vpce-guard-DetectBypassFunction-1D"


def call(source: str, name: str, /, **request: Any) -> Record:
    return Record(
        event_id="e-1",
        event_name=name,
        event_source=f"{source}.amazonaws.com",
        event_time=datetime(2026, 9, 14, 9, 30, tzinfo=UTC),
        identity=MALLORY,
        request=request,
    )


@pytest.mark.parametrize(
    ("record", "part"),
    [
        (call("events", "DisableRule", name="vpce-guard-BypassRule-1C"), "BypassRule"),
        (call("events", "EnableRule", name="vpce-guard-BypassRule-1C"), "BypassRule"),
        (call("events", "PutTargets", rule="vpce-guard-BypassRule-1C", targets=[]), "BypassRule"),
        (
            call(
                "lambda",
                "UpdateFunctionCode20150331v2",
                functionName="vpce-guard-DetectBypassFunction-1D",
            ),
            "DetectBypassFunction",
        ),
        (
            call("lambda", "DeleteFunction20150331", functionName=FUNCTION_ARN),
            "DetectBypassFunction",
        ),
        (
            call("lambda", "PutFunctionConcurrency20171031", functionName=f"{FUNCTION_ARN}:live"),
            "DetectBypassFunction",
        ),
        (
            call(
                "lambda",
                "DeleteEventSourceMapping20150331",
                uUID="0c0c0c0c-1111-4111-8111-111111111111",
            ),
            "DetectMapping",
        ),
        (
            call("iam", "PutRolePolicy", roleName="vpce-guard-DetectBypassRole-1E", policyName="x"),
            "DetectBypassRole",
        ),
        (call("ssm", "PutParameter", name="CFN-ModeParameter-1F"), "ModeParameter"),
        (call("ssm", "DeleteParameters", names=["other", "CFN-ModeParameter-1F"]), "ModeParameter"),
        (call("sqs", "PurgeQueue", queueUrl=QUEUE), "DetectionQueue"),
        (call("sns", "SetTopicAttributes", topicArn=TOPIC), "FindingsTopic"),
        (call("sns", "Unsubscribe", subscriptionArn=f"{TOPIC}:33333333-3333"), "FindingsTopic"),
        (call("dynamodb", "DeleteTable", tableName="vpce-guard-StateTable-1G"), "StateTable"),
        (
            call("monitoring", "DeleteAlarms", alarmNames=["x", "vpce-guard-HeartbeatAlarm-1H"]),
            "HeartbeatAlarm",
        ),
        (
            call("logs", "DeleteLogGroup", logGroupName="vpce-guard-SweepFunctionLogGroup-1I"),
            "SweepFunctionLogGroup",
        ),
        (call("kms", "DisableKey", keyId=f"arn:aws:kms:{ACCOUNT}:key/{KEY}"), "EncryptionKeyArn"),
        (call("kms", "PutKeyPolicy", keyId=KEY, policyName="default"), "EncryptionKeyArn"),
        (call("kms", "CreateGrant", keyId=KEY, operations=["Decrypt"]), "EncryptionKeyArn"),
        (call("ssm", "PutParameter", name="/vpce-guard/slack-webhook"), "SlackWebhookParameter"),
        (
            call("ssm", "DeleteParameters", names=["/vpce-guard/slack-webhook"]),
            "SlackWebhookParameter",
        ),
        (
            call(
                "ssm",
                "PutResourcePolicy",
                resourceArn=f"arn:aws:ssm:{ACCOUNT}:parameter/vpce-guard/slack-webhook",
            ),
            "SlackWebhookParameter",
        ),
        (
            call("iam", "CreatePolicyVersion", policyArn=f"{POLICIES}/org/boundary"),
            "PermissionsBoundaryArn",
        ),
        (
            call("iam", "DeletePolicy", policyArn=f"{POLICIES}/vpce-guard-UseKeyPolicy-1J"),
            "UseKeyPolicy",
        ),
        (
            call(
                "lambda",
                "PutFunctionCodeSigningConfig20200422",
                functionName=FUNCTION_ARN,
                codeSigningConfigArn=f"arn:aws:lambda:{ACCOUNT}:code-signing-config:csc-0a1b2c",
            ),
            "DetectBypassFunction",
        ),
        (
            call(
                "lambda",
                "CreateEventSourceMapping20150331",
                functionName="theirs",
                eventSourceArn=f"arn:aws:sqs:{ACCOUNT}:vpce-guard-DetectionQueue-1B",
            ),
            "DetectionQueue",
        ),
        (
            call("lambda", "PutResourcePolicy", resourceArn=f"{FUNCTION_ARN}:live"),
            "DetectBypassFunction",
        ),
        (
            call(
                "sqs",
                "StartMessageMoveTask",
                sourceArn=f"arn:aws:sqs:{ACCOUNT}:vpce-guard-DetectionQueue-1B",
            ),
            "DetectionQueue",
        ),
        (call("sns", "Subscribe", topicArn=TOPIC, protocol="email"), "FindingsTopic"),
        (call("sns", "PutDataProtectionPolicy", resourceArn=TOPIC), "FindingsTopic"),
        (
            call("dynamodb", "ExportTableToPointInTime", tableArn=f"{TABLES}/{TABLE}"),
            "StateTable",
        ),
        (
            call("monitoring", "SetAlarmState", alarmName="vpce-guard-HeartbeatAlarm-1H"),
            "HeartbeatAlarm",
        ),
        (
            call(
                "monitoring",
                "PutAlarmMuteRule",
                name="quiet",
                muteTargets={"alarmNames": ["vpce-guard-HeartbeatAlarm-1H"]},
            ),
            "HeartbeatAlarm",
        ),
        (
            call(
                "logs",
                "PutDataProtectionPolicy",
                logGroupIdentifier=f"arn:aws:logs:{ACCOUNT}:log-group:{GROUP}:*",
            ),
            "SweepFunctionLogGroup",
        ),
        (call("cloudformation", "SetStackPolicy", stackName="vpce-guard"), "the stack"),
        (call("cloudformation", "DeleteStack", stackName="vpce-guard"), "the stack"),
        (call("cloudformation", "DeleteStack", stackName=STACK), "the stack"),
    ],
)
def test_a_change_of_the_guard_is_known(record: Record, part: str):
    parts = changed_parts(record, PARTS, STACK)
    assert [one.logical_id for one in parts] == [part]
    finding = guard_changed(record, parts, SETTINGS)
    assert finding.severity == "high"
    assert part in finding.title
    assert "user/mallory" in finding.title


def test_a_mapping_is_known_by_its_function_where_the_answer_names_it():
    record = replace(
        call("lambda", "UpdateEventSourceMapping20150331", uUID="f" * 36),
        response={"functionArn": FUNCTION_ARN},
    )
    (part,) = changed_parts(record, PARTS, STACK)
    assert part.logical_id == "DetectBypassFunction"


def test_an_unsubscribed_part_is_published_with_its_topic():
    record = call("sns", "Unsubscribe", subscriptionArn=f"{TOPIC}:22222222-2222")
    found = {one.logical_id for one in changed_parts(record, PARTS, STACK)}
    assert found == {"NotifySubscription", "FindingsTopic"}


@pytest.mark.parametrize(
    ("why", "record"),
    [
        ("another's rule", call("events", "DisableRule", name="payments-BypassRule-1C")),
        ("a stack beside ours", call("events", "DisableRule", name="vpce-guard-dev-BypassRule-9Z")),
        (
            "a name that ours begins",
            call("events", "DisableRule", name="vpce-guard-BypassRule-1C2"),
        ),
        (
            "our name, another kind",
            call("logs", "DeleteLogGroup", logGroupName="vpce-guard-BypassRule-1C"),
        ),
        (
            "our queue as a target",
            call("events", "PutTargets", rule="theirs", targets=[{"arn": QUEUE}]),
        ),
        (
            "our topic as an action",
            call("monitoring", "PutMetricAlarm", alarmName="theirs", alarmActions=[TOPIC]),
        ),
        ("another stack", call("cloudformation", "DeleteStack", stackName="vpce-guard-dev")),
        (
            "a stack of our name before",
            call("cloudformation", "DeleteStack", stackName=f"{STACK}9"),
        ),
        ("a parameter in another folder", call("ssm", "PutParameter", name="/x/slack-webhook")),
        (
            "a parameter below ours",
            call("ssm", "PutParameter", name="/vpce-guard/slack-webhook/old"),
        ),
        ("another key", call("kms", "DisableKey", keyId="1f0e0d0c-0b0a-4009-8008-070605040302")),
        (
            "our boundary, put on a role of theirs",
            call(
                "iam", "AttachRolePolicy", roleName="theirs", policyArn=f"{POLICIES}/org/boundary"
            ),
        ),
        (
            "signing, asked of a function of theirs",
            call(
                "lambda",
                "PutFunctionCodeSigningConfig20200422",
                functionName="theirs",
                codeSigningConfigArn=f"arn:aws:lambda:{ACCOUNT}:code-signing-config:csc-0a1b2c",
            ),
        ),
        (
            "a grant that DynamoDB makes for itself",
            replace(
                call("kms", "CreateGrant", keyId=KEY),
                identity=Identity(type="AssumedRole", invoked_by="dynamodb.amazonaws.com"),
            ),
        ),
        ("another's topic", call("sns", "Subscribe", topicArn=f"{TOPIC}2", endpoint=QUEUE)),
        ("nothing named", call("events", "DisableRule")),
        ("a strange shape", call("events", "DisableRule", name={"is": "vpce-guard-BypassRule-1C"})),
        ("a service not watched", call("s3", "DeleteBucket", name="vpce-guard-BypassRule-1C")),
    ],
)
def test_near_misses_are_not_ours(why: str, record: Record):
    assert changed_parts(record, PARTS, STACK) == [], why


ROLE = "arn:aws:iam::111122223333:role/deployer"
DISABLED = call("events", "DisableRule", name="vpce-guard-BypassRule-1C")


def by(record: Record = DISABLED, **identity: str) -> Record:
    return replace(record, identity=Identity(**identity))


@pytest.mark.parametrize(
    ("patterns", "record", "deployment"),
    [
        ((), DISABLED, False),
        ((), by(type="IAMUser", arn="mallory", invoked_by="cloudformation.amazonaws.com"), True),
        ((), by(type="IAMUser", arn="mallory", invoked_by="cloudformation.evil.example"), False),
        ((), by(type="IAMUser", arn="mallory", invoked_by="signin.amazonaws.com"), False),
        ((), call("cloudformation", "UpdateStack", stackName="vpce-guard"), True),
        ((), call("cloudformation", "DeleteStack", stackName="vpce-guard"), False),
        ((), call("cloudformation", "UpdateTerminationProtection", stackName="vpce-guard"), False),
        ((), call("cloudformation", "SetStackPolicy", stackName="vpce-guard"), False),
        ((ROLE,), by(type="AssumedRole", issuer_arn=ROLE), True),
        ((ROLE,), by(type="AssumedRole", issuer_arn=f"{ROLE}2"), False),
        ((ROLE,), by(type="IAMUser", arn="m", invoked_by="cloudformation.amazonaws.com"), False),
        ((ROLE,), call("cloudformation", "UpdateStack", stackName="vpce-guard"), False),
        (("arn:aws:iam::*:role/deploy*",), by(type="AssumedRole", issuer_arn=ROLE), True),
        ((MALLORY.arn,), DISABLED, True),
        (("*",), by(type="AWSService", invoked_by="x.amazonaws.com"), False),  # has no ARN at all
    ],
)
def test_what_is_a_deployment(patterns: tuple[str, ...], record: Record, deployment: bool):
    assert Deployers(patterns).made(record, lambda: True) is deployment


def test_an_attempt_that_aws_refused_is_published_as_blocked():
    record = replace(DISABLED, error_code="AccessDenied")
    finding = guard_changed(record, changed_parts(record, PARTS, STACK), SETTINGS)
    assert finding.title.startswith("Blocked: ")
    assert finding.severity == "medium"
    assert "AccessDenied" in finding.cause


def test_lambdas_version_is_no_part_of_what_people_read():
    record = call("lambda", "UpdateFunctionCode20150331v2", functionName=FUNCTION_ARN)
    finding = guard_changed(record, changed_parts(record, PARTS, STACK), SETTINGS)
    assert "called UpdateFunctionCode on the guard's DetectBypassFunction" in finding.title


def test_what_no_parameter_names_is_no_part():
    assert owner_parts({"SLACK_WEBHOOK_PARAMETER": "", "ENCRYPTION_KEY_ARN": ""}) == ()


@pytest.mark.parametrize("domain", ["amazonaws.com.cn", "amazonaws.eu", "c2s.ic.gov"])
def test_cloudformation_deploys_by_whatever_name_its_partition_gives_it(domain: str):
    through = replace(MALLORY, invoked_by=f"cloudformation.{domain}")
    made = replace(call("events", "PutRule", name="x"), identity=through)
    assert Deployers().made(made, lambda: True)
    other = replace(MALLORY, invoked_by=f"stacksets.cloudformation.{domain}")
    assert not Deployers().made(replace(made, identity=other), lambda: True)


@pytest.mark.parametrize(
    "name",
    ["StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors", "PutInsightSelectors"],
)
@pytest.mark.parametrize("key", ["name", "trailName"])
def test_a_change_of_any_trail_is_one_of_the_guards_eyes(name: str, key: str) -> None:
    record = call("cloudtrail", name, **{key: "arn:aws:cloudtrail:eu-west-1:1:trail/audit"})
    (part,) = changed_parts(record, PARTS, STACK)
    finding = guard_changed(record, [part], SETTINGS)
    assert finding.severity == "high"
    assert f"called {name} on the trail trail/audit" in finding.title


def test_a_stack_of_somebody_elses_may_not_change_a_trail_unnoticed() -> None:
    by_stack = replace(MALLORY, invoked_by="cloudformation.amazonaws.com")
    record = replace(call("cloudtrail", "StopLogging", name="audit"), identity=by_stack)
    assert not Deployers().made(record, lambda: True)
    assert Deployers((MALLORY.arn,)).made(record, lambda: True)


def test_another_stack_may_not_do_it_through_cloudformation_while_ours_rests() -> None:
    by_stack = replace(MALLORY, invoked_by="cloudformation.amazonaws.com")
    record = replace(DISABLED, identity=by_stack)
    assert not Deployers().made(record, lambda: False)


def test_nobody_asks_for_the_stacks_operations_without_need() -> None:
    """Each time is a call of AWS, and such events come for every stack of the account."""

    def asked() -> bool:
        raise AssertionError

    assert not Deployers().made(DISABLED, asked)
    assert Deployers().made(call("cloudformation", "UpdateStack", stackName="vpce-guard"), asked)


@pytest.mark.parametrize("error", ["", "AccessDenied"])
def test_a_deployment_is_information_and_names_who_did_it(error: str) -> None:
    record = call("cloudformation", "ExecuteChangeSet", stackName="vpce-guard")
    record = replace(record, error_code=error)
    finding = guard_deployed(record, changed_parts(record, PARTS, STACK), SETTINGS)
    assert finding.severity == "info"
    did = "tried to deploy" if error else "deployed"
    assert finding.title == f"user/mallory {did} the guard's stack"


def test_a_change_set_that_is_named_alone_may_be_ours() -> None:
    arn = f"arn:aws:cloudformation:{ACCOUNT}:changeSet/quiet/0aa1"
    record = call("cloudformation", "ExecuteChangeSet", changeSetName=arn)
    assert changed_parts(record, PARTS, STACK) == []
    assert may_be_ours(record)
    assert guard_deployed(record, [], SETTINGS).title.endswith("a stack that may be the guard's")
    other = call("cloudformation", "ExecuteChangeSet", changeSetName=arn, stackName="payments")
    assert not may_be_ours(other)


OMITTED = {"omitted": True, "originalSize": 110_000, "reason": "requestParameters too large"}


@pytest.mark.parametrize(
    "record",
    [
        call("iam", "PutRolePolicy", **OMITTED),
        replace(call("iam", "PutRolePolicy"), strange=("requestParameters",)),
        call("sqs", "SetQueueAttributes", queueUrl={"a": 1}),
        call("monitoring", "DeleteAlarms", alarmNames=["x", 5]),
    ],
)
def test_a_call_that_does_not_say_what_it_was_about_may_be_ours(record: Record) -> None:
    assert changed_parts(record, PARTS, STACK) == []
    assert may_be_ours(record)
    finding = guard_changed(record, [], SETTINGS)
    assert finding.severity == "medium"
    assert "perhaps on the guard" in finding.title


def test_an_omitted_request_whose_resource_is_listed_is_that_resources() -> None:
    role = "arn:aws:iam::111122223333:role/vpce-guard-DetectBypassRole-1E"
    record = replace(call("iam", "PutRolePolicy", **OMITTED), resources=({"ARN": role},))
    assert [one.logical_id for one in changed_parts(record, PARTS, STACK)] == ["DetectBypassRole"]


@pytest.mark.parametrize(
    "record",
    [
        call("iam", "PutRolePolicy", roleName="neighbour"),
        call("events", "PutRule", name="neighbour", tags=[{"key": "a"}]),
        call("sns", "Subscribe", topicArn=None),
    ],
)
def test_a_call_that_names_a_neighbour_is_not_ours(record: Record) -> None:
    assert not may_be_ours(record)
