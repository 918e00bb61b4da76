"""A chapter in which a secret is read past the endpoint, by the public address of the service.

A role of the run reads it, not the operator: an alert is one per caller and hour, and a reviewed
exception may cover the operator.
"""

from collections.abc import Iterator
from typing import Any

import boto3

from guardctl.acceptance.chapter import Check
from guardctl.acceptance.finding_queue import subscribe
from guardctl.acceptance.networks import wording_is_left
from guardctl.acceptance.roles import make_role
from guardctl.acceptance.stage import Stage
from guardctl.stack import CONFIG

DETECT = "DetectBypassFunction"


def prepare(stage: Stage) -> None:
    """Subscribe to the findings, before anything happens that is published."""
    stage.props["finding_queue"] = subscribe(stage)


def read_over_internet(stage: Stage) -> None:
    secret = stage.client("secretsmanager").create_secret(
        Name=stage.name, SecretString="not a secret", Tags=stage.tags()
    )["ARN"]
    stage.props["secret"] = secret
    role = make_role(
        stage,
        "reader",
        {"AWS": f"arn:{stage.partition}:iam::{stage.stack.account}:root"},
        [
            {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret},
            {
                "Effect": "Allow",
                "Action": "sqs:GetQueueUrl",
                "Resource": stage.props["queue_arn"],
            },
        ],
    )
    stage.props["reader"] = role
    session = _assumed(stage, role)
    # A read that is refused is another finding. So ask first for what the same policy allows.
    sqs = session.client("sqs", config=CONFIG)
    stage.polling.patiently(lambda: sqs.get_queue_url(QueueName=stage.name), *DENIED)
    secrets = session.client("secretsmanager", config=CONFIG)
    stage.polling.patiently(lambda: secrets.get_secret_value(SecretId=secret), *DENIED)


def bypass_is_published(stage: Stage) -> Iterator[Check]:
    finding_queue, secret = stage.props["finding_queue"], stage.props["secret"]
    yield Check(
        "a bypass of severity high was published, with the role and the secret",
        lambda: finding_queue.finding("bypass", stage.props["reader"], secret, severity="high"),
        DETECT,
        stage.patience,
    )
    if "reworded" in stage.props and "endpoint" in stage.props:
        yield wording_is_left(stage)


DENIED = ("AccessDenied", "AccessDeniedException", "InvalidClientTokenId")
"""What AWS answers while IAM does not know everywhere what was just made."""


def _assumed(stage: Stage, role: str) -> Any:
    """A session of the role. Ctrl-C is heard before its calls, too."""
    keys = stage.polling.patiently(
        lambda: stage.client("sts").assume_role(RoleArn=role, RoleSessionName="acceptance"),
        *DENIED,
    )["Credentials"]
    session: Any = boto3.Session(
        keys["AccessKeyId"],
        keys["SecretAccessKey"],
        keys["SessionToken"],
        region_name=stage.stack.region,
    )
    session.events.register("before-call", stage.polling.stop.check)
    return session
