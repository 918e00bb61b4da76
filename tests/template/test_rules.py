"""Which event wakes which reaction: every sample in events/ against every rule of the stack.

A sample's file is named after the rules it must match, then a dot and what it shows:
`rotation+bypass.rotate-secret-over-internet.json`. One that must match none begins with `none`.
"""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from emulator.eventbridge import matches, state_admits, validate
from tests.template.stack import EVENTS, EVERYTHING, ROOT, Stack, sample
from watch_guard.changes import CLOUDFORMATION, CLOUDTRAIL, GIVEN, TYPES, owner_parts

ALL_EVENTS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
RULES = Stack().of_type("AWS::Events::Rule")
PATTERNS = {name: rule["EventPattern"] for name, rule in RULES.items() if "EventPattern" in rule}
SAMPLES = sorted(path.stem for path in EVENTS.glob("*.json"))

QUEUES_OF = {
    "VpcLifeRule": {"VpcQueue"},
    "GuardTagRule": {"VpcQueue", "PolicyQueue"},
    "ServiceNameRule": {"VpcQueue"},
    "TearDownRule": {"VpcQueue"},
    "EndpointChangeRule": {"VpcQueue", "PolicyQueue"},
    "RotationRule": {"VpcQueue"},
    "SecretPolicyRule": {"DetectionQueue", "SecretPolicyQueue"},
    "SecretBoundRule": {"SecretPolicyQueue"},
    "BypassRule": {"DetectionQueue"},
    "ForeignEndpointRule": {"DetectionQueue"},
    "EndpointDeniedRule": {"DetectionQueue"},
    "DeployRule": {"SweepFunction", "HeartbeatFunction", "SecretPolicyQueue"},
    "ScheduleRule": {"SweepFunction", "SecretPolicyQueue"},
    "FindMissedRule": {"FindMissedFunction"},
    "DigestRule": {"DigestFunction"},
    "HeartbeatRule": {"HeartbeatFunction"},
    "WatchRule": {"WatchGuardFunction"},
}

# An API call's name, or its error, already says which service and which kind of event it is; these
# two are there so that EventBridge reads no further. What they alone decide is tested by samples.
SAID_TWICE = {"source", "detail.eventSource", "detail-type"}


def kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name.removesuffix("Rule")).lower()


def sees(name: str, pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    state = RULES[name].get("State", "ENABLED")
    return state_admits(state, event) and matches(pattern, event)


def matched(event: dict[str, Any]) -> set[str]:
    """The rules that EventBridge would run for an event, as file names spell them."""
    by_pattern = {kebab(name) for name, one in PATTERNS.items() if sees(name, one, event)}
    ticked = (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
    by_time = {
        kebab(name)
        for name in RULES
        if ticked and any(f"-{name}-" in resource for resource in event["resources"])
    }
    return by_pattern | by_time


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_matches_the_rules_in_its_name_and_no_other(name: str):
    rules = name.split(".")[0].split("+")
    assert matched(sample(name)) == set(rules) - {"none"}


def test_samples_are_whole_envelopes_and_are_distinct():
    ids: list[str] = []
    for name in SAMPLES:
        event = sample(name)
        assert list(event)[:4] == ["version", "id", "detail-type", "source"], name
        assert event["account"] == sample(SAMPLES[0])["account"], name
        ids += [event["id"], event["detail"].get("eventID", event["id"] + "/detail")]
    assert len(set(ids)) == len(ids)


def test_every_rule_has_samples_and_near_misses_abound():
    shown = {rule for name in SAMPLES for rule in name.split(".")[0].split("+")}
    assert shown == {kebab(name) for name in RULES} | {"none"}
    assert sum(name.startswith("none.") for name in SAMPLES) >= 15


def leaves(pattern: dict[str, Any], path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every condition in a pattern, alternatives of `$or` included."""
    for key, part in pattern.items():
        if key == "$or":
            for index, choice in enumerate(part):
                yield from leaves(choice, (*path, key, index))
        elif isinstance(part, dict):
            yield from leaves(part, (*path, key))
        else:
            yield (*path, key)


def without(pattern: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    """The pattern less one condition. A part with none left matches all, and so does its `$or`."""
    looser = deepcopy(pattern)
    parents: list[Any] = [looser]
    for step in path[:-1]:
        parents.append(parents[-1][step])
    del parents[-1][path[-1]]
    for parent, step in zip(reversed(parents[:-1]), reversed(path[:-1]), strict=True):
        matches_all = parent[step] == {} or (step == "$or" and {} in parent[step])
        if matches_all and isinstance(parent, dict):
            del parent[step]
    return looser


CONDITIONS = [
    (name, path)
    for name, pattern in PATTERNS.items()
    for path in leaves(pattern)
    if ".".join(str(step) for step in path) not in SAID_TWICE
]


@pytest.mark.parametrize(("name", "path"), CONDITIONS)
def test_every_condition_keeps_a_near_miss_out(name: str, path: tuple[Any, ...]):
    """Without the condition, some sample would match a rule that it must not match."""
    looser = without(PATTERNS[name], path)
    lets_in = [
        one
        for one in SAMPLES
        if sees(name, looser, sample(one)) and not sees(name, PATTERNS[name], sample(one))
    ]
    assert lets_in


def test_service_events_are_kept_out_by_their_detail_type():
    looser = without(PATTERNS["BypassRule"], ("detail-type",))
    assert matches(looser, sample("none.rotation-succeeded-service-event"))


@pytest.mark.parametrize("name", PATTERNS)
def test_eventbridge_takes_the_pattern(name: str):
    validate(PATTERNS[name])
    assert len(json.dumps(PATTERNS[name], separators=(",", ":"))) <= 2048


def test_only_the_rules_for_reads_see_reads():
    assert {name for name, rule in RULES.items() if rule.get("State") == ALL_EVENTS} == {
        "BypassRule",
        "ForeignEndpointRule",
        "SecretBoundRule",
    }
    assert not any(rule.get("State") == "DISABLED" for rule in RULES.values())


def test_the_runbook_names_every_rule_that_must_see_reads():
    text = (ROOT / "docs" / "runbooks" / "rule-blind.md").read_text()
    seeing = {name for name, rule in RULES.items() if rule.get("State") == ALL_EVENTS}
    assert set(re.findall(r"`(\w+Rule)`", text)) == seeing


def test_reads_are_lost_to_a_rule_in_the_plain_state():
    """Why the state matters: the same pattern, merely enabled, would miss the read of a secret."""
    event = sample("bypass.get-secret-value-over-internet")
    assert matches(PATTERNS["BypassRule"], event)
    assert not state_admits("ENABLED", event)
    assert state_admits(RULES["BypassRule"]["State"], event)


def test_foreign_endpoints_are_watched_unless_switched_off():
    rules = Stack({**EVERYTHING, "WatchForeignEndpoints": "false"}).of_type("AWS::Events::Rule")
    assert set(RULES) - set(rules) == {"ForeignEndpointRule"}


def test_each_rule_leads_to_its_reactions():
    leads = {
        name: {target["Arn"].removeprefix("arn:") for target in rule["Targets"]}
        for name, rule in RULES.items()
    }
    assert leads == QUEUES_OF


@pytest.mark.parametrize("name", RULES)
def test_what_a_target_cannot_take_is_retried_and_kept(name: str):
    for target in RULES[name]["Targets"]:
        assert target["DeadLetterConfig"]["Arn"] == "arn:RuleDeadLetterQueue"
        assert target["RetryPolicy"] == {
            "MaximumEventAgeInSeconds": 86400,
            "MaximumRetryAttempts": 185,
        }
        assert "Input" not in target
        assert "InputTransformer" not in target


def test_how_often_each_schedule_comes():
    schedules = {
        name: one["ScheduleExpression"]
        for name, one in RULES.items()
        if "ScheduleExpression" in one
    }
    assert schedules == {
        "ScheduleRule": "rate(6 hours)",
        "DigestRule": "rate(1 hour)",
        "HeartbeatRule": "rate(1 hour)",
        "FindMissedRule": "rate(1 day)",
    }


def test_every_kind_of_resource_that_is_watched_for_can_be_published():
    sources = set(PATTERNS["WatchRule"]["detail"]["eventSource"])
    assert sources == {*TYPES, CLOUDFORMATION, CLOUDTRAIL}
    watched = {kind for kinds in TYPES.values() for kind in kinds}
    made = {one["Type"] for one in Stack().resources.values()}
    owners = {kind for _, kind in GIVEN.values()}
    assert watched - made <= owners
    unwatched = {
        "AWS::CloudWatch::Dashboard",
        "AWS::Lambda::EventInvokeConfig",  # named by its function, and watched so
        "AWS::Lambda::LayerVersion",  # cannot be changed, only replaced by another
        "AWS::Lambda::Permission",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
    }
    assert made - watched <= unwatched


def calls(text: str) -> list[tuple[str, str]]:
    """Source and name of calls that are written `service: Name Name`, a line for a service."""
    lines = [line.partition(":") for line in text.strip().splitlines()]
    return [(source.strip(), name) for source, _, names in lines for name in names.split()]


MUST = """
cloudformation: DeleteStack UpdateStack ExecuteChangeSet SetStackPolicy UpdateTerminationProtection
dynamodb: DeleteTable UpdateTable UpdateTimeToLive UpdateContinuousBackups PutResourcePolicy
dynamodb: DeleteResourcePolicy ExportTableToPointInTime EnableKinesisStreamingDestination
events: PutRule EnableRule DisableRule DeleteRule PutTargets RemoveTargets
iam: PutRolePolicy DeleteRolePolicy AttachRolePolicy DetachRolePolicy UpdateAssumeRolePolicy
iam: DeleteRole PutRolePermissionsBoundary DeleteRolePermissionsBoundary
iam: CreatePolicyVersion SetDefaultPolicyVersion DeletePolicy DeletePolicyVersion
kms: DisableKey DisableKeyRotation EnableKey ScheduleKeyDeletion CancelKeyDeletion PutKeyPolicy
kms: DeleteImportedKeyMaterial CreateGrant RevokeGrant
lambda: UpdateFunctionCode20150331v2 UpdateFunctionConfiguration20150331v2 DeleteFunction20150331
lambda: UpdateFunctionEventInvokeConfig DeleteFunctionEventInvokeConfig PutFunctionEventInvokeConfig
lambda: PutFunctionConcurrency20171031 DeleteFunctionConcurrency20171031
lambda: CreateFunctionUrlConfig UpdateFunctionUrlConfig DeleteFunctionUrlConfig
lambda: CreateEventSourceMapping20150331 UpdateEventSourceMapping20150331
lambda: DeleteEventSourceMapping20150331 AddPermission20150331v2 RemovePermission20150331v2
lambda: PutFunctionCodeSigningConfig DeleteFunctionCodeSigningConfig
lambda: PutRuntimeManagementConfig PutFunctionRecursionConfig
logs: DeleteLogGroup DeleteLogStream PutRetentionPolicy DeleteRetentionPolicy PutSubscriptionFilter
logs: AssociateKmsKey DisassociateKmsKey PutDataProtectionPolicy
monitoring: DeleteAlarms DisableAlarmActions EnableAlarmActions PutMetricAlarm SetAlarmState
monitoring: PutAlarmMuteRule
sns: DeleteTopic SetTopicAttributes SetSubscriptionAttributes Subscribe Unsubscribe AddPermission
sns: RemovePermission PutDataProtectionPolicy
sqs: DeleteQueue PurgeQueue SetQueueAttributes AddPermission RemovePermission StartMessageMoveTask
ssm: PutParameter DeleteParameter DeleteParameters PutResourcePolicy
"""
MUST_NOT = """
cloudformation: CreateChangeSet DetectStackDrift
dynamodb: PutItem UpdateItem DeleteItem CreateTable TagResource
events: PutEvents
iam: CreateRole GetRole CreateUser
kms: Decrypt GenerateDataKey Encrypt RetireGrant
lambda: Invoke CreateFunction20150331 PublishVersion20150331
logs: CreateLogStream PutLogEvents CreateLogGroup
monitoring: PutMetricData PutDashboard
s3: DeleteBucket PutObject
sns: Publish ConfirmSubscription CreateTopic
sqs: SendMessage ReceiveMessage DeleteMessage CreateQueue
ssm: GetParameter AddTagsToResource
"""


@pytest.mark.parametrize(
    ("source", "name", "seen"),
    [(*one, True) for one in calls(MUST)] + [(*one, False) for one in calls(MUST_NOT)],
)
def test_what_can_blind_or_silence_the_guard_is_watched_and_daily_work_is_not(
    source: str, name: str, seen: bool
):
    event = deepcopy(sample("watch.disable-the-bypass-rule"))
    event["detail"] |= {"eventSource": f"{source}.amazonaws.com", "eventName": name}
    assert sees("WatchRule", PATTERNS["WatchRule"], event) is seen


def test_what_the_owner_made_is_reported_to_who_watches():
    made = {
        "SlackWebhookParameter": "/vpce-guard/slack-webhook",
        "EncryptionKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/0f0e",
        "PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/boundary",
    }
    function = Stack({**EVERYTHING, **made}).properties("WatchGuardFunction")
    parts = owner_parts(function["Environment"]["Variables"])
    assert {one.logical_id: one.physical_id for one in parts} == made


def test_only_the_rules_that_lead_to_it_may_invoke_a_function(stack: Stack):
    permissions = stack.of_type("AWS::Lambda::Permission").values()
    assert {(one["FunctionName"], one["SourceArn"], one["Principal"]) for one in permissions} == {
        (target, f"arn:{rule}", "events.amazonaws.com")
        for rule, targets in QUEUES_OF.items()
        for target in targets
        if target.endswith("Function")
    }
