"""What runs have made and is still there, found by the tag.

A thing counts only if it also has the name that a run gives, with the id of the tag: whoever puts
the tag on a secret of somebody else must not have it deleted. Names cannot be changed but for a
VPC's, which must have a run's address range instead. What lies in a run's VPC belongs to it: the
endpoint and the group that the guard made there. A subscription cannot have tags: it counts by the
name of the queue that it sends to.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from guardctl.acceptance.polling import absent
from guardctl.acceptance.stage import NETWORK, RUN, TAG, Stage


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """Something to remove. `handle` is what AWS deletes it by, `note` what a person should know."""

    kind: str
    name: str
    run: str
    handle: str = ""
    note: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name} of run {self.run}"


def leftovers(stage: Stage) -> list[Thing]:
    """Everything of any run in this account and Region. Raises ClientError."""
    return [
        *subscriptions(stage),
        *queues(stage),
        *secrets(stage),
        *functions(stage),
        *vpcs(stage),
        *roles(stage),
    ]


def vpcs(stage: Stage) -> Iterator[Thing]:
    pages = _pages(stage, "ec2", "describe_vpcs")
    for page in pages.paginate(Filters=[{"Name": "tag-key", "Values": [TAG]}]):
        for one in page["Vpcs"]:
            tags = one.get("Tags", [])
            if (run := _run(tags, _value(tags, "Name"))) and one["CidrBlock"] == NETWORK:
                yield Thing("VPC", one["VpcId"], run, one["VpcId"])


def inside(stage: Stage, vpc: Thing) -> list[Thing]:
    """What lies in a VPC of a run, in the order in which it can be deleted."""
    return [
        *_inside(stage, vpc, "endpoint", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
        *_inside(
            stage,
            vpc,
            "network interface",
            "describe_network_interfaces",
            "NetworkInterfaces",
            "NetworkInterfaceId",
        ),
        *_inside(
            stage, vpc, "security group", "describe_security_groups", "SecurityGroups", "GroupId"
        ),
        *_inside(stage, vpc, "subnet", "describe_subnets", "Subnets", "SubnetId"),
    ]


def _inside(
    stage: Stage, vpc: Thing, kind: str, operation: str, key: str, id_key: str
) -> Iterator[Thing]:
    pages = _pages(stage, "ec2", operation)
    for page in pages.paginate(Filters=[{"Name": "vpc-id", "Values": [vpc.handle]}]):
        for one in page[key]:
            state = str(one.get("State", one.get("Status", ""))).lower()
            if one.get("GroupName") != "default" and state != "deleted":
                yield Thing(kind, one[id_key], vpc.run, one[id_key], state)


def secrets(stage: Stage) -> Iterator[Thing]:
    pages = _pages(stage, "secretsmanager", "list_secrets")
    for page in pages.paginate(Filters=[{"Key": "tag-key", "Values": [TAG]}]):
        for one in page["SecretList"]:
            # The filter matches the beginning of a key: another key may begin with ours.
            run = _run(one.get("Tags", []), one["Name"])
            if run and "DeletedDate" not in one:
                yield Thing("secret", one["Name"], run, one["ARN"])


def functions(stage: Stage) -> Iterator[Thing]:
    for page in _pages(stage, "lambda", "list_functions").paginate():
        for one in page["Functions"]:
            if one["FunctionName"].startswith(f"{TAG}-"):
                tags = _asked(
                    lambda arn=one["FunctionArn"]: stage.client("lambda").list_tags(Resource=arn)
                )["Tags"]
                if run := _run(_listed(tags), one["FunctionName"]):
                    yield Thing("function", one["FunctionName"], run, one["FunctionName"])


def roles(stage: Stage) -> Iterator[Thing]:
    iam = stage.client("iam")
    for page in _pages(stage, "iam", "list_roles").paginate(PathPrefix=stage.iam_path):
        for one in page["Roles"]:
            name = one["RoleName"]
            answer = _asked(lambda name=name: iam.list_role_tags(RoleName=name))
            if run := _run(answer["Tags"], name):
                yield Thing("role", name, run, name)


def queues(stage: Stage) -> Iterator[Thing]:
    sqs = stage.client("sqs")
    for page in _pages(stage, "sqs", "list_queues").paginate(QueueNamePrefix=f"{TAG}-"):
        for url in page.get("QueueUrls", []):
            answer = _asked(lambda url=url: sqs.list_queue_tags(QueueUrl=url))
            name = url.rsplit("/", 1)[-1]
            if run := _run(_listed(answer.get("Tags", {})), name):
                yield Thing("queue", name, run, url)


def subscriptions(stage: Stage) -> Iterator[Thing]:
    topic = stage.stack.outputs.get("FindingsTopicArn")
    if not topic:  # the stack is deleted, and its topic with the subscriptions
        return
    for page in _pages(stage, "sns", "list_subscriptions_by_topic").paginate(TopicArn=topic):
        for one in page["Subscriptions"]:
            name = one["Endpoint"].rsplit(":", 1)[-1]
            arn = one["SubscriptionArn"]
            run = name.removeprefix(f"{TAG}-")
            if one["Protocol"] == "sqs" and RUN.fullmatch(run) and arn.startswith("arn:"):
                yield Thing("subscription", arn, run, arn)


def _pages(stage: Stage, service: str, operation: str) -> Any:
    return stage.client(service).get_paginator(operation)


def _asked(call: Any) -> dict[str, Any]:
    """An answer about one thing that may have gone since it was listed; then no tags."""
    try:
        return call()
    except ClientError as error:
        if absent(error):
            return {"Tags": {}}
        raise


def _run(tags: Any, name: str) -> str:
    """The run whose tag and name a thing has; "" if it is none's."""
    run = _value(tags, TAG)
    own = RUN.fullmatch(run) and f"{name}-".startswith(f"{TAG}-{run}-")
    return run if own else ""


def _value(tags: Any, key: str) -> str:
    return next((one["Value"] for one in tags if one["Key"] == key), "")


def _listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
