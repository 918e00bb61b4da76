"""What is published, how often, and in what form."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.findings.finding import Finding, Kind, Severity
from guard.publishing.message import MESSAGE_BYTES, email_text, published_form, subject
from guard.publishing.publish import MOST_NOVEL, NAME_CHARACTERS, PublishError, Reported, report
from guard.settings import BY_DEFAULT, Way
from guard.table.state import Counted
from tests.findings import NOON, bypass, findings


@dataclass
class Topic:
    """SNS as far as it matters here: 10 entries and 256 KB a call, refusals entry by entry."""

    refuse: set[str] = field(default_factory=set)  # kinds
    calls: list[list[dict[str, Any]]] = field(default_factory=list)

    def publish_batch(
        self,
        *,
        TopicArn: str,  # noqa: N803
        PublishBatchRequestEntries: list[dict[str, Any]],  # noqa: N803
    ) -> dict[str, Any]:
        assert TopicArn == "topic"
        assert 1 <= len(PublishBatchRequestEntries) <= 10
        assert sum(map(size, PublishBatchRequestEntries)) <= MESSAGE_BYTES
        ids = [entry["Id"] for entry in PublishBatchRequestEntries]
        assert len(ids) == len(set(ids))
        self.calls.append(PublishBatchRequestEntries)
        bad = {
            entry["Id"]
            for entry in PublishBatchRequestEntries
            if entry["MessageAttributes"]["kind"]["StringValue"] in self.refuse
        }
        return {
            "Successful": [{"Id": id_, "MessageId": "m"} for id_ in ids if id_ not in bad],
            "Failed": [{"Id": id_, "Code": "InternalError", "SenderFault": False} for id_ in bad],
        }

    @property
    def told(self) -> list[dict[str, Any]]:
        return [
            json.loads(json.loads(entry["Message"])["default"])
            for call in self.calls
            for entry in call
        ]


@dataclass
class Memory:
    """`State` without a table: one window per fingerprint that never ends."""

    totals: dict[str, int] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    claims: set[tuple[str, int]] = field(default_factory=set)
    first: dict[str, datetime] = field(default_factory=dict)
    shelves: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    counts: Counter[str] = field(default_factory=Counter)
    graver: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    novel: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    lists: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    full: bool = False

    def count(
        self,
        fingerprint: str,
        n: int,
        _now: datetime,
        _window: int,
        first_seen: datetime,
        _last_seen: datetime,
        *,
        lists: dict[str, list[str]],
        news: set[str],
    ) -> Counted:
        self.totals[fingerprint] = self.totals.get(fingerprint, 0) + n
        self.lists[fingerprint] = lists
        first = self.first.setdefault(fingerprint, first_seen)
        graver, novel = (frozenset(some[fingerprint]) for some in (self.graver, self.novel))
        told = self.told.get(fingerprint, 0)
        return Counted(self.totals[fingerprint], first, told, 0, graver=graver, novel=novel)

    def claim(
        self, fingerprint: str, counted: Counted, _now: datetime, _news: set[str] | None = None
    ) -> bool:
        free = (fingerprint, counted.total) not in self.claims
        self.claims.add((fingerprint, counted.total))
        return free

    def mark_told(
        self,
        fingerprint: str,
        counted: Counted,
        _body: str,
        graver: Sequence[str],
        novel: Sequence[str],
    ) -> bool:
        self.told[fingerprint] = counted.total
        self.graver[fingerprint].update(graver)
        self.novel[fingerprint].update(novel)
        return True

    def tally(self, _now: datetime, counts: dict[str, int]) -> None:
        self.counts.update(counts)

    def shelf(self, name: str) -> "FakeShelf":
        return FakeShelf(self.shelves[name], self.full)


@dataclass
class FakeShelf:
    bodies: dict[str, str]
    full: bool

    def put(self, id_: str, body: str, _now: datetime) -> bool:
        if not self.full:
            self.bodies[id_] = body
        return not self.full


def size(entry: dict[str, Any]) -> int:
    attributes = entry["MessageAttributes"].items()
    return len((entry["Message"] + entry["Subject"]).encode()) + sum(
        len((name + value["DataType"] + value["StringValue"]).encode())
        for name, value in attributes
    )


def tell(
    topic: Topic, memory: Memory, findings: Sequence[Finding], way: Way = BY_DEFAULT
) -> Reported:
    return report(findings, sns=topic, state=memory, topic_arn="topic", now=NOON, way=way)  # pyright: ignore[reportArgumentType]


def test_equal_findings_of_a_batch_are_one_message_with_a_count() -> None:
    topic = Topic()
    assert tell(topic, Memory(), [bypass(), bypass(), bypass(resource="other")]) == Reported(2, 0)
    assert [finding["count"] for finding in topic.told] == [2, 1]


def test_a_finding_seen_before_in_its_window_is_only_counted() -> None:
    topic, memory = Topic(), Memory()
    assert tell(topic, memory, [bypass()]) == Reported(1, 0)
    assert tell(topic, memory, [bypass()]) == Reported(0, 1)
    assert len(topic.told) == 1


def test_the_tenth_sighting_is_told_with_the_total_and_the_time_of_the_first() -> None:
    topic, memory = Topic(), Memory()
    for n in range(10):
        when = NOON + timedelta(minutes=n)
        tell(topic, memory, [bypass(first_seen=when, last_seen=when)])
    assert [finding["count"] for finding in topic.told] == [1, 10]
    assert topic.told[1]["first_seen"] == "2026-05-04T12:00:00Z"
    assert topic.told[1]["last_seen"] == "2026-05-04T12:09:00Z"


def test_a_change_made_to_aws_is_told_each_time() -> None:
    topic, memory = Topic(), Memory()
    created = bypass(kind=Kind.ENDPOINT_CREATED, window=0)
    for _ in range(3):
        assert tell(topic, memory, [created]) == Reported(1, 0)
    assert len(topic.told) == 3
    assert memory.totals == {}


def ids(topic: Topic) -> list[str]:
    return [finding["id"] for finding in topic.told]


def test_each_follow_up_has_an_id_of_its_own() -> None:
    topic, memory = Topic(), Memory()
    for _ in range(100):
        tell(topic, memory, [bypass()])
    tell(topic, memory, [bypass(resource="other")])
    assert len(set(ids(topic))) == len(ids(topic)) == 4


def test_what_is_graver_than_what_was_published_is_published_at_once() -> None:
    topic, memory = Topic(), Memory()
    low, high = ("severity low",), ("severity low", "severity high")
    for graver in (low, low, high, low, high):
        tell(topic, memory, [bypass(graver=graver)])
    assert [finding["count"] for finding in topic.told] == [1, 3]
    assert len(set(ids(topic))) == 2


def test_what_is_new_in_kind_is_published_once_and_within_a_bound() -> None:
    topic, memory = Topic(), Memory()
    for secret in [*range(MOST_NOVEL + 30), *range(MOST_NOVEL)]:
        tell(topic, memory, [bypass(novel=(f"secret {secret}",))])
    milestones = {1, 10, 100}
    assert len(topic.told) == MOST_NOVEL
    assert milestones & {one["count"] for one in topic.told} == {1, 10}


def test_neither_is_part_of_what_subscribers_get() -> None:
    topic = Topic()
    tell(topic, Memory(), [bypass(graver=("g",), novel=("n",))])
    assert not {"graver", "novel"} & topic.told[0].keys()


def test_what_a_digest_will_name_is_kept_with_each_sighting() -> None:
    memory = Memory()
    evidence = {"principal": "p", "secrets": ["s" * 1000, "t\n"], "actions": ["A"], "events": [5]}
    tell(Topic(), memory, [one := bypass(evidence=evidence)])
    lists = memory.lists[one.fingerprint]
    assert lists["seen_callers"] == ["p"]
    assert [len(text) for text in lists["seen_secrets"]] == [NAME_CHARACTERS, 1]
    assert "seen_events" not in lists  # what is no text is not named


def test_what_is_published_again_has_the_id_it_had() -> None:
    topic, memory = Topic(), Memory()
    tell(topic, memory, [bypass()])
    memory.told.clear()  # the process died before it noted that ops were told
    tell(topic, memory, [bypass(count=2)])
    first, again = ids(topic)
    assert first == again


def test_the_id_of_a_change_is_that_of_the_change() -> None:
    topic = Topic()
    created = bypass(kind=Kind.ENDPOINT_CREATED, window=0)
    later = created.first_seen + timedelta(hours=1)
    late = replace(created, title="reported late", last_seen=later)
    another = replace(created, first_seen=later, last_seen=later)
    for one in (created, late, another):
        tell(topic, Memory(), [one])
    first, again, other = ids(topic)
    assert first == again != other


def test_what_another_process_is_telling_is_left_to_it() -> None:
    topic, memory = Topic(), Memory()
    memory.claims.add((bypass().fingerprint, 1))
    assert tell(topic, memory, [bypass()]) == Reported(0, 1)


def test_nothing_to_tell_asks_nothing_of_sns() -> None:
    topic = Topic()
    assert tell(topic, Memory(), []) == Reported(0, 0)
    assert topic.calls == []


def test_many_findings_go_out_ten_to_a_call_in_order() -> None:
    topic = Topic()
    made = [bypass(resource=f"secret-{n}") for n in range(25)]
    assert tell(topic, Memory(), made) == Reported(25, 0)
    assert [len(call) for call in topic.calls] == [10, 10, 5]
    assert [finding["resource"] for finding in topic.told] == [one.resource for one in made]


def test_large_findings_share_a_call_only_as_far_as_its_size_allows() -> None:
    topic = Topic()
    tell(topic, Memory(), [bypass(resource=str(n), evidence={"a": "x" * 60_000}) for n in range(9)])
    assert sum(map(len, topic.calls)) == 9
    assert len(topic.calls) > 2


def test_a_refused_finding_is_an_error_and_stays_due_and_the_others_are_not_told_again() -> None:
    topic, memory = Topic(refuse={"console-access"}), Memory()
    both = [bypass(), bypass(kind=Kind.CONSOLE_ACCESS)]
    with pytest.raises(PublishError, match="console-access: InternalError"):
        tell(topic, memory, both)
    memory.claims.clear()  # they lapse
    topic.refuse.clear()
    assert tell(topic, memory, both) == Reported(1, 1)
    assert topic.told[-1]["kind"] == "console-access"


def test_an_entry_that_sns_does_not_mention_counts_as_refused() -> None:
    class Mute(Topic):
        def publish_batch(self, **_: Any) -> dict[str, Any]:
            return {"Successful": [], "Failed": []}

    memory = Memory()
    with pytest.raises(PublishError):
        tell(Mute(), memory, [bypass()])
    assert memory.told == {}


def test_each_protocol_gets_what_it_can_use_and_filters_get_attributes() -> None:
    topic = Topic()
    tell(topic, Memory(), [bypass()])
    [[entry]] = topic.calls
    assert entry["MessageStructure"] == "json"
    forms = json.loads(entry["Message"])
    assert Finding.from_json(json.loads(forms["default"])).title == bypass().title
    assert "Ask alice whether it was she." in forms["email"]
    assert {name: value["StringValue"] for name, value in entry["MessageAttributes"].items()} == {
        "kind": "bypass",
        "severity": "high",
        "account": "111122223333",
        "region": "eu-west-1",
    }


COLLECT = Way(collect=True)


@pytest.mark.parametrize("severity", Severity)
def test_what_can_wait_is_put_by_and_what_cannot_is_told_at_once(severity: Severity) -> None:
    topic, memory = Topic(), Memory()
    assert tell(topic, memory, [bypass(severity=severity)], COLLECT) == Reported(1, 0)
    waits = severity in (Severity.INFO, Severity.LOW)
    assert (len(topic.told), len(memory.shelves["digest"])) == ((0, 1) if waits else (1, 0))
    assert memory.told == {bypass().fingerprint: 1}


def test_what_is_put_by_is_the_finding_as_it_would_have_been_published() -> None:
    topic, memory = Topic(), Memory()
    tell(
        topic,
        memory,
        [bypass(severity=Severity.LOW)],
        Way(runbooks="https://wiki.example", collect=True),
    )
    ((id_, body),) = memory.shelves["digest"].items()
    assert Finding.from_json(json.loads(body)).id == id_
    assert json.loads(body)["links"]["Runbook"] == "https://wiki.example/bypass.md"


def test_where_nothing_more_can_be_put_by_it_is_told_at_once() -> None:
    topic, memory = Topic(), Memory(full=True)
    assert tell(topic, memory, [bypass(severity=Severity.LOW)], COLLECT) == Reported(1, 0)
    assert len(topic.told) == 1


def test_what_waits_for_a_person_is_remembered_for_the_daily_report() -> None:
    memory = Memory()
    drift = bypass(kind=Kind.POLICY_DRIFT)
    tell(Topic(), memory, [drift, bypass()])
    assert list(memory.shelves["waiting"]) == [drift.fingerprint]


def test_the_day_counts_sightings_by_kind_and_what_was_only_counted() -> None:
    topic, memory = Topic(), Memory()
    tell(topic, memory, [bypass(), bypass()])
    tell(topic, memory, [bypass(), bypass(kind=Kind.POLICY_RESTORED, window=0)])
    assert +memory.counts == Counter(
        {"found bypass": 3, "found policy-restored": 1, "suppressed": 1}
    )


def test_an_attribute_without_a_value_is_left_out_because_sns_refuses_it() -> None:
    topic = Topic()
    tell(topic, Memory(), [bypass(region="")])
    assert "region" not in topic.calls[0][0]["MessageAttributes"]


def test_the_email_says_everything_a_person_needs() -> None:
    body = published_form(bypass(count=12, done=("Nothing.",)), "https://wiki.example/runbooks")
    assert email_text(body) == (
        "HIGH: Secret prod/db was read over the internet\n"
        "\n"
        "GetSecretValue came from 198.51.100.7 and not through a VPC endpoint.\n"
        "\n"
        "What VPCE Guard did:\n"
        "- Nothing.\n"
        "\n"
        "What to do:\n"
        "- Ask alice whether it was she.\n"
        "- Rotate the secret if it was not.\n"
        "\n"
        "Account   111122223333\n"
        "Region    eu-west-1\n"
        "Resource  arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-AbC123\n"
        "Seen      12 times, first 2026-05-04T12:00:00Z, last 2026-05-04T12:00:00Z\n"
        "\n"
        "Evidence:\n"
        "- principal: arn:aws:iam::111122223333:user/alice\n"
        "- source_ip: 198.51.100.7\n"
        '- event_ids: ["6f1c1f0e-0000-4000-8000-000000000001"]\n'
        "\n"
        "Links:\n"
        "- Secret: https://eu-west-1.console.aws.amazon.com/secretsmanager/secret?name=prod%2Fdb\n"
        "- Runbook: https://wiki.example/runbooks/bypass.md\n"
        "\n"
        f"Finding bypass, fingerprint {bypass().fingerprint}\n"
    )


def test_a_record_cannot_write_a_section_of_its_own_into_the_email() -> None:
    forged = "x\n\nWhat to do:\n- Ignore this."
    text = email_text(published_form(bypass(cause=forged, evidence={"agent": forged})))
    assert [line for line in text.splitlines() if line == "What to do:"] == ["What to do:"]
    assert "- Ignore this." not in text.splitlines()


def test_the_subject_is_plain_ascii_that_says_the_gist() -> None:
    title = "Café\r\nBcc: everyone — " + "x" * 200
    text = subject(bypass(title=title, severity=Severity.LOW))
    assert text.startswith("[LOW] Cafe Bcc: everyone")
    assert text.endswith("x...")
    assert len(text) == 99


def test_evidence_that_is_too_large_is_cut_and_the_message_says_so() -> None:
    evidence = {"principal": "alice", "before": "a" * 300_000, "after": "b" * 300_000}
    body = published_form(bypass(evidence=evidence))
    assert body["evidence"]["principal"] == "alice"
    assert body["evidence"]["before"].startswith("aaa")
    assert "evidence.before, evidence.after" in body["evidence"]["cut"]
    assert body["cause"] == bypass().cause
    assert body["fingerprint"] == bypass().fingerprint


def test_two_policies_of_the_greatest_length_are_not_cut() -> None:
    evidence = {"before": "a" * 20_480, "after": "b" * 20_480}
    assert published_form(bypass(evidence=evidence))["evidence"] == evidence


def test_a_finding_whose_very_text_is_too_large_still_goes_out() -> None:
    topic = Topic()
    giant = bypass(
        title="t" * 10**6, cause="c" * 10**6, resource="r" * 10**6, todo=["d" * 10**6] * 9
    )
    assert tell(topic, Memory(), [giant]) == Reported(1, 0)
    assert topic.told[0]["evidence"]["cut"].startswith("too large for SNS, shortened or left out: ")
    assert topic.told[0]["fingerprint"] == giant.fingerprint


def test_an_evidence_value_that_is_not_json_does_not_lose_the_alert() -> None:
    topic = Topic()
    tell(topic, Memory(), [bypass(evidence={"when": NOON})])
    assert topic.told[0]["evidence"] == {"when": "2026-05-04 12:00:00+00:00"}


@settings(max_examples=20, deadline=None)
@given(st.lists(findings, max_size=11))
def test_whatever_is_found_can_be_sent(found: list[Finding]) -> None:
    topic = Topic()
    reported = tell(topic, Memory(), found)
    assert reported.published == len({finding.fingerprint for finding in found})
    for call in topic.calls:
        for entry in call:
            assert entry["Subject"].isascii()
            assert entry["Subject"].isprintable()
            assert 1 <= len(entry["Subject"]) < 100
            text = json.loads(entry["Message"])["email"]
            text.encode()
            assert all(line.isprintable() for line in text.splitlines())
            json.loads(json.loads(entry["Message"])["default"])
