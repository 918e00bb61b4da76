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

from guard.findings.finding import WORDS, Finding, Kind, Severity
from guard.publishing.message import (
    ENTRY_BYTES,
    MESSAGE_BYTES,
    SMALL,
    email_text,
    message,
    published_form,
    subject,
)
from guard.publishing.novelty import MOST_FIRST_USES
from guard.publishing.publish import NAME_CHARACTERS, Published, Publisher
from guard.publishing.topic import PublishError, Topic
from guard.settings import BY_DEFAULT, Publishing
from guard.table.counts import Counted
from tests.findings import NOON, bypass, findings


@dataclass
class Sns:
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
    def published(self) -> list[dict[str, Any]]:
        return [
            json.loads(json.loads(entry["Message"])["default"])
            for call in self.calls
            for entry in call
        ]


@dataclass
class Memory:
    """Counts and figures without a table: one window per fingerprint that never ends."""

    totals: dict[str, int] = field(default_factory=dict)
    published: dict[str, int] = field(default_factory=dict)
    claims: set[tuple[str, int]] = field(default_factory=set)
    first: dict[str, datetime] = field(default_factory=dict)
    collections: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    counts: Counter[str] = field(default_factory=Counter)
    graver: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    novel: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    lists: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    seen: dict[str, dict[str, list[str]]] = field(default_factory=lambda: defaultdict(dict))
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
        words: set[str],
    ) -> Counted:
        self.totals[fingerprint] = self.totals.get(fingerprint, 0) + n
        self.lists[fingerprint] = lists
        known = self.seen[fingerprint]
        known |= {name: [*known.get(name, []), *some] for name, some in lists.items()}
        first = self.first.setdefault(fingerprint, first_seen)
        graver, novel = (frozenset(some[fingerprint]) for some in (self.graver, self.novel))
        published = self.published.get(fingerprint, 0)
        return Counted(
            self.totals[fingerprint], first, published, 0, graver=graver, novel=novel, lists=known
        )

    def claim(
        self, fingerprint: str, counted: Counted, _now: datetime, _words: set[str] | None = None
    ) -> bool:
        free = (fingerprint, counted.total) not in self.claims
        self.claims.add((fingerprint, counted.total))
        return free

    def mark_published(
        self,
        fingerprint: str,
        counted: Counted,
        _body: str,
        graver: Sequence[str],
        novel: Sequence[str],
    ) -> bool:
        self.published[fingerprint] = counted.total
        self.graver[fingerprint].update(graver)
        self.novel[fingerprint].update(novel)
        return True

    def add_to_day(self, _now: datetime, counts: dict[str, int]) -> None:
        self.counts.update(counts)

    def collection(self, name: str) -> "FakeDeferred":
        return FakeDeferred(self.collections[name], self.full)


@dataclass
class FakeDeferred:
    bodies: dict[str, str]
    full: bool

    def add(self, id_: str, body: str, _now: datetime) -> bool:
        if not self.full:
            self.bodies[id_] = body
        return not self.full


def size(entry: dict[str, Any]) -> int:
    attributes = entry["MessageAttributes"].items()
    return len((entry["Message"] + entry["Subject"]).encode()) + sum(
        len((name + value["DataType"] + value["StringValue"]).encode())
        for name, value in attributes
    )


def publish(
    sns: Sns, memory: Memory, findings: Sequence[Finding], publishing: Publishing = BY_DEFAULT
) -> Published:
    topic: Any = Topic(sns, "topic", publishing)  # pyright: ignore[reportArgumentType]
    fake: Any = memory
    return Publisher(topic, fake, fake, fake.collection).publish(findings, NOON)


def test_equal_findings_of_a_batch_are_one_message_with_a_count() -> None:
    sns = Sns()
    assert publish(sns, Memory(), [bypass(), bypass(), bypass(resource="other")]) == Published(2, 0)
    assert [finding["count"] for finding in sns.published] == [2, 1]


def test_a_finding_seen_before_in_its_window_is_only_counted() -> None:
    sns, memory = Sns(), Memory()
    assert publish(sns, memory, [bypass()]) == Published(1, 0)
    assert publish(sns, memory, [bypass()]) == Published(0, 1)
    assert len(sns.published) == 1


def test_the_tenth_sighting_is_published_with_the_total_and_the_time_of_the_first() -> None:
    sns, memory = Sns(), Memory()
    for n in range(10):
        when = NOON + timedelta(minutes=n)
        publish(sns, memory, [bypass(first_seen=when, last_seen=when)])
    assert [finding["count"] for finding in sns.published] == [1, 10]
    assert sns.published[1]["first_seen"] == "2026-05-04T12:00:00Z"
    assert sns.published[1]["last_seen"] == "2026-05-04T12:09:00Z"


def test_a_change_made_to_aws_is_published_each_time() -> None:
    sns, memory = Sns(), Memory()
    created = bypass(kind=Kind.ENDPOINT_CREATED, window=0)
    for _ in range(3):
        assert publish(sns, memory, [created]) == Published(1, 0)
    assert len(sns.published) == 3
    assert memory.totals == {}


def ids(sns: Sns) -> list[str]:
    return [finding["id"] for finding in sns.published]


def test_each_follow_up_has_an_id_of_its_own() -> None:
    sns, memory = Sns(), Memory()
    for _ in range(100):
        publish(sns, memory, [bypass()])
    publish(sns, memory, [bypass(resource="other")])
    assert len(set(ids(sns))) == len(ids(sns)) == 4


def test_what_is_graver_than_what_was_published_is_published_at_once() -> None:
    sns, memory = Sns(), Memory()
    low, high = ("severity low",), ("severity low", "severity high")
    for graver in (low, low, high, low, high):
        publish(sns, memory, [bypass(graver=graver)])
    assert [finding["count"] for finding in sns.published] == [1, 3]
    assert len(set(ids(sns))) == 2


def test_first_reads_are_published_once_each_and_within_a_bound() -> None:
    sns, memory = Sns(), Memory()
    for secret in [*range(MOST_FIRST_USES + 30), *range(MOST_FIRST_USES)]:
        publish(sns, memory, [bypass(novel=(f"secret {secret}",))])
    milestones = {1, 10, 100}
    assert len(sns.published) == MOST_FIRST_USES
    assert milestones & {one["count"] for one in sns.published} == {1, 10}


@pytest.mark.parametrize(
    "new",
    [
        {"novel": ("key AKIAEXAMPLE",)},
        {"novel": ("tool curl",)},
        {"novel": ("address 203.0.0.0/8",)},
        {"graver": ("cause 0a",)},
        {"graver": ("severity high",)},
        {"graver": ("opens 0a",)},
    ],
    ids=lambda new: str(*new.values()),
)
def test_first_reads_crowd_out_nothing_else(new: dict[str, Any]) -> None:
    sns, memory = Sns(), Memory()
    for n in range(30):
        publish(sns, memory, [bypass(novel=tuple(f"secret {n}-{m}" for m in range(20)))])
    published = len(sns.published)
    publish(sns, memory, [bypass(**new)])
    assert len(sns.published) == published + 1


@pytest.mark.parametrize("which", ["graver", "novel"])
def test_other_words_have_a_bound_that_no_severity_has(which: str) -> None:
    sns, memory = Sns(), Memory()
    for n in range(WORDS + 50):
        publish(sns, memory, [bypass(**{which: (f"cause {n}",)})])
    assert len(sns.published) == WORDS
    publish(sns, memory, [bypass(graver=("severity high",))])
    assert len(sns.published) == WORDS + 1


def test_a_follow_up_says_what_is_new_and_what_was_seen_so_far() -> None:
    sns, memory = Sns(), Memory()
    for secret in ("crown", "dev", "dev"):
        evidence = {"secrets": [secret], "principal": "p"}
        publish(sns, memory, [bypass(novel=(f"secret {secret}",), evidence=evidence)])
    first, second = sns.published
    assert "new" not in first["evidence"]
    assert second["evidence"]["new"] == ["the first read of a secret"]
    assert second["evidence"]["secrets"] == ["dev", "crown"]


def test_neither_is_part_of_what_subscribers_get() -> None:
    sns = Sns()
    publish(sns, Memory(), [bypass(graver=("g",), novel=("n",))])
    assert not {"graver", "novel"} & sns.published[0].keys()


def test_what_a_digest_will_name_is_kept_with_each_sighting() -> None:
    memory = Memory()
    evidence = {"principal": "p", "secrets": ["s" * 1000, "t\n"], "actions": ["A"], "events": [5]}
    publish(Sns(), memory, [one := bypass(evidence=evidence)])
    lists = memory.lists[one.fingerprint]
    assert lists["seen_callers"] == ["p"]
    assert [len(text) for text in lists["seen_secrets"]] == [NAME_CHARACTERS, 1]
    assert "seen_events" not in lists  # what is no text is not named


def test_what_is_published_again_has_the_id_it_had() -> None:
    sns, memory = Sns(), Memory()
    publish(sns, memory, [bypass()])
    memory.published.clear()  # the process died before it noted that ops were notified
    publish(sns, memory, [bypass(count=2)])
    first, again = ids(sns)
    assert first == again


def test_the_id_of_a_change_is_that_of_the_change() -> None:
    sns = Sns()
    created = bypass(kind=Kind.ENDPOINT_CREATED, window=0)
    later = created.first_seen + timedelta(hours=1)
    late = replace(created, title="reported late", last_seen=later)
    another = replace(created, first_seen=later, last_seen=later)
    for one in (created, late, another):
        publish(sns, Memory(), [one])
    first, again, other = ids(sns)
    assert first == again != other


def test_what_another_process_is_publishing_is_left_to_it() -> None:
    sns, memory = Sns(), Memory()
    memory.claims.add((bypass().fingerprint, 1))
    assert publish(sns, memory, [bypass()]) == Published(0, 1)


def test_nothing_to_report_asks_nothing_of_sns() -> None:
    sns = Sns()
    assert publish(sns, Memory(), []) == Published(0, 0)
    assert sns.calls == []


def test_many_findings_go_out_ten_to_a_call_in_order() -> None:
    sns = Sns()
    made = [bypass(resource=f"secret-{n}") for n in range(25)]
    assert publish(sns, Memory(), made) == Published(25, 0)
    assert [len(call) for call in sns.calls] == [10, 10, 5]
    assert [finding["resource"] for finding in sns.published] == [one.resource for one in made]


def test_large_findings_share_a_call_only_as_far_as_its_size_allows() -> None:
    sns = Sns()
    publish(
        sns, Memory(), [bypass(resource=str(n), evidence={"a": "x" * 60_000}) for n in range(9)]
    )
    assert sum(map(len, sns.calls)) == 9
    assert len(sns.calls) > 2


def test_a_refused_finding_is_an_error_and_stays_due_and_the_others_are_not_published_again() -> (
    None
):
    sns, memory = Sns(refuse={"console-access"}), Memory()
    both = [bypass(), bypass(kind=Kind.CONSOLE_ACCESS)]
    with pytest.raises(PublishError, match="console-access: InternalError"):
        publish(sns, memory, both)
    memory.claims.clear()  # they lapse
    sns.refuse.clear()
    assert publish(sns, memory, both) == Published(1, 1)
    assert sns.published[-1]["kind"] == "console-access"


def test_an_entry_that_sns_does_not_mention_counts_as_refused() -> None:
    class Mute(Sns):
        def publish_batch(self, **_: Any) -> dict[str, Any]:
            return {"Successful": [], "Failed": []}

    memory = Memory()
    with pytest.raises(PublishError):
        publish(Mute(), memory, [bypass()])
    assert memory.published == {}


def test_each_protocol_gets_what_it_can_use_and_filters_get_attributes() -> None:
    sns = Sns()
    publish(sns, Memory(), [bypass()])
    [[entry]] = sns.calls
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


COLLECT = Publishing(collect=True)


@pytest.mark.parametrize("severity", Severity)
def test_what_can_wait_is_deferred_and_what_cannot_is_published_at_once(severity: Severity) -> None:
    sns, memory = Sns(), Memory()
    assert publish(sns, memory, [bypass(severity=severity)], COLLECT) == Published(1, 0)
    waits = severity in (Severity.INFO, Severity.LOW)
    assert (len(sns.published), len(memory.collections["digest"])) == ((0, 1) if waits else (1, 0))
    assert memory.published == {bypass().fingerprint: 1}


def test_what_is_deferred_is_the_finding_as_it_would_have_been_published() -> None:
    sns, memory = Sns(), Memory()
    publish(
        sns,
        memory,
        [bypass(severity=Severity.LOW)],
        Publishing(runbooks="https://wiki.example", collect=True),
    )
    ((id_, body),) = memory.collections["digest"].items()
    assert Finding.from_json(json.loads(body)).id == id_
    assert json.loads(body)["links"]["Runbook"] == "https://wiki.example/bypass.md"


def test_where_nothing_more_can_be_deferred_it_is_published_at_once() -> None:
    sns, memory = Sns(), Memory(full=True)
    assert publish(sns, memory, [bypass(severity=Severity.LOW)], COLLECT) == Published(1, 0)
    assert len(sns.published) == 1


def test_what_waits_for_a_person_is_remembered_for_the_daily_report() -> None:
    memory = Memory()
    drift = bypass(kind=Kind.POLICY_DRIFT)
    publish(Sns(), memory, [drift, bypass()])
    assert list(memory.collections["waiting"]) == [drift.fingerprint]


def test_the_day_counts_sightings_by_kind_and_what_was_only_counted() -> None:
    sns, memory = Sns(), Memory()
    publish(sns, memory, [bypass(), bypass()])
    publish(sns, memory, [bypass(), bypass(kind=Kind.POLICY_RESTORED, window=0)])
    assert +memory.counts == Counter(
        {"found bypass": 3, "found policy-restored": 1, "suppressed": 1}
    )


def test_an_attribute_without_a_value_is_left_out_because_sns_refuses_it() -> None:
    sns = Sns()
    publish(sns, Memory(), [bypass(region="")])
    assert "region" not in sns.calls[0][0]["MessageAttributes"]


def test_the_email_says_everything_a_person_needs() -> None:
    body = published_form(
        bypass(count=12, done=("Nothing.",)), Publishing("https://wiki.example/runbooks")
    )
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
    sns = Sns()
    giant = bypass(
        title="t" * 10**6, cause="c" * 10**6, resource="r" * 10**6, todo=["d" * 10**6] * 9
    )
    assert publish(sns, Memory(), [giant]) == Published(1, 0)
    assert sns.published[0]["evidence"]["cut"].startswith(
        "too large for SNS, shortened or left out: "
    )
    assert sns.published[0]["fingerprint"] == giant.fingerprint


def test_an_evidence_value_that_is_not_json_does_not_lose_the_alert() -> None:
    sns = Sns()
    publish(sns, Memory(), [bypass(evidence={"when": NOON})])
    assert sns.published[0]["evidence"] == {"when": "2026-05-04 12:00:00+00:00"}


@settings(max_examples=20, deadline=None)
@given(st.lists(findings, max_size=11))
def test_whatever_is_found_can_be_sent(found: list[Finding]) -> None:
    sns = Sns()
    reported = publish(sns, Memory(), found)
    assert reported.published == len({finding.fingerprint for finding in found})
    for call in sns.calls:
        for entry in call:
            assert entry["Subject"].isascii()
            assert entry["Subject"].isprintable()
            assert 1 <= len(entry["Subject"]) < 100
            text = json.loads(entry["Message"])["email"]
            text.encode()
            assert all(line.isprintable() for line in text.splitlines())
            json.loads(json.loads(entry["Message"])["default"])


# What takes most bytes for a character: escapes, control characters, breaks that are indented.
WORST = st.sampled_from(["\\", '"', "\n", "\x00", "\x1f", "é", "\u2028", "😀", "a", "\\\n\\"])


@given(st.lists(WORST, min_size=1).map("".join), st.integers(1, 30_000), st.booleans())
def test_what_is_small_fits_whatever_it_is_made_of(part: str, times: int, listed: bool):
    """So that its message need not be made to see that."""
    text = (part * times)[: SMALL // 2]
    finding = replace(
        bypass(), cause=text, todo=[text] if listed else [], evidence={text[:99]: text}
    )
    body = published_form(finding)
    if len(json.dumps(body)) <= SMALL:
        assert len(message(body)) <= ENTRY_BYTES
