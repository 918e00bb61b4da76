"""A digest has an order of its own, whatever the order in which the table answers."""

from datetime import UTC, datetime
from itertools import permutations
from types import SimpleNamespace
from typing import Any, cast

import pytest

from digest.deferred import Digest
from digest.findings import Over
from digest.windows import Closed
from guard.findings.finding import Finding
from tests.builders import SETTINGS

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def closed(id_: str, severity: str, first: str) -> Closed:
    summary = {
        "id": id_,
        "fingerprint": id_,
        "severity": severity,
        "first_seen": first,
        "kind": "bypass",
        "title": id_,
        "count": 2,
        "last_seen": first,
        "over": True,
    }
    return Closed(Over(summary, 1), whole=True, fingerprint=id_, item={})


WINDOWS = [
    closed("b", "medium", "2026-06-01T10:00:00Z"),
    closed("a", "high", "2026-06-01T11:00:00Z"),
    closed("d", "high", "2026-06-01T11:30:00Z"),
    closed("c", "high", "2026-06-01T11:30:00Z"),
]


@pytest.mark.parametrize(
    "answered",
    list(permutations(WINDOWS)),
    ids=lambda some: "".join(one.fingerprint for one in some),
)
def test_the_gravest_come_first_and_then_the_oldest(answered: list[Closed]):
    sent: list[Finding] = []
    nothing = SimpleNamespace(ids=list, parsed=lambda *_: {}, remove=lambda _: None)
    windows = SimpleNamespace(over=lambda _: answered, forget=lambda _: None)
    topic = SimpleNamespace(publish=sent.append)
    Digest(SETTINGS, *cast(Any, (topic, nothing, windows))).publish(NOW)
    (digest,) = sent
    assert [one["id"] for one in digest.evidence["over"]["findings"]] == ["a", "c", "d", "b"]
