"""A stack under a key of the owner's: with the policy of docs/security.md everything arrives, and
with one that AWS would not honour the loss is published.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto.kms.models import kms_backends
from moto.sqs.models import sqs_backends

from emulator import Cloud
from emulator import cloud as emulator
from guard.policy.document import parse
from guard.policy.evaluate import Outcome, Request, evaluate
from tests.key_policy import (
    ASKED,
    CLOUDWATCH,
    EVENTBRIDGE,
    KEY_ID,
    NEAR_MISSES,
    SNS,
    documented,
    with_source,
)
from tests.template.stack import ACCOUNT, REGION, sample

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY_ID}"


def allows(statements: list[dict[str, Any]], service: str, action: str, context: Any) -> bool:
    policy = parse(json.dumps({"Version": "2012-10-17", "Statement": statements}))
    principals = frozenset({f"Service:{service}"})
    request = Request(
        action=action, resource=KEY, principals=principals, context=context, complete=True
    )
    return evaluate(policy, request).outcome is Outcome.ALLOW


@pytest.mark.parametrize("who", ASKED)
def test_the_documented_policy_allows_what_is_needed_and_no_more(who: str):
    asked = ASKED[who]
    found = {one: allows(documented(), asked.service, one, asked.context) for one in asked.actions}
    assert found == dict.fromkeys(asked.actions, asked.allowed)


@pytest.mark.parametrize("near", NEAR_MISSES)
def test_a_condition_on_the_source_keeps_eventbridge_out(near: str):
    asked = ASKED["a rule sends to a queue"]
    for action in asked.actions:
        assert not allows(NEAR_MISSES[near], asked.service, action, asked.context)


# --- the stack under such a key -------------------------------------------------------------------


@pytest.fixture(scope="module")
def deployed() -> Iterator[Cloud]:
    key = f"arn:aws:kms:{emulator.REGION}:{emulator.ACCOUNT}:key/{KEY_ID}"
    with Cloud.start(parameters={"EncryptionKeyArn": key}) as cloud:
        yield cloud


def under_key(cloud: Cloud, statements: list[dict[str, Any]]) -> Cloud:
    """The cloud after a reset, its key under these statements."""
    cloud.reset()
    backend = kms_backends[cloud.account][cloud.region]
    key = backend.create_key(json.dumps({"Statement": statements}), "ENCRYPT_DECRYPT", "", "", [])
    backend.keys = {KEY_ID: key}
    return cloud


def own(cloud: Cloud, *, without: str = "") -> list[dict[str, Any]]:
    """The documented statements for the cloud's account, all that name a service but one."""
    found = documented(cloud.account, cloud.region)
    return [one for one in found if not without or without not in str(one["Principal"])]


def bypass(cloud: Cloud) -> dict[str, Any]:
    return sample("bypass.get-secret-value-over-internet") | {"region": cloud.region}


def test_under_the_documented_policy_all_arrives(deployed: Cloud):
    cloud = under_key(deployed, own(deployed))
    cloud.inject(bypass(cloud))
    cloud.settle()
    assert [one["kind"] for one in cloud.findings] == ["bypass"]
    assert cloud.slack.posts == 1
    assert cloud.watch_metrics() == []
    cloud.ring_alarm("VpcDeadLetterAlarm")
    assert cloud.queue_depth("NotifyUrgentQueue") == 1


def test_with_a_condition_on_the_source_the_event_is_lost_and_two_alarms_report(deployed: Cloud):
    cloud = under_key(
        deployed, with_source("aws:SourceAccount", deployed.account, deployed.account)
    )
    cloud.inject(bypass(cloud))
    cloud.settle()
    assert cloud.findings == []
    assert cloud.dead_letters("RuleDeadLetterQueue") == []
    assert cloud.watch_metrics() == ["BypassRuleFailedAlarm", "BypassRuleLostAlarm"]


def test_an_event_that_its_dead_letter_queue_takes_is_no_loss(
    deployed: Cloud, monkeypatch: pytest.MonkeyPatch
):
    """Which is why there are two alarms; and the rules that failed at nothing stay silent."""
    cloud = under_key(deployed, own(deployed))
    name = cloud.resource("DetectionQueue").rsplit("/", 1)[-1]
    monkeypatch.delitem(sqs_backends[cloud.account][cloud.region].queues, name)
    cloud.inject(bypass(cloud))
    cloud.route()
    (letter,) = cloud.dead_letters("RuleDeadLetterQueue")
    assert letter["attributes"]["ERROR_CODE"] == "NO_RESOURCE"
    assert cloud.watch_metrics() == ["BypassRuleFailedAlarm"]


def test_without_a_statement_for_sns_no_finding_reaches_slacks_queue(deployed: Cloud):
    statements = own(deployed)
    (sending,) = [one for one in statements if SNS in str(one["Principal"])]
    sending["Principal"] = {"Service": EVENTBRIDGE}
    cloud = under_key(deployed, statements)
    cloud.inject(bypass(cloud))
    cloud.settle()
    assert [one["kind"] for one in cloud.findings] == ["bypass"]
    assert cloud.slack.posts == 0


def test_without_a_statement_for_cloudwatch_no_alarm_is_published(deployed: Cloud):
    cloud = under_key(deployed, own(deployed, without=CLOUDWATCH))
    with pytest.raises(PermissionError, match="does not let CloudWatch use it"):
        cloud.ring_alarm("BypassRuleLostAlarm")


def test_a_disabled_key_stops_all_of_it(deployed: Cloud):
    cloud = under_key(deployed, own(deployed))
    kms_backends[cloud.account][cloud.region].keys[KEY_ID].enabled = False
    cloud.inject(bypass(cloud))
    cloud.settle()
    assert cloud.findings == []
    with pytest.raises(PermissionError):
        cloud.watch_metrics()
