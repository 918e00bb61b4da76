"""The key policy of docs/security.md, and what AWS's services ask of KMS under such a key.

EventBridge's requests carry no source ("Key management", SNS developer guide: source conditions are
"not supported for EventBridge-to-encrypted topics"), and SNS's own statement for encrypted queues
relies on none. CloudWatch Logs gives the log group's ARN as encryption context ("Encrypt log data
in CloudWatch Logs").
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.template.stack import ACCOUNT, REGION, ROOT

KEY_ID = "0a1b2c3d-1111-4222-8333-444455556666"
STRANGER = "999988887777"
EVENTBRIDGE, SNS, CLOUDWATCH = (f"{name}.amazonaws.com" for name in ("events", "sns", "cloudwatch"))
SENDING = ("kms:GenerateDataKey", "kms:Decrypt")
LOGGING = (*SENDING, "kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo")


@dataclass(frozen=True, slots=True)
class Asked:
    """One service's requests under the key, and whether the key's policy should allow them."""

    service: str
    actions: Sequence[str]
    allowed: bool
    context: Mapping[str, str] = field(default_factory=dict[str, str])


def _alarm(account: str) -> dict[str, str]:
    arn = f"arn:aws:cloudwatch:{REGION}:{account}:alarm:vpce-guard-Alarm"
    return {"aws:SourceAccount": account, "aws:SourceArn": arn}


def _logs(account: str, region: str = REGION) -> dict[str, str]:
    arn = f"arn:aws:logs:{region}:{account}:log-group:/aws/lambda/vpce-guard"
    return {"kms:EncryptionContext:aws:logs:arn": arn}


LOGS = f"logs.{REGION}.amazonaws.com"
ASKED = {
    "a rule sends to a queue": Asked(EVENTBRIDGE, SENDING, True),
    "a topic delivers to a queue": Asked(SNS, SENDING, True),
    "an alarm publishes": Asked(CLOUDWATCH, SENDING, True, _alarm(ACCOUNT)),
    "a function logs": Asked(LOGS, LOGGING, True, _logs(ACCOUNT)),
    "an alarm of a stranger": Asked(CLOUDWATCH, SENDING, False, _alarm(STRANGER)),
    "a log group of a stranger": Asked(LOGS, LOGGING, False, _logs(STRANGER)),
    "logs of another Region": Asked("logs.us-west-2.amazonaws.com", LOGGING, False, _logs(ACCOUNT)),
    "a service that has no part in it": Asked("s3.amazonaws.com", SENDING, False),
    "EventBridge wants to give the key away": Asked(
        EVENTBRIDGE, ("kms:CreateGrant", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"), False
    ),
    "an alarm wants to encrypt": Asked(CLOUDWATCH, ("kms:Encrypt",), False, _alarm(ACCOUNT)),
}


def documented(account: str = ACCOUNT, region: str = REGION) -> list[dict[str, Any]]:
    """The statements of docs/security.md, with the placeholders filled."""
    text = (ROOT / "docs" / "security.md").read_text()
    (block,) = re.findall(r"```json\n(\[.*?\])\n```", text, re.DOTALL)
    filled = {"account": account, "region": region, "domain": "amazonaws.com", "partition": "aws"}
    return json.loads(re.sub(r"<(\w+)>", lambda found: filled[found[1]], block))


def with_source(key: str, value: str, account: str = ACCOUNT) -> list[dict[str, Any]]:
    """The documented statements, EventBridge's with a condition on the source: a near miss."""
    operator = "ArnLike" if key.endswith("Arn") else "StringEquals"
    return [
        {**one, "Condition": {operator: {key: value}}} if EVENTBRIDGE in str(one) else one
        for one in documented(account)
    ]


NEAR_MISSES = {
    "aws:SourceAccount": with_source("aws:SourceAccount", ACCOUNT),
    "aws:SourceArn": with_source("aws:SourceArn", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/*"),
    "no statement for EventBridge": [one for one in documented() if EVENTBRIDGE not in str(one)],
}
