"""What Amazon Q Developer shows in chat: its schema, its limits, and nothing in it obeyed."""

import json
from typing import Any

from hypothesis import given, settings
from jsonschema import Draft202012Validator

from guard.findings.finding import Finding
from guard.publishing.amazon_q import custom_notification
from guard.publishing.message import MESSAGE_BYTES, entry, message, published_form, weight
from guard.settings import Publishing
from tests.findings import bypass, findings
from tests.unit.notify_slack.test_payload import ESCAPED


def text(most: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": most}


def of(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


# "Custom notifications", Amazon Q Developer in chat applications administrator guide.
SCHEMA = of(
    version={"const": "1.0"},
    source={"const": "custom"},
    id=text(100),
    content=of(
        textType={"const": "client-markdown"},
        title=text(250),
        description=text(8_000),
        nextSteps={"type": "array", "items": text(350)},
        keywords={"type": "array", "items": text(75)},
    ),
    metadata=of(
        threadId=text(100),
        summary=text(250),
        eventType=text(100),
        relatedResources={"type": "array", "items": text(400)},
        additionalContext={"type": "object", "additionalProperties": text(100)},
        enableCustomActions={"const": False},
    ),
)
VALIDATOR = Draft202012Validator(SCHEMA)


@settings(deadline=None, max_examples=8)
@given(findings)
def test_any_finding_is_a_notification_within_the_limits_and_inert(finding: Finding) -> None:
    notification = json.loads(custom_notification(published_form(finding)))
    VALIDATOR.validate(notification)
    content = notification["content"]
    for shown in (content["title"], content["description"], *content["nextSteps"]):
        assert ESCAPED.fullmatch(shown)


def test_it_says_what_a_person_needs() -> None:
    finding = bypass(count=12)
    notification = json.loads(custom_notification(published_form(finding)))
    content = notification["content"]
    assert content["title"].startswith("HIGH: Secret `prod/db` was read over the internet")
    assert "seen 12 times" in content["description"]
    assert (
        "`docs/runbooks/bypass.md`" in content["description"]
        or "bypass.md" in content["description"]
    )
    assert content["nextSteps"][0] == "Ask alice whether it was she."
    assert notification["metadata"]["threadId"] == finding.fingerprint


def test_only_where_it_is_set_up_do_https_subscribers_get_it() -> None:
    body = published_form(bypass())
    assert set(json.loads(message(body))) == {"default", "email"}
    forms = json.loads(message(body, chat=True))
    assert set(forms) == {"default", "email", "https"}
    assert json.loads(forms["https"])["source"] == "custom"
    assert json.loads(forms["default"])["id"] == body["id"]


@settings(deadline=None, max_examples=8)
@given(findings)
def test_with_it_the_message_is_still_within_snss_limit(finding: Finding) -> None:
    assert weight(entry("0", finding, Publishing(chat=True))) <= MESSAGE_BYTES
