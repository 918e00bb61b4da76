"""What the heartbeat function reports of the guard's own state."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from guard.findings.finding import Finding
from heartbeat.findings import SEES_READS, blind_rules, blind_trails, changed_mode, dead_letters
from heartbeat.trails import Seen
from tests.builders import SETTINGS

NOW = datetime(2026, 9, 14, 9, 30, tzinfo=UTC)
DAY = 86_400
ONCE = 365 * DAY


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    return finding


def test_a_guard_that_is_as_deployed_is_not_spoken_of():
    desired = {"bypass": SEES_READS, "vpc-life": "ENABLED"}
    assert blind_rules({**desired, "somebody's": "DISABLED"}, desired, SETTINGS, NOW) == []
    assert blind_trails([Seen("a", reads=True)], SETTINGS, NOW) == []
    assert changed_mode("observe", "observe", SETTINGS, NOW) == []
    assert dead_letters({"dead": 0}, SETTINGS, NOW) == []


@pytest.mark.parametrize("state", ["ENABLED", "DISABLED"])
def test_no_other_state_will_do_for_a_rule_of_reads(state: str):
    finding = only(blind_rules({"bypass": state}, {"bypass": SEES_READS}, SETTINGS, NOW))
    assert "secrets are read unseen" in finding.cause
    assert SEES_READS in finding.todo[1]


def test_a_rule_that_sees_more_than_deployed_is_not_as_deployed():
    finding = only(blind_rules({"vpc-life": SEES_READS}, {"vpc-life": "ENABLED"}, SETTINGS, NOW))
    assert finding.todo[1].endswith("aws events enable-rule --name vpc-life")


def test_one_trail_that_sees_is_enough_and_one_that_cannot_be_read_may_see():
    blind = Seen("a", reads=False, hindrance="it is stopped")
    assert blind_trails([blind, Seen("b", reads=True)], SETTINGS, NOW) == []
    unread = Seen("b", reads=None, hindrance="CloudTrail in eu-west-1 answers AccessDenied")
    published = only(blind_trails([blind, unread], SETTINGS, NOW))
    assert (published.severity, published.window) == ("low", 30 * DAY)
    assert published.evidence["not_known"] == {"b": unread.hindrance}
    assert "a: it is stopped" in published.cause
    assert blind_trails([blind, replace(unread, passing=True)], SETTINGS, NOW) == []
    assert published.fingerprint != only(blind_trails([blind], SETTINGS, NOW)).fingerprint
    assert "a: it is stopped" in only(blind_trails([blind], SETTINGS, NOW)).cause


@pytest.mark.parametrize(
    ("mode", "deployed", "severity", "window"),
    [
        ("observe", "remediate", "medium", DAY),
        ("remediate", "observe", "low", ONCE),
        (None, "observe", "medium", DAY),
        ("nonsense", "remediate", "medium", DAY),
    ],
)
def test_a_switched_mode_matters_most_where_nothing_is_repaired(
    mode: str | None, deployed: str, severity: str, window: int
):
    finding = only(changed_mode(mode, deployed, SETTINGS, NOW))
    assert (finding.severity, finding.window) == (severity, window)


def test_one_mode_that_was_published_hides_no_other():
    prints = [
        only(changed_mode(mode, "observe", SETTINGS, NOW)).fingerprint
        for mode in ("remediate", None, "nonsense")
    ]
    assert len(set(prints)) == 3


def test_each_queue_is_a_finding_of_its_own():
    published = dead_letters({"b": 2, "a": 1_234, "c": 0}, SETTINGS, NOW)
    assert [(one.resource, one.evidence["messages"]) for one in published] == [
        ("a", 1_234),
        ("b", 2),
    ]
    assert "1,234 messages" in published[0].title
