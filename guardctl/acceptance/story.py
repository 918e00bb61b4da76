"""The chapters of a run, and the state of the stack that it must leave."""

from collections.abc import Iterator

from guardctl.acceptance.chapter import Chapter, Check
from guardctl.acceptance.networks import (
    create_vpcs,
    delete_endpoint,
    endpoint_is_back,
    open_policy,
    policy_is_back,
    reword_policy,
    vpc_is_served,
    wording_is_taken,
)
from guardctl.acceptance.polling import Seen
from guardctl.acceptance.reads import bypass_is_published, prepare, read_over_internet
from guardctl.acceptance.rotation import enable_rotation, rotation_is_served
from guardctl.acceptance.stage import Stage
from guardctl.redrive.queues import of_stack


def begin(stage: Stage) -> None:
    prepare(stage)
    stage.props["letters"] = letters(stage)
    create_vpcs(stage)


def nothing(_: Stage) -> None:
    """The last chapter only reads."""


def nothing_was_given_up(stage: Stage) -> Iterator[Check]:
    yield Check(
        "the dead-letter queues hold no more than before", lambda: _given_up(stage), "every"
    )
    yield Check("nothing was in one and put back meanwhile", lambda: put_back(stage), "every")


def letters(stage: Stage) -> dict[str, int]:
    """How many messages each dead-letter queue of the stack holds."""
    return {one.logical_id: one.depth() for one in of_stack(stage.stack)}


def _given_up(stage: Stage) -> Seen:
    before, now = stage.props["letters"], letters(stage)
    more = {name: depth for name, depth in now.items() if depth > before.get(name, 0)}
    return Seen(not more, f"more messages in {more}" if more else "no more")


def put_back(stage: Stage) -> Seen:
    """The heartbeat publishes what it finds in a dead-letter queue before it puts it back."""
    new = {one.name for one in of_stack(stage.stack) if not stage.props["letters"][one.logical_id]}
    found = stage.props["finding_queue"].of_kind("dead-letters")
    titles = [one["title"] for one in found if one["resource"] in new]
    return Seen(not titles, "; ".join(titles) or "nothing")


STORY = (
    Chapter(
        "Two VPCs are created, one of them with the opt-out tag",
        begin,
        vpc_is_served,
    ),
    Chapter(
        "Somebody opens the endpoint's policy to everyone",
        open_policy,
        policy_is_back,
        needs=("endpoint", "finding_queue"),
    ),
    Chapter(
        "Somebody writes the approved policy in other words",
        reword_policy,
        wording_is_taken,
        needs=("endpoint", "approved"),
    ),
    Chapter(
        "A secret is read over the internet",
        read_over_internet,
        bypass_is_published,
        needs=("finding_queue",),
    ),
    Chapter(
        "Somebody deletes the endpoint",
        delete_endpoint,
        endpoint_is_back,
        needs=("endpoint",),
    ),
    Chapter(
        "Rotation is turned on with a function in the other VPC",
        enable_rotation,
        rotation_is_served,
        needs=("secret", "ignored_subnets", "finding_queue"),
    ),
    Chapter(
        "The queues are read", nothing, nothing_was_given_up, needs=("letters", "finding_queue")
    ),
)
