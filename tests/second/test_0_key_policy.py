"""The documented key policy, by ministack's evaluator of resource policies, which is not ours."""

import json
import subprocess
from typing import Any

import pytest

from tests.key_policy import ASKED, KEY_ID, NEAR_MISSES, documented
from tests.second.ministack import MINISTACK
from tests.template.stack import ACCOUNT, REGION

EVALUATE = """
import json, sys
from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy
asked = json.load(sys.stdin)
answers = {}
for action in asked["actions"]:
    context = EvalContext(
        principal_arn="", principal_type="Service", principal_account="", action=action,
        resource_arn=asked["key"], region=asked["region"],
        service_context={name.lower(): value for name, value in asked["context"].items()},
    )
    found = evaluate_resource_policy({"Statement": asked["statements"]}, context, asked["service"])
    answers[action] = found.decision == "Allow"
print(json.dumps(answers))
"""


def answers(statements: list[dict[str, Any]], who: str) -> dict[str, bool]:
    asked = ASKED[who]
    request = {
        "actions": asked.actions,
        "context": dict(asked.context),
        "key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY_ID}",
        "region": REGION,
        "service": asked.service,
        "statements": statements,
    }
    done = subprocess.run(
        [MINISTACK.with_name("python"), "-c", EVALUATE],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("who", ASKED)
def test_the_documented_policy_allows_what_is_needed_and_no_more(who: str):
    assert answers(documented(), who) == dict.fromkeys(ASKED[who].actions, ASKED[who].allowed)


@pytest.mark.parametrize("near", NEAR_MISSES)
def test_a_condition_on_the_source_keeps_eventbridge_out(near: str):
    asked = answers(NEAR_MISSES[near], "a rule sends to a queue")
    assert asked == dict.fromkeys(asked, False)
