"""When an operation of the guard's own stack went on, by the stack's events."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from watch_guard.stack import Stack

STACK = "arn:aws:cloudformation:eu-west-1:111122223333:stack/vpce-guard/0aa11bb2-3c4d"
NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)


class CloudFormation:
    """Shows the events that it is given, in seconds after noon, newest first, one a page."""

    def __init__(self, *events: tuple[float, str, str]) -> None:
        self.events = events
        self.read = 0

    def get_paginator(self, name: str) -> "CloudFormation":
        assert name == "describe_stack_events"
        return self

    def paginate(self, *, StackName: str) -> Any:  # noqa: N803
        assert StackName == STACK
        for seconds, physical, status in sorted(self.events, reverse=True):
            self.read += 1
            event = {
                "PhysicalResourceId": physical,
                "ResourceStatus": status,
                "Timestamp": NOON + timedelta(seconds=seconds),
            }
            yield {"StackEvents": [event]}


def operating(seconds: float, *events: tuple[float, str, str]) -> bool:
    aws: Any = CloudFormation(*events)
    return Stack(aws, STACK).operating(NOON + timedelta(seconds=seconds))


UPDATE = (
    (-9000.0, STACK, "CREATE_IN_PROGRESS"),
    (-8000.0, STACK, "CREATE_COMPLETE"),
    (0.5, STACK, "UPDATE_IN_PROGRESS"),
    (5.0, "vpce-guard-VpcQueue-1", "UPDATE_IN_PROGRESS"),
    (9.0, "vpce-guard-VpcQueue-1", "UPDATE_COMPLETE"),
    (20.0, STACK, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
    (30.5, STACK, "UPDATE_COMPLETE"),
)


@pytest.mark.parametrize(
    ("seconds", "answer"),
    [(-1, False), (0, True), (1, True), (10, True), (25, True), (30, True), (31, False)],
)
def test_an_operation_has_an_end_on_either_side(seconds: float, answer: bool):
    """A record's time is cut to the second, so the second in which it begins and ends counts."""
    assert operating(seconds, *UPDATE) is answer


def test_the_event_of_a_resource_is_no_operation_of_the_stack():
    others = ((-10.0, STACK, "UPDATE_COMPLETE"), (1.0, "vpce-guard-X", "UPDATE_IN_PROGRESS"))
    assert not operating(2, *others)


def test_a_change_set_that_waits_for_a_first_deployment_changes_nothing():
    assert not operating(5, (0.0, STACK, "REVIEW_IN_PROGRESS"))


def test_a_stack_without_events_had_no_operation():
    assert not operating(0)


def test_it_reads_no_further_than_it_must():
    aws: Any = CloudFormation(*UPDATE)
    assert not Stack(aws, STACK).operating(NOON + timedelta(seconds=60))
    assert aws.read == 1
