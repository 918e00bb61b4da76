"""Findings for tests: one that is easy to read, and a strategy for any that could be made."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from guard.findings.finding import Finding, Kind, Severity

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)

A_BYPASS = Finding(
    kind=Kind.BYPASS,
    severity=Severity.HIGH,
    account="111122223333",
    region="eu-west-1",
    resource="arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-AbC123",
    title="Secret prod/db was read over the internet",
    cause="GetSecretValue came from 198.51.100.7 and not through a VPC endpoint.",
    todo=("Ask alice whether it was she.", "Rotate the secret if it was not."),
    evidence={
        "principal": "arn:aws:iam::111122223333:user/alice",
        "source_ip": "198.51.100.7",
        "event_ids": ["6f1c1f0e-0000-4000-8000-000000000001"],
    },
    links={
        "Secret": "https://eu-west-1.console.aws.amazon.com/secretsmanager/secret?name=prod%2Fdb"
    },
    identity=("arn:aws:iam::111122223333:user/alice", "GetSecretValue"),
    window=3600,
    first_seen=NOON,
    last_seen=NOON,
)


def bypass(**changes: Any) -> Finding:
    return replace(A_BYPASS, **changes)


# Hostile or clumsy text: everything JSON can carry, lone surrogates too, and what means something
# to Slack, mail or a terminal.
texts = st.one_of(
    st.text(st.characters(), max_size=60),
    st.lists(
        st.sampled_from(
            ["<!channel>", "<@U012>", "<https://evil.example|ok>", "*", "_", "~", "`", "```",
             "&lt;", "@here", ":aws:", "\n> ", "\r\nSubject: x", "\x00", "\u202e", "\ud800",
             "evil.com", "http://evil.example", " ", "a", "é", "😀", '"', "\\", "#general", "<",
             ">", "&"]
        ),
        max_size=12,
    ).map("".join),
)  # fmt: skip
huge = texts.map(lambda text: (text or "x") * (150_000 // (len(text) or 1)))
words = st.one_of(*[texts] * 9, huge)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
times = st.datetimes(timezones=st.just(UTC), min_value=datetime(2000, 1, 1))  # noqa: DTZ001
findings = st.builds(
    Finding,
    kind=st.sampled_from(Kind),
    severity=st.sampled_from(Severity),
    account=texts,
    region=texts,
    resource=words,
    title=words,
    cause=words,
    done=st.lists(words, max_size=5),
    todo=st.lists(words, max_size=5),
    evidence=st.dictionaries(words, json_values, max_size=8),
    links=st.dictionaries(texts, words, max_size=4),
    identity=st.lists(words, max_size=4),
    window=st.integers(0, 86_400),
    count=st.integers(1, 10**9),
    first_seen=times,
    last_seen=times,
)
