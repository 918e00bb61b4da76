"""No policy text costs more than a bounded number of steps, whatever is asked of it."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.policies import (
    PERIMETER,
    SECRET,
    approved,
    asking,
    denying,
    document,
    hostile,
)
from detect_bypass.readers import strangers
from guard.policy import MAX_CHARACTERS, Risk, compare, coverage, matching, parse
from guard.policy.matching import MOST_STEPS, Matcher
from secret_policy.perimeter import gaps

SECONDS = 2.0  # of one core, for one text
STEPS = MOST_STEPS // 10  # fewer than by default, since counting the work takes longer than it
HOSTILE = list(hostile())
PAIRS = [pytest.param(*pair, id=name) for name, *pair in HOSTILE]
TEXTS = [pytest.param(statements, id=name) for name, statements, _ in HOSTILE]


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the innermost functions were called: the work itself, not what counts it."""
    found: Counter[str] = Counter()

    def counted(module: Any, name: str) -> None:
        inner = getattr(module, name)

        def outer(*args: Any, **kwargs: Any) -> Any:
            found[name] += 1
            return inner(*args, **kwargs)

        monkeypatch.setattr(module, name, outer)

    counted(matching, "_takes")
    counted(coverage, "_includes")
    return found


def within(work: Counter[str]) -> bool:
    return work.total() <= STEPS


@pytest.mark.parametrize("statements", TEXTS)
def test_a_comparison_with_two_hundred_patterns(statements: list[Any], work: Counter[str]):
    text = document(*statements)
    assert MAX_CHARACTERS - 500 < len(text) <= MAX_CHARACTERS
    found = compare(text, approved(), Matcher(STEPS))
    assert found
    assert within(work)


@pytest.mark.parametrize(("statements", "nearly"), PAIRS)
def test_a_comparison_with_nearly_itself(
    statements: list[Any], nearly: list[Any], work: Counter[str]
):
    assert compare(document(*statements), parse(document(*nearly)), Matcher(STEPS))
    assert within(work)


@pytest.mark.parametrize("statements", TEXTS)
def test_the_judgement_of_a_secret(statements: list[Any], work: Counter[str]):
    assert gaps(denying(statements), SECRET, PERIMETER, Matcher(STEPS))
    assert within(work)


@pytest.mark.parametrize("statements", TEXTS)
def test_equality_comes_before_words(statements: list[Any], work: Counter[str]):
    text = document(*statements)
    assert compare(text, parse(document(*reversed(statements)))) == ()
    assert work.total() == 0


def seconds(do: Callable[[], object]) -> float:
    """CPU time: what else runs on the machine does not count."""
    began = time.process_time()
    do()
    return time.process_time() - began


@pytest.mark.parametrize(("statements", "nearly"), PAIRS)
def test_no_text_takes_more_than_two_seconds(statements: list[Any], nearly: list[Any]):
    text, other, denies = document(*statements), document(*nearly), denying(statements)
    assert seconds(lambda: compare(text, approved())) < SECONDS
    assert seconds(lambda: compare(text, parse(other))) < SECONDS
    assert seconds(lambda: gaps(denies, SECRET, PERIMETER)) < SECONDS
    assert seconds(lambda: strangers(text, SECRET, {"111122223333"}, "")) < SECONDS


def test_what_takes_too_many_steps_is_reported_as_not_compared():
    def of(count: int) -> str:
        values = [f"*{number:x}*" for number in range(count)]
        return document(asking("StringNotLike", {"aws:SourceVpc": values}))

    (found,) = compare(of(1_050), parse(of(1_049)))
    assert found.text.startswith("not compared: too large")
    assert found.risk is Risk.WIDER
    (reported,) = compare(of(1_050), parse(of(1_049)), Matcher(40_000_000))
    assert reported.text.startswith("allows now if aws:SourceVpc is not like")
