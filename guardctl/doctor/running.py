"""A stack that is deployed already: does anybody hear of it, and may it write?

Needs sns:ListSubscriptionsByTopic and ssm:GetParameters.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from guardctl.doctor.lines import Line, State, asked
from guardctl.doctor.place import Place

MODE = "mode"
TOPICS = {"FindingsTopicArn": "subscribers of findings", "AlarmsTopicArn": "subscribers of alarms"}
PENDING = "PendingConfirmation"


def running(place: Place, stack: Mapping[str, Any]) -> list[Line]:
    """`stack` is what DescribeStacks says of it."""
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
    lines: list[Line] = []
    for key, check in TOPICS.items():
        if arn := outputs.get(key):
            lines += asked(check, "sns", lambda check=check, arn=arn: [_heard(place, check, arn)])
    if name := outputs.get("ModeParameterName"):
        lines += asked(MODE, "ssm", lambda: [_mode(place, name)])
    return lines


def subscriptions(place: Place, topic: str) -> list[Mapping[str, Any]]:
    """Those of a topic. Raises ClientError."""
    pages = place.client("sns").get_paginator("list_subscriptions_by_topic")
    return [one for page in pages.paginate(TopicArn=topic) for one in page["Subscriptions"]]


def is_heard(place: Place, topic: str) -> bool:
    """Whether somebody has confirmed a subscription of the topic. Raises ClientError."""
    return any(one["SubscriptionArn"] != PENDING for one in subscriptions(place, topic))


def judge_heard(
    check: str, topic: str, subscribed: Sequence[Mapping[str, Any]], region: str
) -> Line:
    """The guard's own queue for Slack counts, as people hear through it."""
    confirmed = [one for one in subscribed if one["SubscriptionArn"] != PENDING]
    pending = [one["Endpoint"] for one in subscribed if one["SubscriptionArn"] == PENDING]
    if pending:
        text = f"AWS waits for {', '.join(pending)} to confirm"
        return Line(check, State.WARN, text, "follow the link in the mail from AWS Notifications")
    if not confirmed:
        do = (
            f"aws sns subscribe --region {region} --topic-arn {topic} --protocol email"
            " --notification-endpoint YOU@EXAMPLE.COM"
        )
        return Line(check, State.WARN, "there are none: nobody would be notified", do)
    return Line(check, State.OK, f"{len(confirmed)} confirmed")


def judge_mode(value: str | None, name: str) -> Line:
    if value not in ("observe", "remediate"):
        text = f"{name} is {value!r}: the guard writes nothing"
        return Line(MODE, State.WARN, text, "put observe or remediate there")
    says = "it reports and writes nothing" if value == "observe" else "it writes"
    return Line(MODE, State.OK, f"{value}: {says}")


def _heard(place: Place, check: str, topic: str) -> Line:
    return judge_heard(check, topic, subscriptions(place, topic), place.region)


def _mode(place: Place, name: str) -> Line:
    found = place.client("ssm").get_parameters(Names=[name])["Parameters"]
    return judge_mode(found[0]["Value"] if found else None, name)
