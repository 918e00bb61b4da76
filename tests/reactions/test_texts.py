"""Names and reasons that nobody foresaw reach AWS in a form that it takes.

The embedded cloud refuses every other form, as AWS does.
"""

import json

import pytest

from guard.endpoint.state import REASON_TAG
from guard.reconcile.messages import DETAIL_TYPE, SOURCE
from tests.reactions.account import kinds
from tests.records import envelope, read, role

ENSURE = "EnsureEndpointFunction"
HOSTILE = {
    "an apostrophe": "O'Brien's",
    "other scripts": "Пароль 日本語 é",
    "emoji": "\U0001f511\U0001f468\u200d\U0001f469",
    "control characters": "a\x00b\x1b[31mc\r\nd\te\x7f",
    "half a character": "\ud800 and \ufffe",
    "reversed": "\u202egnp.exe",
    "very long": "x" * 5_000,
    "very long and wide": "é🔑" * 3_000,
    "like a tag of AWS": "aws:cloudformation:stack-id",
    "markup": '<b>&amp;"]}{$*',
}


@pytest.fixture(params=HOSTILE.values(), ids=HOSTILE)
def text(request) -> str:
    return request.param


def test_an_endpoint_is_made_for_whatever_reason(cloud, account, text):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.lose_events()
    detail = {"vpcId": vpc_id, "reason": text, "reasons": [text], "who": [text]}
    body = {"source": SOURCE, "detail-type": DETAIL_TYPE, "detail": detail}
    url = cloud.resource("VpcQueue")
    account.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(body))
    cloud.settle()

    (endpoint,) = account.endpoints(vpc_id)
    tags = {tag["Key"]: tag["Value"] for tag in endpoint["Tags"]}
    assert tags[REASON_TAG].isprintable()
    assert len(tags[REASON_TAG]) <= 256
    assert "endpoint-created" in kinds(cloud)
    assert cloud.dead_letters("VpcQueue") == []


def test_an_alert_of_whatever_name_is_published(cloud, text):
    record = read(
        userIdentity=role("app", session=text),
        userAgent=text,
        requestParameters={"secretId": text},
        awsRegion=cloud.region,
        recipientAccountId=cloud.account,
    )
    cloud.inject({**envelope(record), "region": cloud.region, "account": cloud.account})
    cloud.settle()

    assert "bypass" in kinds(cloud)
    assert cloud.dead_letters("DetectionQueue") == []
