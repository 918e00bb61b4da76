"""Proof of life: heartbeats come through the whole chain, and what hinders them is published."""

import json
from datetime import timedelta
from typing import Any

import pytest

from emulator import Caller
from emulator.cloudtrail import envelope
from emulator.metrics import measured
from emulator.trails import BUCKET
from guard.cloudtrail.heartbeat_mark import NAMESPACE
from heartbeat.checks import is_last_try
from tests.builders import NOON
from tests.reactions.account import kinds

FUNCTION = "HeartbeatFunction"
WRITES_ALONE = [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}]
TRAIL = "management-events"
LEADING_HERE = {
    "HeartbeatRule",
    "DeployRule",
}  # without them there is no heartbeat, and that is published


def send_heartbeat(cloud) -> None:
    cloud.fire_schedule("HeartbeatRule")
    cloud.settle()


def came_through(cloud) -> list[float]:
    return [
        value
        for run in cloud.invocations
        for one in measured(run.output)
        if one.name == "HeartbeatSeconds" and one.dimensions == (("service", "detect_bypass"),)
        for value in one.values
    ]


def finding(cloud, kind: str) -> dict[str, Any]:
    (one,) = [one for one in cloud.findings if one["kind"] == kind]
    return one


def test_a_heartbeat_comes_through_and_bothers_nobody(cloud):
    send_heartbeat(cloud)
    (seconds,) = came_through(cloud)
    assert 10 <= seconds < 60  # the batch window, and no more
    assert cloud.findings == []


def test_it_sends_no_metric_for_what_did_not_happen(cloud):
    """Each metric is charged for in every hour in which it is sent."""
    send_heartbeat(cloud)
    (run,) = [one for one in cloud.invocations if one.function == "DetectBypassFunction"]
    assert run.metrics.keys() == {"HeartbeatSeconds", "RecordsJudged"}


def come_late(cloud, **more: str) -> None:
    """A heartbeat whose event comes after five hours."""
    cloud.invoke(FUNCTION, {"detail-type": "Scheduled Event"})
    record = cloud.records[-1]
    cloud.lose_events()
    cloud.clock.skip(seconds=5 * 3600)
    cloud.inject({**envelope(record), **more})
    cloud.settle()


def test_one_that_comes_late_counts_with_all_its_hours(cloud):
    """Bypasses are late, too, and the alarm says so."""
    come_late(cloud)
    (seconds,) = came_through(cloud)
    assert seconds > 5 * 3600


def test_one_that_is_played_again_is_no_heartbeat_of_now(cloud):
    """It would ring for what took no hours, or break a silence for which the alarm should ring."""
    come_late(cloud, **{"replay-name": "last-night"})
    assert came_through(cloud) == []
    assert cloud.findings == []


def test_it_is_a_real_request_that_cloudtrail_recorded(cloud):
    send_heartbeat(cloud)
    (record,) = [one for one in cloud.records if one["eventName"] == "DescribeSecret"]
    assert record["errorCode"] == "ResourceNotFoundException"
    assert record["requestParameters"]["secretId"].startswith(f"{NAMESPACE}/")
    assert cloud.matching_rules({**ENVELOPE, "detail": record}) == ["BypassRule"]


ENVELOPE = {"source": "aws.secretsmanager", "detail-type": "AWS API Call via CloudTrail"}


def test_the_schedule_sends_one_an_hour(cloud):
    cloud.settle(until=timedelta(hours=3, minutes=5))
    assert len(came_through(cloud)) == 3


def test_a_deployment_sends_one(cloud):
    cloud.inject(cloud.stack_event("UPDATE_COMPLETE"))
    cloud.settle()
    assert len(came_through(cloud)) == 1


def test_somebody_who_sends_the_mark_is_published_like_anybody(cloud):
    send_heartbeat(cloud)
    (record,) = [one for one in cloud.records if one["eventName"] == "DescribeSecret"]
    name = record["requestParameters"]["secretId"]
    secrets = cloud.session("mallory").client("secretsmanager")
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.describe_secret(SecretId=name)
    cloud.settle()
    assert kinds(cloud) == ["bypass"]
    assert len(came_through(cloud)) == 1


def test_whoever_steals_the_role_is_published(cloud, account):
    secret = account.secret("prod/db")
    cloud.lose_events()
    identity = next(one for one in cloud.callers if one.function == FUNCTION)
    thief = cloud._boto3(identity).client("secretsmanager")
    thief.get_secret_value(SecretId=secret)
    cloud.settle()
    assert finding(cloud, "bypass")["severity"] == "high"


def test_a_rule_that_is_merely_enabled_lets_no_heartbeat_through_and_is_published(cloud, account):
    rule = cloud.resource("BypassRule")
    account.client("events").enable_rule(Name=rule)
    send_heartbeat(cloud)
    assert came_through(cloud) == []
    published = finding(cloud, "rule-blind")
    assert (published["severity"], published["resource"]) == ("high", rule)
    assert published["evidence"]["state"] == "ENABLED"


def test_every_rule_is_checked(cloud, account):
    events = account.client("events")
    rules = set(cloud.deployment.of_type("AWS::Events::Rule")) - LEADING_HERE
    for rule in rules:
        events.disable_rule(Name=cloud.resource(rule))
    send_heartbeat(cloud)
    published = {one["resource"] for one in cloud.findings if one["kind"] == "rule-blind"}
    assert published == {cloud.resource(rule) for rule in rules}


def test_a_rule_that_is_gone_is_published(cloud, account):
    events = account.client("events")
    rule = cloud.resource("RotationRule")
    kept = events.describe_rule(Name=rule)
    targets = events.list_targets_by_rule(Rule=rule)["Targets"]
    events.remove_targets(Rule=rule, Ids=[one["Id"] for one in targets])
    events.delete_rule(Name=rule)
    try:
        send_heartbeat(cloud)
        assert "gone" in finding(cloud, "rule-blind")["cause"]
    finally:  # the deployment is shared
        events.put_rule(Name=rule, EventPattern=kept["EventPattern"], State=kept["State"])
        events.put_targets(Rule=rule, Targets=targets)


def test_a_trail_that_logs_writes_alone_is_published(cloud, account):
    account.client("cloudtrail").put_event_selectors(TrailName=TRAIL, EventSelectors=WRITES_ALONE)
    send_heartbeat(cloud)
    assert came_through(cloud) == []
    published = finding(cloud, "trail-blind")
    assert published["severity"] == "high"
    assert "logs no management events that read" in published["cause"]


def test_a_trail_that_was_stopped_is_published(cloud, account):
    account.client("cloudtrail").stop_logging(Name=TRAIL)
    send_heartbeat(cloud)
    assert came_through(cloud) == []
    assert "it is stopped" in finding(cloud, "trail-blind")["cause"]


def test_a_pause_between_two_heartbeats_is_published_once_it_is_over(cloud, account):
    """Whoever reads secrets while the trail is stopped leaves nothing else behind."""
    cloudtrail = account.client("cloudtrail")
    send_heartbeat(cloud)
    cloudtrail.stop_logging(Name=TRAIL)
    cloud.clock.skip(seconds=600)
    cloudtrail.start_logging(Name=TRAIL)
    cloud.lose_events()
    for _ in range(2):
        send_heartbeat(cloud)
    published = finding(cloud, "trail-blind")
    assert published["severity"] == "high"
    assert f"The trail {TRAIL} did not log from " in published["title"]
    assert published["evidence"]["stopped"] < published["evidence"]["started"]


def test_a_pause_while_another_trail_logged_hid_nothing(cloud, account):
    cloudtrail = account.client("cloudtrail")
    cloudtrail.create_trail(Name="another", S3BucketName=BUCKET, IsMultiRegionTrail=True)
    cloudtrail.start_logging(Name="another")
    cloudtrail.stop_logging(Name=TRAIL)
    cloudtrail.start_logging(Name=TRAIL)
    cloud.lose_events()
    send_heartbeat(cloud)
    assert "trail-blind" not in kinds(cloud)


def test_no_trail_is_published(cloud, account):
    account.client("cloudtrail").delete_trail(Name=TRAIL)
    send_heartbeat(cloud)
    assert "There is no trail" in finding(cloud, "trail-blind")["cause"]


def test_advanced_selectors_are_read(cloud, account):
    management = {"Field": "eventCategory", "Equals": ["Management"]}
    account.client("cloudtrail").put_event_selectors(
        TrailName=TRAIL, AdvancedEventSelectors=[{"FieldSelectors": [management]}]
    )
    send_heartbeat(cloud)
    assert len(came_through(cloud)) == 1
    assert [one["kind"] for one in cloud.findings] == ["guard-changed"]  # that call, and no more


HOME = "eu-west-1"


@pytest.fixture
def elsewhere(cloud, account) -> Any:
    """The account's only trail has another home Region: returns CloudTrail's client there."""
    cloudtrail = account.client("cloudtrail")
    cloudtrail.delete_trail(Name=TRAIL)
    trails = cloud.session("alice").client("cloudtrail", region_name=HOME)
    trails.create_trail(Name=TRAIL, S3BucketName=BUCKET, IsMultiRegionTrail=True)
    trails.start_logging(Name=TRAIL)
    return trails


def failed(cloud) -> list[str]:
    return [one.error for one in cloud.invocations if one.function == FUNCTION and one.error]


def test_a_trail_of_another_home_region_is_asked_there(cloud, elsewhere):
    send_heartbeat(cloud)
    assert len(came_through(cloud)) == 1
    assert cloud.findings == []
    assert failed(cloud) == []
    asked = [one.region for one in cloud.calls if one.action == "GetEventSelectors"]
    assert asked == [HOME]


def test_what_is_wrong_with_a_trail_of_another_home_region_is_published(cloud, elsewhere):
    elsewhere.put_event_selectors(TrailName=TRAIL, EventSelectors=WRITES_ALONE)
    send_heartbeat(cloud)
    published = finding(cloud, "trail-blind")
    assert published["severity"] == "high"
    assert "logs no management events that read" in published["cause"]


def test_a_trail_of_another_home_region_that_is_stopped_is_published(cloud, elsewhere):
    elsewhere.stop_logging(Name=TRAIL)
    send_heartbeat(cloud)
    assert "it is stopped" in finding(cloud, "trail-blind")["cause"]


def test_a_trail_of_one_other_region_is_none_of_this(cloud, elsewhere):
    elsewhere.update_trail(Name=TRAIL, IsMultiRegionTrail=False)
    send_heartbeat(cloud)
    assert "There is no trail" in finding(cloud, "trail-blind")["cause"]


def is_not_known(cloud, error: str) -> None:
    assert failed(cloud) == []
    assert cloud.dead_letters("RuleDeadLetterQueue") == []
    published = finding(cloud, "trail-blind")
    assert published["severity"] == "low"
    assert "not known" in published["title"]
    assert error in published["cause"]


@pytest.mark.parametrize(
    "error",
    [
        "AccessDeniedException",  # a service control policy, or a Region that is denied
        "TrailNotFoundException",  # an organization's trail, asked by a member
        "CloudTrailARNInvalidException",
        "UnrecognizedClientException",  # a Region that the account has not enabled
        "SomethingNew",
    ],
)
def test_what_cannot_be_read_of_a_trail_is_not_known(cloud, elsewhere, error):
    elsewhere.update_trail(Name=TRAIL, IsOrganizationTrail=True)
    cloud.fault("cloudtrail", "GetEventSelectors", error, times=99, function=FUNCTION)
    send_heartbeat(cloud)
    is_not_known(cloud, error)
    assert len(came_through(cloud)) == 1


@pytest.mark.parametrize("action", ["GetTrailStatus", "DescribeTrails"])
def test_nor_is_what_no_question_is_answered_about(cloud, elsewhere, action):
    cloud.fault("cloudtrail", action, "AccessDeniedException", times=99, function=FUNCTION)
    send_heartbeat(cloud)
    is_not_known(cloud, "AccessDeniedException")


def test_that_it_is_not_known_is_published_once(cloud, elsewhere):
    cloud.fault("cloudtrail", "GetEventSelectors", "Denied", times=99, function=FUNCTION)
    for _ in range(11):
        send_heartbeat(cloud)
    cloud.clock.skip(seconds=2 * 86_400)
    send_heartbeat(cloud)
    is_not_known(cloud, "Denied")


def test_a_home_region_that_does_not_answer_is_not_known(cloud, elsewhere):
    cloud.fault("cloudtrail", "GetEventSelectors", "", times=99, when="unserved", function=FUNCTION)
    send_heartbeat(cloud)
    assert failed(cloud) == []
    published = finding(cloud, "trail-blind")
    assert published["severity"] == "low"
    assert f"CloudTrail in {HOME} does not answer" in published["cause"]
    asked = [one for one in cloud.invocations if one.function == FUNCTION]
    assert asked[0].seconds < 15


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("GetTrailStatus", "ThrottlingException"),
        ("GetEventSelectors", "ThrottlingException"),
        ("GetEventSelectors", "InternalFailure"),
        ("DescribeTrails", "ServiceUnavailable"),
    ],
)
def test_what_will_pass_is_not_published(cloud, elsewhere, error, action):
    cloud.fault("cloudtrail", action, error, times=99, function=FUNCTION)
    send_heartbeat(cloud)
    assert failed(cloud) == []
    assert cloud.findings == []


def test_one_trail_that_can_be_read_and_logs_reads_is_enough(cloud, account, elsewhere):
    here = account.client("cloudtrail")
    here.create_trail(Name="here", S3BucketName=BUCKET)
    here.start_logging(Name="here")
    send_heartbeat(cloud)
    regions = [one.region for one in cloud.calls if one.action == "GetEventSelectors"]
    assert regions == [cloud.region]  # the other Region was not even asked
    cloud.fault("cloudtrail", "GetEventSelectors", "AccessDeniedException", times=1)
    send_heartbeat(cloud)
    regions = [one.region for one in cloud.calls if one.action == "GetEventSelectors"]
    assert regions[1:] == [cloud.region, HOME]
    assert cloud.findings == []


def test_a_blind_trail_beside_one_that_is_not_known_is_no_alarm(cloud, account, elsewhere):
    here = account.client("cloudtrail")
    here.create_trail(Name="here", S3BucketName=BUCKET)
    cloud.fault("cloudtrail", "GetEventSelectors", "AccessDeniedException", function=FUNCTION)
    send_heartbeat(cloud)
    published = finding(cloud, "trail-blind")
    assert published["severity"] == "low"
    assert "it is stopped" in published["cause"]
    assert "AccessDeniedException" in published["cause"]


def test_what_is_wrong_is_published_once_a_day_and_not_at_every_tenth_heartbeat(cloud, account):
    account.client("cloudtrail").stop_logging(Name=TRAIL)
    for _ in range(12):
        send_heartbeat(cloud)
    assert kinds(cloud).count("trail-blind") == 1


@pytest.mark.parametrize(
    ("mode", "severity"), [("observe", "medium"), (None, "medium")], ids=["observe", "gone"]
)
def test_a_mode_that_was_not_deployed_is_published_and_again_next_day(
    cloud, account, mode, severity
):
    ssm, name = account.client("ssm"), cloud.outputs["ModeParameterName"]
    if mode:
        ssm.put_parameter(Name=name, Value=mode, Overwrite=True)
    else:
        ssm.delete_parameter(Name=name)
    send_heartbeat(cloud)
    send_heartbeat(cloud)
    assert finding(cloud, "mode-changed")["severity"] == severity
    cloud.clock.skip(seconds=86_460)
    send_heartbeat(cloud)
    assert kinds(cloud).count("mode-changed") == 2


def test_messages_that_were_given_up_are_published(cloud, account):
    sqs = account.client("sqs")
    url = cloud.resource("PolicyDeadLetterQueue")
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    send_heartbeat(cloud)
    published = finding(cloud, "dead-letters")
    assert published["resource"] == url.rsplit("/", 1)[-1]
    assert published["evidence"]["messages"] == 1


@pytest.mark.parametrize(
    ("service", "action"),
    [
        ("events", "ListRules"),
        ("ssm", "GetParameter"),
        ("sqs", "GetQueueAttributes"),
    ],
)
def test_a_check_that_aws_does_not_answer_stops_no_other_and_is_tried_again(
    cloud, account, service, action
):
    account.client("sqs").send_message(
        QueueUrl=cloud.resource("RuleDeadLetterQueue"), MessageBody="{}"
    )
    cloud.fault(service, action, "AccessDeniedException", function=FUNCTION)
    send_heartbeat(cloud)
    runs = [one for one in cloud.invocations if one.function == FUNCTION]
    assert [one.error_type for one in runs] == ["NotChecked", None]
    assert kinds(cloud) == ["dead-letters"]
    assert len(came_through(cloud)) == 2


@pytest.mark.parametrize(
    ("service", "action"),
    [
        ("events", "ListRules"),
        ("ssm", "GetParameter"),
        ("sqs", "GetQueueAttributes"),
    ],
)
def test_what_is_refused_at_every_try_is_published_and_no_dead_letter(cloud, service, action):
    cloud.fault(service, action, "AccessDeniedException", times=99, function=FUNCTION)
    send_heartbeat(cloud)
    runs = [one for one in cloud.invocations if one.function == FUNCTION]
    assert [one.error_type for one in runs] == ["NotChecked", "NotChecked", None]
    (finding,) = [one for one in cloud.findings if one["kind"] == "endpoint-not-repairable"]
    assert f"AWS refused {service}:{action}: AccessDeniedException" in finding["cause"]
    assert finding["todo"][-1] == "the next heartbeat checks again, within an hour"
    assert cloud.dead_letters("RuleDeadLetterQueue") == []


@pytest.mark.parametrize(
    "event", [{}, {"time": None}, {"time": "soon"}, {"time": "2026-06-01T12:00"}]
)
def test_an_event_without_a_time_is_tried_again(event):
    assert not is_last_try(event, NOON)


@pytest.mark.parametrize(("seconds", "last"), [(0, False), (119, False), (120, True), (900, True)])
def test_the_last_try_is_the_one_two_minutes_after_the_event(seconds, last):
    event = {"time": NOON.strftime("%Y-%m-%dT%H:%M:%SZ")}
    assert is_last_try(event, NOON + timedelta(seconds=seconds)) is last


def test_a_heartbeat_that_cannot_be_sent_fails_in_the_end_into_the_dead_letter_queue(cloud):
    cloud.fault("secretsmanager", "DescribeSecret", "InternalFailure", times=99, function=FUNCTION)
    send_heartbeat(cloud)
    (letter,) = cloud.dead_letters("RuleDeadLetterQueue")
    assert "InternalFailure" in json.loads(letter["body"])["responsePayload"]["errorMessage"]
    assert came_through(cloud) == []


def test_the_heartbeats_of_another_guard_are_requests_like_any(cloud):
    other = Caller(kind="role", source_ip="203.0.113.9")
    secrets = cloud.session("vpce-guard-other-HeartbeatRole-1", other).client("secretsmanager")
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.describe_secret(SecretId=f"{NAMESPACE}/another-stack/1790000000000")
    cloud.settle()
    assert kinds(cloud) == ["bypass"]


def test_silence_rings_past_all_that_is_watched(cloud):
    cloud.ring_alarm("HeartbeatAlarm")
    cloud.settle()
    posted = json.dumps(cloud.slack.messages)
    assert "No heartbeat came through" in posted
