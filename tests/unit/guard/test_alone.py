"""One thing fails alone, and a batch is tried in halves."""

import pytest

from guard import alone


def bad(numbers):
    if 7 in numbers:
        raise ValueError(numbers)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 100])
def test_one_of_many_fails_alone(count):
    failed, done = [], []

    def do(some):
        bad(some)
        done.extend(some)

    alone.together(range(count), do, lambda one, _: failed.append(one))
    assert failed == [7] * (count > 7)
    assert done == [one for one in range(count) if one != 7]


def test_what_concerns_all_is_not_tried_in_halves():
    calls, failed = [], []

    def do(some):
        calls.append(some)
        raise OSError

    alone.together([1, 2, 3], do, lambda one, _: failed.append(one), lambda _: True)
    assert len(calls) == 1
    assert failed == [1, 2, 3]


def test_each_gives_what_was_done_in_order_and_names_what_failed():
    failed = {}
    done = alone.each([1, 0, 2], lambda n: 2 // n, lambda n, error: failed.update({n: error}))
    assert done == [2, 1]
    assert isinstance(failed[0], ZeroDivisionError)


def test_the_end_of_the_process_is_no_failure_of_one_thing():
    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        alone.each([1], stop, lambda *_: None)
