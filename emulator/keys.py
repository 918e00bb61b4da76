"""KMS keys of the account: whether a key's policy lets an AWS service use it for a queue or topic.

"Configure KMS permissions for AWS services" (SQS, sqs-key-management) and "Enable compatibility
between event sources from AWS services and encrypted topics" (SNS, sns-key-management): who sends
needs kms:GenerateDataKey and kms:Decrypt. EventBridge's requests carry no source: conditions on
aws:SourceArn and aws:SourceAccount are "not supported for EventBridge-to-encrypted topics".
"""

import json

from moto.kms.models import kms_backends
from moto.sns.models import Subscription
from moto.sqs.models import sqs_backends

from emulator.deploy import Deployment, permits

ACTIONS = ("kms:GenerateDataKey", "kms:Decrypt")


def may_use(
    deployment: Deployment, key_id: str, service: str, source: str | None, account: str | None
) -> bool:
    """Whether a service may encrypt for a queue or topic under this key.

    `source` and `account` are what its request to KMS carries of them. No service may use a key of
    AWS, whose policy admits the account's own callers only; nor one that is not there or disabled.
    """
    backend = kms_backends[deployment.account][deployment.region]
    key = backend.keys.get(key_id.rsplit("/", 1)[-1])
    if key is None or not key.enabled:
        return False
    statements = json.loads(key.policy)["Statement"]
    return all(permits(statements, service, action, key.arn, source, account) for action in ACTIONS)


def opens_queue(
    deployment: Deployment, queue_arn: str, service: str, source: str | None, account: str | None
) -> bool:
    """Whether the key of a queue, if it has one of KMS, lets a service send to it."""
    queues = sqs_backends[deployment.account][deployment.region].queues
    key_id = queues[queue_arn.rsplit(":", 1)[-1]].kms_master_key_id  # type: ignore[attr-defined]
    return not key_id or may_use(deployment, key_id, service, source, account)


def opens_to_topic(deployment: Deployment, subscription: Subscription) -> bool:
    """Whether SNS may deliver to a subscription. A queue whose key refuses gets nothing."""
    if subscription.protocol != "sqs":
        return True
    return opens_queue(
        deployment,
        subscription.endpoint,
        "sns.amazonaws.com",
        subscription.topic.arn,
        deployment.account,
    )
