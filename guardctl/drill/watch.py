"""Chapters about the guard itself: it proves that it lives, and reports who lays a hand on it."""

from emulator.metrics import measured
from guardctl.drill.chapter import Checks
from guardctl.drill.stage import Stage
from heartbeat.findings import SEES_READS


def send_heartbeat(stage: Stage) -> None:
    stage.cloud.fire_schedule("HeartbeatRule")


def heartbeat_came_through(stage: Stage) -> Checks:
    seconds = [
        value
        for run in stage.cloud.invocations
        for one in measured(run.output)
        if one.name == "HeartbeatSeconds"
        for value in one.values
    ]
    yield "it went the whole way from CloudTrail to its judgement", len(seconds) >= 1
    yield "in less than a minute of AWS's time", max(seconds) < 60


def blind_the_guard(stage: Stage) -> None:
    rule = stage.cloud.resource("BypassRule")
    stage.client("events", "mallory").enable_rule(Name=rule)
    stage.cloud.settle()
    stage.cloud.fire_schedule("HeartbeatRule")


def blindness_is_published(stage: Stage) -> Checks:
    published = stage.cloud.findings[stage.props["findings_before"] :]
    kinds = [one["kind"] for one in published]
    yield "ops knew at once who laid a hand on the guard", kinds[0] == "guard-changed"
    yield "by name", "user/mallory" in published[0]["title"]
    yield "and by the next heartbeat that the rule sees no reads", "rule-blind" in kinds
    rule = stage.cloud.resource("BypassRule")
    events = stage.client("events", "audience")
    pattern = events.describe_rule(Name=rule)["EventPattern"]
    events.put_rule(Name=rule, EventPattern=pattern, State=SEES_READS)
    stage.cloud.lose_events()
