"""The functions as SAM built them, run by another emulator: events in, findings and Slack out."""

import json
import uuid
from typing import Any

from emulator.slack import Slack
from tests.second.conftest import Listener
from tests.second.ministack import Second, until
from tests.template.stack import sample


def send(second: Second, queue: str, event: dict[str, Any]) -> None:
    """Put an event into a queue as a rule does: nobody may put events of `aws.` on a bus."""
    second.client("sqs").send_message(
        QueueUrl=second.resources[queue], MessageBody=json.dumps(event)
    )


def invoke(second: Second, function: str, event: dict[str, Any]) -> Any:
    answer = second.client("lambda").invoke(
        FunctionName=second.resources[function], Payload=json.dumps(event)
    )
    body = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, body
    return body


def item(second: Second, key: str) -> dict[str, Any] | None:
    table = second.resources["StateTable"]
    return second.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": key}}).get("Item")


def test_a_bypass_becomes_a_finding_and_a_message(second: Second, ops: Listener, slack: Slack):
    send(second, "DetectionQueue", sample("bypass.get-secret-value-over-internet"))
    finding = ops.finding("bypass", "user/alice")
    assert finding["severity"] == "high"
    assert finding["title"] == "GetSecretValue by user/alice bypassed the VPC endpoint"
    kept = item(second, f"finding#{finding['fingerprint']}")
    assert kept is not None
    assert kept["tally"] == {"N": "1"}
    message = until("message in Slack", lambda: [m for m in slack.messages if "alice" in str(m)])[0]
    assert "GetSecretValue by `user/alice` bypassed the VPC endpoint" in message["text"]


def test_an_approved_request_becomes_none(second: Second, ops: Listener):
    """By the time that a bypass sent after it was published, it was judged, too."""
    send(second, "DetectionQueue", sample("none.get-secret-value-through-own-endpoint"))
    send(second, "DetectionQueue", sample("bypass.put-secret-value"))
    ops.finding("bypass", "role/orders-app")
    assert [one["kind"] for one in ops.heard] == []


def test_a_change_of_the_guard_is_published(second: Second, ops: Listener):
    record = sample("watch.disable-the-bypass-rule")
    name = record["detail"]["requestParameters"]["name"]
    record = json.loads(json.dumps(record).replace(name, second.resources["BypassRule"]))
    assert invoke(second, "WatchGuardFunction", record) == {"published": True}
    finding = ops.finding("guard-changed", "BypassRule")
    assert "DisableRule" in finding["title"]
    other = sample("watch.enable-rule-of-another-stack")
    assert invoke(second, "WatchGuardFunction", other) == {"published": False}


def test_the_digest_reports_what_its_schedule_finds(second: Second, ops: Listener):
    """Deferred as a function does, published by the rule, which is made to fire each minute."""
    rule = second.resources["DigestRule"]
    second.client("events").put_rule(Name=rule, ScheduleExpression="rate(1 minute)")
    collected = sample("bypass.get-random-password")
    collected["detail"]["eventID"] = str(uuid.uuid4())
    send(second, "DetectionQueue", collected)
    finding = ops.finding("digest")
    assert "GetRandomPassword" in json.dumps(finding)


def test_the_sweep_gives_a_vpc_its_endpoint(second: Second):
    """EC2 as ministack has it: it shows type, service and subnets, and not the private DNS."""
    ec2 = second.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=vpc_id, **{name: {"Value": True}})
    zones = [one["ZoneName"] for one in ec2.describe_availability_zones()["AvailabilityZones"]]
    for number, zone in enumerate(zones[:2]):
        ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=zone)
    invoke(second, "SweepFunction", sample("schedule.six-hours-passed"))
    (made,) = until(  # ministack heeds no filter here
        f"endpoint in {vpc_id}",
        lambda: [
            one for one in ec2.describe_vpc_endpoints()["VpcEndpoints"] if one["VpcId"] == vpc_id
        ],
    )
    assert made["ServiceName"].endswith(".secretsmanager")
    assert made["VpcEndpointType"] == "Interface"
    assert len(made["SubnetIds"]) == 2


def test_nothing_was_given_up(second: Second):
    sqs = second.client("sqs")
    for name, url in second.resources.items():
        if name.endswith("DeadLetterQueue"):
            answer = sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
            )
            assert answer["Attributes"]["ApproximateNumberOfMessages"] == "0", name
