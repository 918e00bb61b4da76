"""What a chapter of a run is: something that is done, and what must then come true."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from guardctl.acceptance.polling import Seen
from guardctl.acceptance.stage import Stage


@dataclass(frozen=True, slots=True)
class Check:
    """A claim about AWS's state that is waited for, at most `minutes`.

    `where` names the function of the stack whose work it is, and whose log says why it failed.
    """

    claim: str
    seen: Callable[[], Seen]
    where: str
    minutes: float = 0


@dataclass(frozen=True, slots=True)
class Chapter:
    """One step. `checks` are asked for one after the other: a later one may use what an earlier one
    found. `needs` are the props that earlier chapters leave; without them it is left out.
    """

    title: str
    act: Callable[[Stage], None]
    checks: Callable[[Stage], Iterator[Check]]
    needs: Sequence[str] = ()


def equal(expected: object, seen: object) -> Seen:
    """Whether both are equal, with both in words where they are not."""
    holds = expected == seen
    return Seen(holds, str(seen) if holds else f"expected {expected}, saw {seen}")
