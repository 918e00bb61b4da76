"""guardctl redrive: what was given up, why, and back to work with it."""

import json

import pytest
from typer.testing import CliRunner

from guard.reconcile.batch import HOPS
from guardctl.__main__ import app
from guardctl.redrive.command import QUEUES
from guardctl.redrive.queues import ENDING
from heartbeat.letters import read
from tests.reactions.account import kinds

SECRET_READ = "GetSecretValue"


@pytest.fixture
def bypass(cloud, account, secret):
    """A read over the internet that was given up, because SNS refused to publish it."""
    cloud.fault("sns", "PublishBatch", "InternalError", times=99, function="DetectBypassFunction")
    account.client("secretsmanager").get_secret_value(SecretId=secret)
    cloud.settle()
    cloud._faults.clear()
    assert cloud.queue_depth("DetectionDeadLetterQueue") == 1
    assert cloud.findings == []
    return secret


def run(*arguments, code=0):
    found = CliRunner().invoke(app, ["redrive", *arguments], terminal_width=220)
    assert found.exit_code == code, found.output + found.stderr
    return found


def shown(*arguments, code=1):
    return [
        json.loads(one)
        for one in run(*arguments, "--format", "jsonl", code=code).stdout.splitlines()
    ]


def test_nothing_waits(cloud):
    assert "DetectionDeadLetterQueue: empty" in run().stdout
    assert shown(code=0) == []


def test_what_waits_is_shown_with_the_reason_from_the_log(cloud, bypass):
    (letter,) = shown()
    assert letter["queue"] == cloud.resource("DetectionDeadLetterQueue").rsplit("/", 1)[-1]
    assert letter["about"].startswith(f"{SECRET_READ} by user/alice".replace("user/", ""))
    assert "InternalError" in letter["reason"]
    table = run(code=1).stdout
    assert SECRET_READ in table


def test_reading_changes_nothing(cloud, bypass):
    assert shown() == shown() == shown("detection")
    assert cloud.queue_depth("DetectionDeadLetterQueue") == 1
    assert cloud.queue_depth("DetectionQueue") == 0


@pytest.mark.parametrize("name", ["detection", "DetectionQueue", "DetectionDeadLetterQueue"])
def test_after_the_fix_it_is_put_back_and_reported(cloud, bypass, name):
    found = run(name, "--yes")
    assert "1 put back, 0 left" in found.stderr
    cloud.settle()
    assert kinds(cloud) == ["bypass"]
    assert cloud.queue_depth("DetectionDeadLetterQueue") == 0
    assert shown(code=0) == []


def test_a_queue_is_known_by_its_name_as_findings_give_it(cloud, bypass):
    run(cloud.resource("DetectionDeadLetterQueue").rsplit("/", 1)[-1], "--yes")
    cloud.settle()
    assert kinds(cloud) == ["bypass"]


def test_without_a_yes_nothing_is_put_back(cloud, bypass):
    run("detection", code=1)
    assert cloud.queue_depth("DetectionDeadLetterQueue") == 1


def test_all_queues_at_once(cloud, account, bypass):
    account.client("sqs").send_message(
        QueueUrl=cloud.resource("PolicyDeadLetterQueue"),
        MessageBody=json.dumps({"detail": {"vpcEndpointId": "vpce-0a", "reason": "sweep"}}),
    )
    run("--yes")
    assert cloud.queue_depth("DetectionDeadLetterQueue") == 0
    assert cloud.queue_depth("PolicyDeadLetterQueue") == 0
    assert (cloud.queue_depth("DetectionQueue"), cloud.queue_depth("PolicyQueue")) == (1, 1)


def test_what_fails_again_is_there_again(cloud, bypass):
    cloud.fault("sns", "PublishBatch", "InternalError", times=99, function="DetectBypassFunction")
    run("detection", "--yes")
    cloud.settle()
    assert cloud.queue_depth("DetectionDeadLetterQueue") == 1


def test_a_death_between_sending_and_deleting_loses_nothing(cloud, bypass):
    cloud.fault("sqs", "DeleteMessage", "AccessDenied")
    assert "stays" in run("detection", "--yes", code=1).stderr
    cloud.settle()
    assert cloud.queue_depth("DetectionDeadLetterQueue") == 1
    assert kinds(cloud) == ["bypass"]
    cloud.clock.skip(seconds=121)
    run("detection", "--yes")
    cloud.settle()
    assert kinds(cloud) == ["bypass"]  # given twice, reported once


def test_an_answer_that_never_comes_leaves_the_message(cloud, bypass):
    cloud.fault("sqs", "SendMessage", "AccessDenied")
    run("detection", "--yes", code=1)
    assert cloud.queue_depth("DetectionDeadLetterQueue") == 1
    assert cloud.queue_depth("DetectionQueue") == 0


def test_a_heartbeat_that_failed_is_sent_again_to_its_function(cloud):
    function = "HeartbeatFunction"
    cloud.fault("secretsmanager", "DescribeSecret", "InternalFailure", times=99, function=function)
    cloud.fire_schedule("HeartbeatRule")
    cloud.settle()
    cloud._faults.clear()
    (letter,) = shown()
    assert letter["about"] == "Scheduled Event"
    assert "InternalFailure" in letter["reason"]
    assert "HeartbeatFunction" in letter["source"]
    before = len(cloud.invocations)
    run("rule", "--yes")
    cloud.settle()
    again = [one for one in cloud.invocations[before:] if one.function == function]
    assert [one.error for one in again] == [None]
    assert cloud.queue_depth("RuleDeadLetterQueue") == 0


def test_an_event_that_eventbridge_could_not_deliver_goes_to_the_rules_target(cloud, account):
    queue = cloud.resource("VpcQueue").rsplit("/", 1)[-1]
    event = {"detail-type": "AWS API Call via CloudTrail", "detail": {"eventName": "CreateVpc"}}
    attributes = {
        "RULE_ARN": f"arn:aws:events:us-east-1:{cloud.account}:rule/vpce-guard-VpcLifeRule",
        "TARGET_ARN": f"arn:aws:sqs:us-east-1:{cloud.account}:{queue}",
        "ERROR_CODE": "NO_PERMISSIONS",
        "ERROR_MESSAGE": "Not authorized",
    }
    send(cloud, account, event, attributes)
    (letter,) = shown("rule")
    assert letter["reason"] == "NO_PERMISSIONS: Not authorized"
    assert letter["source"] == "vpce-guard-VpcLifeRule"
    run("rule", "--yes")
    assert cloud.queue_depth("VpcQueue") == 1
    assert cloud.queue_depth("RuleDeadLetterQueue") == 0


@pytest.mark.parametrize(
    "attributes",
    [
        {"ERROR_CODE": "X", "TARGET_ARN": "arn:aws:sqs:us-east-1:123456789012:somebody-elses"},
        {"ERROR_CODE": "X", "TARGET_ARN": "arn:aws:lambda:us-east-1:123456789012:function:theirs"},
        {},
    ],
)
def test_what_belongs_nowhere_here_stays(cloud, account, attributes):
    send(cloud, account, {"detail": {}}, attributes)
    assert "stays" in run("rule", "--yes", code=1).stderr
    assert cloud.queue_depth("RuleDeadLetterQueue") == 1


def send(cloud, account, event, attributes):
    account.client("sqs").send_message(
        QueueUrl=cloud.resource("RuleDeadLetterQueue"),
        MessageBody=json.dumps(event),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    )


def test_more_than_are_shown_are_put_back(cloud, account):
    for number in range(25):
        account.client("sqs").send_message(
            QueueUrl=cloud.resource("VpcDeadLetterQueue"),
            MessageBody=json.dumps({"detail": {"vpcId": f"vpc-{number:08x}", "reason": "test"}}),
        )
    assert len(shown("vpc", "--limit", "3")) == 3
    document = json.loads(run("vpc", "--limit", "3", "--format", "json", code=1).stdout)
    assert document[0]["messages"] == 25
    assert "25 put back" in run("vpc", "--yes", "--limit", "3").stderr
    assert cloud.queue_depth("VpcQueue") == 25


def test_a_queue_that_is_none(cloud):
    assert "there are detection" in run("payments", code=2).stderr


def test_a_message_that_was_sent_on_too_often_begins_a_new_chain(cloud, account):
    body = {"detail": {"vpcId": "vpc-0a", "reason": "test"}, HOPS: 200}
    account.client("sqs").send_message(
        QueueUrl=cloud.resource("VpcDeadLetterQueue"), MessageBody=json.dumps(body)
    )
    run("vpc", "--yes")
    (back,) = cloud.messages("VpcQueue")
    assert HOPS not in back["body"]
    assert "vpc-0a" in str(back["body"])


@pytest.mark.parametrize("body", ["not JSON", "[]", "[" * 5000, '{"detail": 5}', ""])
def test_a_body_that_cannot_be_read_is_shown_as_it_begins(body):
    letter = read(
        {
            "MessageId": "m",
            "ReceiptHandle": "r",
            "Body": body,
            "Attributes": {"SentTimestamp": "1790000000000"},
        }
    )
    assert letter.payload == body
    assert letter.about.startswith(body[:100])
    assert letter.target == ""


def test_the_help_names_every_dead_letter_queue(cloud):
    queues = {
        name.removesuffix(ENDING).lower()
        for name in cloud.deployment.resources
        if name.endswith(ENDING)
    }
    assert set(QUEUES) == queues
