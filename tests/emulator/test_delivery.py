"""The pump: rules to queues, batches and windows, partial failures, redrive, retries, schedules."""

import json
from datetime import timedelta

import pytest

from emulator import NotQuiescent, delivery
from emulator.delivery import failed_ids
from emulator.runtime import Invocation


def send(cloud, *bodies, queue="WorkQueue", **settings):
    sqs = cloud.session("alice").client("sqs")
    for body in bodies:
        sqs.send_message(QueueUrl=cloud.resource(queue), MessageBody=body, **settings)


def receive(cloud, queue):
    sqs = cloud.session("alice").client("sqs")
    answer = sqs.receive_message(
        QueueUrl=cloud.resource(queue), MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )
    return answer.get("Messages", [])


def secret_event(name, *, read_only, **more):
    return {
        "version": "0",
        "id": "1",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.secretsmanager",
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {"eventName": name, "readOnly": read_only, **more},
    }


# --- batches --------------------------------------------------------------------------------------


def test_a_batch_waits_for_its_window(small, script):
    before = small.clock.now()
    send(small, "a", "b")
    small.settle()
    assert script.bodies() == [["a", "b"]]
    waited = (small.invocations[0].when - before).total_seconds()
    assert 10 <= waited < 12


def test_time_can_pass_without_what_comes_later(small, script):
    send(small, "now")
    send(small, "later", DelaySeconds=600)
    before = small.clock.now()
    small.pass_time(timedelta(minutes=5))
    assert script.bodies() == [["now"]]
    assert (small.clock.now() - before).total_seconds() == pytest.approx(300, abs=1)
    small.pass_time(timedelta(minutes=6))
    assert script.bodies() == [["now"], ["later"]]


def test_a_full_batch_goes_at_once(small, script):
    before = small.clock.now()
    send(small, "a", "b", "c", "d")
    small.settle()
    assert script.bodies() == [["a", "b", "c"], ["d"]]
    assert (small.invocations[0].when - before).total_seconds() < 5


def test_a_delayed_message_is_waited_for(small, script):
    before = small.clock.now()
    send(small, "a", DelaySeconds=300)
    small.settle()
    assert script.bodies() == [["a"]]
    assert 310 <= (small.invocations[0].when - before).total_seconds() < 315


def test_the_event_has_lambdas_shape(small, script):
    send(
        small,
        "a",
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "bypass"}},
    )
    small.settle()
    (record,) = script.of("WorkFunction")[0]["Records"]
    assert record["eventSource"] == "aws:sqs"
    assert record["awsRegion"] == "us-east-1"
    assert record["eventSourceARN"].rsplit(":", 1)[-1] in small.resource("WorkQueue")
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"]["kind"]["stringValue"] == "bypass"
    assert record["messageId"]
    assert record["receiptHandle"]


def test_what_succeeded_is_gone(small):
    send(small, "a")
    small.settle()
    assert small.queue_depth("WorkQueue") == 0
    assert small.dead_letters("WorkQueue") == []


def test_only_the_failed_message_comes_back_after_its_visibility_timeout(small, script):
    def fail_b_once(function, event):
        failed = [
            one["messageId"]
            for one in event["Records"]
            if one["body"] == "b" and one["attributes"]["ApproximateReceiveCount"] == "1"
        ]
        return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}

    script.answer = fail_b_once
    send(small, "a", "b")
    small.settle()
    assert script.bodies() == [["a", "b"], ["b"]]
    first, second = small.invocations
    # visibility timeout, and the window again
    assert 129 <= (second.when - first.when).total_seconds() < 135
    assert small.dead_letters("WorkQueue") == []


def test_a_message_that_keeps_failing_is_given_up_after_maxreceivecount(small, script):
    script.answer = lambda function, event: {
        "batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in event["Records"]]
    }
    send(small, "a")
    happenings = small.settle()
    assert script.bodies() == [["a"], ["a"], ["a"]]
    (letter,) = small.dead_letters("WorkQueue")
    assert letter["body"] == "a"
    assert letter["receive_count"] == 3
    assert any("given up" in one.what for one in happenings)


def test_an_exception_fails_the_whole_batch(small, script):
    def raise_once(function, event):
        if len(script.events) == 1:
            raise RuntimeError("no")

    script.answer = raise_once
    send(small, "a", "b")
    small.settle()
    assert script.bodies() == [["a", "b"], ["a", "b"]]
    assert [one.error for one in small.invocations] == ["no", None]


def test_a_function_may_change_the_visibility_of_its_message(small, script):
    def wait_seven_seconds(function, event):
        (record,) = event["Records"]
        if record["attributes"]["ApproximateReceiveCount"] == "2":
            return None
        small.session("alice").client("sqs").change_message_visibility(
            QueueUrl=small.resource("WorkQueue"),
            ReceiptHandle=record["receiptHandle"],
            VisibilityTimeout=7,
        )
        return {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}

    script.answer = wait_seven_seconds
    send(small, "a")
    small.settle()
    first, second = small.invocations
    assert 16 <= (second.when - first.when).total_seconds() < 20


@pytest.mark.parametrize(
    ("result", "failed"),
    [
        (None, set()),
        ({}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": None}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "1"}]}, {"1"}),
        ({"batchItemFailures": [{"itemIdentifier": "unknown"}]}, {"1", "2"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"1", "2"}),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, {"1", "2"}),
        ({"batchItemFailures": [{"badKey": "1"}]}, {"1", "2"}),
        ({"batchItemFailures": "1"}, {"1", "2"}),
        ("text", {"1", "2"}),
    ],
)
def test_which_messages_a_response_fails(result, failed):
    run = Invocation("F", {}, result, None, None, "", (), None, 0.0)
    assert failed_ids(run, ["1", "2"], partial=True) == failed
    assert failed_ids(run, ["1", "2"], partial=False) == set()


# --- rules ----------------------------------------------------------------------------------------


def test_a_plain_rule_sees_writes_and_no_reads(small, script):
    small.inject(secret_event("CreateSecret", read_only=False))
    small.inject(secret_event("GetSecretValue", read_only=True))
    small.settle()
    (bodies,) = script.bodies()
    assert [json.loads(body)["detail"]["eventName"] for body in bodies] == ["CreateSecret"]


def test_a_rule_for_all_management_events_sees_reads(small):
    small.inject(secret_event("GetSecretValue", read_only=True))
    small.settle()
    (message,) = receive(small, "NoteQueue")
    envelope = json.loads(message["Body"])
    assert envelope["account"] == "123456789012"
    assert envelope["detail"]["eventName"] == "GetSecretValue"


def test_a_disabled_rule_sees_nothing(small, script):
    small.session("alice").client("events").disable_rule(Name=small.resource("WriteRule"))
    small.inject(secret_event("CreateSecret", read_only=False))
    small.settle()
    assert script.events == []


def test_the_deployed_state_comes_back_with_a_reset(small, script):
    small.session("alice").client("events").disable_rule(Name=small.resource("WriteRule"))
    small.reset()
    small.inject(secret_event("CreateSecret", read_only=False))
    small.settle()
    assert len(script.bodies()) == 1


def test_a_rule_without_permission_goes_to_its_dead_letter_queue(small):
    small.inject({**secret_event("X", read_only=False), "source": "test.unpermitted"})
    small.settle()
    (letter,) = small.dead_letters("UndeliverableQueue")
    assert letter["attributes"]["ERROR_CODE"] == "NO_PERMISSIONS"
    assert letter["attributes"]["RULE_ARN"].endswith(small.resource("UnpermittedRule"))
    assert small.queue_depth("NoteQueue") == 0


def test_a_target_that_is_gone_goes_to_the_rules_dead_letter_queue(small):
    sqs = small.session("alice").client("sqs")
    rule = small.resource("WriteRule")
    events = small.session("alice").client("events")
    (target,) = events.list_targets_by_rule(Rule=rule)["Targets"]
    gone = target["Arn"].rsplit(":", 1)[0] + ":gone"
    events.put_targets(Rule=rule, Targets=[{**target, "Arn": gone}])
    small.inject(secret_event("CreateSecret", read_only=False))
    small.settle()
    (letter,) = small.dead_letters("UndeliverableQueue")
    assert letter["attributes"]["ERROR_CODE"] == "NO_RESOURCE"
    assert letter["attributes"]["TARGET_ARN"] == gone
    assert sqs.list_queues()["QueueUrls"]


def test_users_cannot_put_events_of_aws(small):
    events = small.session("alice").client("events")
    entry = {"DetailType": "x", "Detail": "{}"}
    answer = events.put_events(
        Entries=[{**entry, "Source": "aws.ec2"}, {**entry, "Source": "test.own"}]
    )
    refused, accepted = answer["Entries"]
    assert refused["ErrorCode"] == "NotAuthorizedForSourceException"
    assert accepted["EventId"]
    (happening,) = small.settle()
    assert happening.what == "event x → no rule"


@pytest.mark.parametrize(
    "pattern", ['{"a": [{"like": "x"}]}', '{"a": [{"numeric": [">", 5, "<", 1]}]}', '{"a": "x"}']
)
def test_put_rule_refuses_bad_patterns(small, pattern):
    events = small.session("alice").client("events")
    with pytest.raises(events.exceptions.InvalidEventPatternException):
        events.put_rule(Name="bad", EventPattern=pattern)


# --- topics ---------------------------------------------------------------------------------------


def test_a_topic_reaches_its_queue_raw_with_attributes(small):
    small.session("alice").client("sns").publish(
        TopicArn=small.resource("FindingsTopic"),
        Message=json.dumps({"kind": "bypass"}),
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "bypass"}},
    )
    (message,) = receive(small, "NoteQueue")
    assert json.loads(message["Body"]) == {"kind": "bypass"}
    assert message["MessageAttributes"]["kind"]["StringValue"] == "bypass"
    assert small.findings == [{"kind": "bypass"}]


def test_findings_are_what_a_queue_gets_of_a_message_per_protocol(small):
    small.session("alice").client("sns").publish_batch(
        TopicArn=small.resource("FindingsTopic"),
        PublishBatchRequestEntries=[
            {
                "Id": "1",
                "MessageStructure": "json",
                "Message": json.dumps({"default": "words", "sqs": '{"kind": "bypass"}'}),
            }
        ],
    )
    assert small.findings == [{"kind": "bypass"}]


# --- schedules and asynchronous functions ---------------------------------------------------------


def test_a_schedule_fires_when_its_time_is_reached(small, script):
    small.settle()
    small.settle(until=timedelta(hours=13))
    assert [event["detail-type"] for event in script.of("AsyncFunction")] == ["Scheduled Event"] * 2
    gap = (small.invocations[1].when - small.invocations[0].when).total_seconds()
    assert 6 * 3600 - 1 < gap < 6 * 3600 + 5


def test_a_schedule_does_not_make_settle_run_for_ever(small, script):
    small.settle()
    assert script.events == []


def test_a_schedule_fires_on_a_clock_that_was_skipped(small, script):
    small.settle()
    small.clock.skip(seconds=6 * 3600 + 1)
    small.settle()
    assert len(script.of("AsyncFunction")) == 1


def test_a_schedule_can_be_fired_by_hand(small, script):
    small.fire_schedule()
    small.settle()
    (event,) = script.of("AsyncFunction")
    assert event["source"] == "aws.events"
    assert event["resources"][0].endswith(small.resource("ScheduleRule"))


def test_an_asynchronous_function_is_tried_three_times_and_then_reported(small, script):
    def fail(function, event):
        raise RuntimeError("no")

    script.answer = fail
    small.fire_schedule()
    small.settle()
    first, second, third = (one.when for one in small.invocations)
    assert 60 <= (second - first).total_seconds() < 63
    assert 120 <= (third - second).total_seconds() < 123
    (letter,) = small.dead_letters("UndeliverableQueue")
    record = json.loads(letter["body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestPayload"]["source"] == "aws.events"
    assert record["responsePayload"]["errorMessage"] == "no"


def test_invoke_runs_the_deployed_function(small, script):
    script.answer = lambda function, event: {"got": event["x"]}
    answer = (
        small.session("alice")
        .client("lambda")
        .invoke(FunctionName=small.resource("AsyncFunction"), Payload=b'{"x": 1}')
    )
    assert json.loads(answer["Payload"].read()) == {"got": 1}


# --- rest -----------------------------------------------------------------------------------------


def test_an_account_that_never_rests_is_an_error(small, script, monkeypatch):
    monkeypatch.setattr(delivery, "MAX_INVOCATIONS", 20)
    script.answer = lambda function, event: send(small, "again")
    send(small, "a")
    with pytest.raises(NotQuiescent, match="WorkFunction"):
        small.settle()


def test_what_happened_is_reported_in_order(small, script):
    small.inject(secret_event("CreateSecret", read_only=False))
    happenings = small.settle()
    assert [one.what for one in happenings] == ["event CreateSecret → WriteRule", "WorkFunction"]
    assert happenings[0].when < happenings[1].when
