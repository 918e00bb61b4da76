"""One thing fails, and harms no other: the one place where any error of one of many is caught."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


def each[T, R](
    things: Iterable[T], do: Callable[[T], R], failed: Callable[[T, Exception], object]
) -> list[R]:
    """What `do` gives for each thing. One that fails is handed to `failed` with its error, which
    logs it and sends it back or sets it aside; the others are done all the same.
    """
    done: list[R] = []
    for thing in things:
        try:
            done.append(do(thing))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is of this thing alone
            failed(thing, error)
    return done


def together[T](
    things: Sequence[T],
    do: Callable[[Sequence[T]], object],
    failed: Callable[[T, Exception], object],
    concerns_all: Callable[[Exception], bool] = lambda _: False,
) -> None:
    """Have `do` done for all things at once. Where something in one of them breaks it, it is done
    again for either half, down to the one that is handed to `failed`.

    An error that `concerns_all` is each thing's error: to try the halves would be of no use.
    """
    try:
        do(things)
    except Exception as error:  # noqa: BLE001 - as above
        if len(things) <= 1 or concerns_all(error):
            for thing in things:
                failed(thing, error)
            return
        half = len(things) // 2
        together(things[:half], do, failed, concerns_all)
        together(things[half:], do, failed, concerns_all)
