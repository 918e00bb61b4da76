"""The findings topic: who may publish, who shows it in chat, and with which rights."""

from typing import Any

import pytest

from tests.template.stack import Stack, listed
from tools.rights.needs import grants

STACK = Stack()
TENANT, TEAM = "1234abcd-0000-4000-8000-00000000000a", "5678ABCD-0000-4000-8000-00000000000b"
CHANNEL = "19%3ab6ef35dc342d56ba5654e6fc6d25a071%40thread.tacv2"
SLACK, TEAMS = (f"AWS::Chatbot::{name}ChannelConfiguration" for name in ("Slack", "MicrosoftTeams"))
CHAT, TEAMS_CHAT = (
    Stack({"SlackWebhookParameter": "", "AlertEmail": "", "ChatChannel": channel})
    for channel in ("T0123456789/C0123456789", f"{TENANT}/{TEAM}/{CHANNEL}")
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


def test_amazon_q_is_left_out_where_nobody_asks_for_it() -> None:
    assert STACK.of_type(SLACK) == STACK.of_type(TEAMS) == {}
    assert "ChatRole" not in STACK.resources
    assert STACK.properties("DigestFunction")["Environment"]["Variables"]["CHAT"] == "false"


@pytest.mark.parametrize(
    ("stack", "kind", "ids"),
    [
        (CHAT, SLACK, {"SlackWorkspaceId": "T0123456789", "SlackChannelId": "C0123456789"}),
        (
            TEAMS_CHAT,
            TEAMS,
            {"TeamsTenantId": TENANT, "TeamId": TEAM, "TeamsChannelId": CHANNEL},
        ),
    ],
    ids=["slack", "teams"],
)
def test_amazon_q_shows_findings_and_alarms_in_the_channel(
    stack: Stack, kind: str, ids: dict[str, str]
) -> None:
    # One of both: the value says which.
    assert {*stack.of_type(SLACK), *stack.of_type(TEAMS)} == {*stack.of_type(kind)}
    (chat,) = stack.of_type(kind).values()
    assert {name: value for name, value in chat.items() if name.endswith("Id")} == ids
    assert chat["SnsTopicArns"] == ["FindingsTopic", "AlarmsTopic"]
    assert stack.properties("DigestFunction")["Environment"]["Variables"]["CHAT"] == "true"


@pytest.mark.parametrize(("stack", "kind"), [(CHAT, SLACK), (TEAMS_CHAT, TEAMS)])
def test_amazon_q_may_do_nothing(stack: Stack, kind: str) -> None:
    (chat,) = stack.of_type(kind).values()
    assert chat["IamRoleArn"] == "arn:ChatRole"
    role = stack.properties("ChatRole")
    assert not role.get("Policies")
    assert not role.get("ManagedPolicyArns")
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "chatbot.amazonaws.com"}
    assert chat["GuardrailPolicies"] == ["arn:aws:iam::aws:policy/AWSDenyAll"]
    assert chat["UserRoleRequired"] is False
