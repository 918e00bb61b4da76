"""What the digest and the daily report say of what was deferred."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.findings import (
    PART_BYTES,
    Day,
    Over,
    Waiting,
    daily_report,
    digest,
    for_digest,
    parts,
)
from guard.findings.finding import Finding, Kind, Severity
from guard.findings.summary import line, readable, summary
from guard.publishing.message import MESSAGE_BYTES, email_text, entry, published_form, weight
from guard.settings import Publishing
from tests.builders import SETTINGS
from tests.findings import NOON, bypass, findings


def deferred(finding: Finding) -> dict[str, Any]:
    return for_digest(published_form(finding))


def over(finding: Finding) -> dict[str, Any]:
    return {**summary(published_form(finding)), "over": True}


@settings(max_examples=8)
@given(findings)
def test_a_summary_is_small_whatever_the_finding_holds(finding: Finding) -> None:
    assert len(str(deferred(finding)).encode(errors="replace")) < 20_000


@settings(max_examples=20)
@given(st.lists(findings, max_size=30))
def test_parts_hold_every_finding_once_in_order_and_fit_into_messages(found: list[Finding]) -> None:
    summaries = [deferred(finding) for finding in found]
    lists = parts(summaries)
    assert [one for some in lists for one in some] == summaries
    assert all(lists)
    for some in lists:
        assert weight(entry("0", digest(SETTINGS, NOON, some), Publishing())) <= MESSAGE_BYTES


def test_more_than_one_message_can_carry_is_several() -> None:
    summaries = [deferred(bypass(resource=f"{n}", cause="c" * 600)) for n in range(200)]
    assert len(parts(summaries)) > 1
    for some in parts(summaries):
        body = published_form(digest(SETTINGS, NOON, some))
        assert "cut" not in body["evidence"]
        assert len(str(some)) < 2 * PART_BYTES


def test_a_digest_says_how_many_of_each() -> None:
    published = [
        deferred(bypass(severity=Severity.LOW)),
        over(bypass(count=7)),
        over(bypass(count=8)),
    ]
    finding = digest(SETTINGS, NOON, published)
    assert finding.title == "Digest: 1 finding of low severity and 2 repeated alerts summed up"
    assert (finding.kind, finding.severity) == (Kind.DIGEST, Severity.LOW)
    assert list(finding.evidence) == ["collected", "over"]
    assert list(digest(SETTINGS, NOON, published[1:]).evidence) == ["over"]


def test_the_same_findings_are_the_same_digest_and_others_another() -> None:
    published = [deferred(bypass()), over(bypass(count=7))]
    later = NOON + timedelta(minutes=1)
    ids = [
        published_form(digest(SETTINGS, when, some))["id"]
        for when, some in ((NOON, published), (later, published), (NOON, published[:1]))
    ]
    assert ids[0] == ids[1] != ids[2]


def test_the_mail_has_a_line_for_each() -> None:
    published = [deferred(bypass(severity=Severity.LOW)), over(bypass(count=1_234))]
    text = email_text(published_form(digest(SETTINGS, NOON, published)))
    assert (
        "- collected:\n"
        "    [low] Secret prod/db was read over the internet (bypass, 2026-05-04T12:00:00Z)\n"
        "- over:\n"
        "    [high] Secret prod/db was read over the internet (bypass, 1,234 times, "
        "2026-05-04T12:00:00Z to 2026-05-04T12:00:00Z)\n"
    ) in text


@settings(max_examples=25)
@given(findings)
def test_a_finding_is_one_line(finding: Finding) -> None:
    assert line(deferred(finding)).isprintable()


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ({"findings": []}, ["none"]),
        ({"bypass": 1_000, "digest": 2}, ["bypass: 1,000", "digest: 2"]),
        ({"findings": ["x"]}, None),
        ({"a": "b"}, None),
        ({"a": True}, None),
        (["a"], None),
        ("a", None),
    ],
)
def test_only_lists_of_findings_and_counts_are_laid_out(value: object, lines: object) -> None:
    assert readable(value) == lines


@pytest.mark.parametrize(
    ("count", "published", "more"), [(1, 1, False), (12, 10, True), (5, 0, True)]
)
def test_what_was_published_in_full_is_not_summed_up(
    count: int, published: int, more: bool
) -> None:
    assert Over({**over(bypass()), "count": count}, published).unpublished is more


def waiting(kind: Kind, since: int, latest: int) -> Waiting:
    """Published first and last so many hours before noon."""
    body = summary(published_form(bypass(kind=kind, resource=f"{kind} {since} {latest}")))
    return Waiting(body, NOON - timedelta(hours=since), NOON - timedelta(hours=latest))


def report_of(counts: dict[str, int], *waits: Waiting, mode: str = "remediate") -> Finding:
    return daily_report(SETTINGS, NOON, Day(date(2026, 5, 3), counts), waits, mode)


def test_a_report_distinguishes_found_repaired_suppressed_and_excepted() -> None:
    finding = report_of(
        {
            "found bypass": 3,
            "found policy-restored": 2,
            "suppressed": 7,
            "excepted": 40,
            "expires_at": 1,
        }
    )
    assert finding.title == ("Daily report of 2026-05-03: 3 found, 2 repaired, 0 paused, 0 overdue")
    assert finding.evidence["found"] == {"bypass": 3}
    assert finding.evidence["repaired"] == {"policy-restored": 2}
    assert (finding.evidence["suppressed"], finding.evidence["excepted"]) == (7, 40)
    assert finding.first_seen == datetime(2026, 5, 3, tzinfo=UTC)
    assert finding.todo == ()


def test_overdue_is_what_was_published_again_a_day_later_and_paused_what_the_guard_leaves() -> None:
    finding = report_of(
        {},
        waiting(Kind.POLICY_DRIFT, 48, 1),
        waiting(Kind.POLICY_DRIFT, 2, 2),
        waiting(Kind.STOOD_DOWN, 2, 2),
        mode="observe",
    )
    published = {
        name: [one["resource"] for one in finding.evidence[name]["findings"]]
        for name in ("paused", "overdue")
    }
    assert published == {"paused": ["stood-down 2 2"], "overdue": ["policy-drift 48 1"]}
    assert len(finding.todo) == 3


@pytest.mark.parametrize(("latest", "stale"), [(25, False), (27, True)])
def test_what_is_not_published_again_has_been_dealt_with(latest: int, stale: bool) -> None:
    assert waiting(Kind.POLICY_DRIFT, 48, latest).stale(NOON) is stale
