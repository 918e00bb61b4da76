"""The findings topic: who may publish, who shows it in chat, and with which rights."""

from typing import Any

import pytest

from tests.template.stack import Stack, listed
from tools.rights.needs import grants

STACK = Stack()
CHAT = Stack(
    {
        "SlackWebhookParameter": "",
        "AlertEmail": "",
        "ChatChannel": "T0123456789/C0123456789",
    }
)


def statements(policy: str) -> dict[str, dict[str, Any]]:
    document = STACK.properties(policy)["PolicyDocument"]
    return {one["Sid"]: one for one in document["Statement"]}


def test_only_functions_that_find_something_may_publish() -> None:
    deny = statements("FindingsTopicPolicy")["OnlyTheGuardPublishes"]
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "sns:Publish")
    assert list(deny["Condition"]) == ["ArnNotEquals"]
    tellers = {
        f"arn:{name}"
        for name, role in STACK.of_type("AWS::IAM::Role").items()
        if any(
            grant.action == "sns:Publish" and "FindingsTopic" in listed(grant.resources)
            for grant in grants(role)
        )
    }
    assert set(deny["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]) == tellers


def test_nobody_is_let_in_by_the_topics_policy() -> None:
    assert {one["Effect"] for one in statements("FindingsTopicPolicy").values()} == {"Deny"}


@pytest.mark.parametrize("policy", ["FindingsTopicPolicy", "AlarmsTopicPolicy"])
def test_a_topic_refuses_plain_text(policy: str) -> None:
    deny = statements(policy)["OnlyOverTls"]
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "sns:Publish")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_amazon_q_is_left_out_where_nobody_wants_it() -> None:
    assert STACK.of_type("AWS::Chatbot::SlackChannelConfiguration") == {}
    assert "ChatRole" not in STACK.resources
    assert STACK.properties("DigestFunction")["Environment"]["Variables"]["CHAT"] == "false"


def test_amazon_q_shows_findings_and_alarms_in_the_channel() -> None:
    (chat,) = CHAT.of_type("AWS::Chatbot::SlackChannelConfiguration").values()
    assert chat["SnsTopicArns"] == ["FindingsTopic", "AlarmsTopic"]
    assert (chat["SlackWorkspaceId"], chat["SlackChannelId"]) == ("T0123456789", "C0123456789")
    assert CHAT.properties("DigestFunction")["Environment"]["Variables"]["CHAT"] == "true"


def test_amazon_q_may_do_nothing() -> None:
    (chat,) = CHAT.of_type("AWS::Chatbot::SlackChannelConfiguration").values()
    assert chat["IamRoleArn"] == "arn:ChatRole"
    role = CHAT.properties("ChatRole")
    assert not role.get("Policies")
    assert not role.get("ManagedPolicyArns")
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "chatbot.amazonaws.com"}
    assert chat["GuardrailPolicies"] == ["arn:aws:iam::aws:policy/AWSDenyAll"]
    assert chat["UserRoleRequired"] is False
