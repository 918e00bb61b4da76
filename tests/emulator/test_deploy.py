"""This repository's template and a small one, as deployed."""

import json
import time

import pytest
from moto.sns.models import sns_backends
from samtranslator.model.exceptions import InvalidDocumentException

from emulator import Cloud, DeploymentFailed
from emulator.deploy import permits

SQS = "arn:aws:sqs:us-east-1:123456789012:work"
RULE = "arn:aws:events:us-east-1:123456789012:rule/one"


def test_functions_are_read_back_with_everything_resolved(cloud):
    function = cloud.deployment.functions["EnsureEndpointFunction"]
    assert function.handler == "ensure_endpoint.app.handler"
    assert function.environment["VPC_QUEUE_URL"] == cloud.resource("VpcQueue")
    assert function.environment["TOPIC_ARN"] == cloud.resource("FindingsTopic")
    assert function.environment["STACK_ID"] == cloud.deployment.stack_id
    assert all(isinstance(value, str) for value in function.environment.values())


def test_mappings_are_read_back(cloud):
    by_function = {mapping.function: mapping for mapping in cloud.deployment.mappings}
    mapping = by_function["EnsureEndpointFunction"]
    assert mapping.queue == cloud.resource("VpcQueue").rsplit("/", 1)[-1]
    assert (mapping.window, mapping.partial) == (20, True)


def test_what_moto_leaves_out_is_put_there(cloud):
    session = cloud.session("operator")
    queue = session.client("sqs").get_queue_attributes(
        QueueUrl=cloud.resource("VpcQueue"), AttributeNames=["All"]
    )["Attributes"]
    assert "events.amazonaws.com" in queue["Policy"]
    assert json.loads(queue["RedrivePolicy"])["maxReceiveCount"] >= 3
    ttl = session.client("dynamodb").describe_time_to_live(TableName=cloud.resource("StateTable"))
    assert ttl["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"
    subscriptions = session.client("sns").list_subscriptions_by_topic(
        TopicArn=cloud.resource("FindingsTopic")
    )["Subscriptions"]
    assert [one["Protocol"] for one in subscriptions] == ["sqs", "sqs"]  # high apart


def test_what_is_skipped_is_known(cloud):
    assert cloud.deployment.skipped == {
        "AWS::CloudWatch::Alarm",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
    }


def test_outputs_are_the_stacks(cloud):
    assert cloud.outputs["VpcQueueUrl"] == cloud.resource("VpcQueue")
    with pytest.raises(KeyError):
        cloud.resource("NothingOfTheKind")


def test_a_condition_that_does_not_hold_leaves_its_resources_out(cloud):
    assert "EmailSubscription" not in cloud.deployment.resources


def test_slack_is_where_the_parameter_says(cloud):
    parameter = (
        cloud.session("operator")
        .client("ssm")
        .get_parameter(Name="/vpce-guard/slack-webhook", WithDecryption=True)["Parameter"]
    )
    assert (parameter["Type"], parameter["Value"]) == ("SecureString", cloud.slack.url)


def test_alarms_reach_the_topics_queue(cloud):
    cloud.session("operator").client("sqs").purge_queue(
        QueueUrl=cloud.resource("NotifyUrgentQueue")
    )
    cloud.ring_alarm("VpcDeadLetterAlarm")
    assert cloud.queue_depth("NotifyUrgentQueue") == 1
    cloud.reset()


def test_alarms_cannot_publish_under_the_key_of_sns(cloud, monkeypatch):
    topics = sns_backends[cloud.account][cloud.region].topics
    topic = topics[cloud.resource("AlarmsTopic")]
    monkeypatch.setattr(topic, "kms_master_key_id", "alias/aws/sns")
    with pytest.raises(PermissionError, match="aws/sns"):
        cloud.ring_alarm("VpcDeadLetterAlarm")


def test_the_mode_parameter_is_put_back(cloud):
    ssm = cloud.session("operator").client("ssm")
    name = cloud.resource("ModeParameter")
    ssm.put_parameter(Name=name, Value="observe", Overwrite=True)
    cloud.reset()
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == "remediate"
    ssm.put_parameter(Name=name, Value="observe", Overwrite=True)
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == "observe"


def test_a_reset_of_the_whole_stack_is_fast(cloud):
    began = time.perf_counter()
    cloud.reset()
    assert time.perf_counter() - began < 0.3


def bad(tmp_path, resources):
    template = tmp_path / "template.yaml"
    document = {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}
    template.write_text(json.dumps(document))
    return template


def test_a_rule_with_a_bad_pattern_does_not_deploy(tmp_path):
    rule = {
        "Type": "AWS::Events::Rule",
        "Properties": {"EventPattern": {"source": [{"like": "aws"}]}, "Targets": []},
    }
    with pytest.raises(Exception, match=r"Unrecognized match type like"):
        Cloud.start(template=bad(tmp_path, {"Rule": rule}))


def test_a_template_that_sam_refuses_does_not_deploy(tmp_path):
    function = {"Type": "AWS::Serverless::Function", "Properties": {"Nonsense": 1}}
    with pytest.raises(InvalidDocumentException):
        Cloud.start(template=bad(tmp_path, {"F": function}))


def test_a_subscription_that_the_queue_does_not_admit_does_not_deploy(tmp_path):
    resources = {
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Subscription": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {
                "TopicArn": {"Ref": "Topic"},
                "Protocol": "sqs",
                "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]},
            },
        },
    }
    with pytest.raises(DeploymentFailed, match="policy"):
        Cloud.start(template=bad(tmp_path, resources))


def statement(**more):
    return {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": SQS,
        **more,
    }


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        (statement(), True),
        (statement(Action="sqs:*", Resource="*"), True),
        (
            statement(Action=["sqs:SendMessage"], Principal={"Service": ["events.amazonaws.com"]}),
            True,
        ),
        (statement(Condition={"ArnEquals": {"aws:SourceArn": RULE}}), True),
        (statement(Condition={"ArnLike": {"aws:SourceArn": "arn:aws:events:*:*:rule/*"}}), True),
        (statement(Condition={"StringEquals": {"aws:SourceAccount": "123456789012"}}), True),
        (statement(Effect="Deny"), False),
        (statement(Principal="*"), False),
        (statement(Principal={"Service": "sns.amazonaws.com"}), False),
        (statement(Action="sqs:ReceiveMessage"), False),
        (statement(Resource=SQS + "x"), False),
        (statement(Condition={"ArnEquals": {"aws:SourceArn": RULE + "x"}}), False),
        (statement(Condition={"StringEquals": {"aws:SourceArn": "arn:*"}}), False),
        (statement(Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), False),
        (statement(Condition={"Bool": {"aws:SecureTransport": "true"}}), False),
    ],
)
def test_what_a_resource_policy_permits(given, allowed):
    arguments = ("events.amazonaws.com", "sqs:SendMessage", SQS, RULE, "123456789012")
    assert permits([given], *arguments) is allowed
