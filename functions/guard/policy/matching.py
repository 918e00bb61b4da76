"""Questions about patterns, answered within a number of steps: no text keeps the guard busy."""

from collections.abc import Sequence

from guard.policy import patterns
from guard.policy.patterns import ARN_PARTS, WITHIN_PART, is_variable

MOST_STEPS = 1_000_000
"""What one comparison or evaluation may cost: about half a second of one core."""

_STARS = frozenset(["*", WITHIN_PART["*"]])
_ANY_ONE = frozenset(["?", WITHIN_PART["?"]])
_NO_COLON = frozenset(WITHIN_PART.values())


class TooLarge(Exception):
    """A question that takes more steps than it may."""


class Matcher:
    """What patterns match, cover and have in common. Each method raises TooLarge.

    `left` is how many steps it may still take: one is about a symbol that is read.
    """

    def __init__(self, most: int = MOST_STEPS) -> None:
        self.left = most
        self._symbols: dict[str, tuple[str, ...]] = {}
        self._covered: dict[tuple[str, str, bool], bool] = {}

    def take(self, steps: int) -> None:
        """Count steps that were taken, or are about to be."""
        self.left -= steps
        if self.left < 0:
            raise TooLarge

    def symbols(self, pattern: str) -> tuple[str, ...]:
        """`patterns.symbols`, found once for each pattern."""
        if pattern not in self._symbols:
            self.take(len(pattern))
            self._symbols[pattern] = patterns.symbols(pattern)
        return self._symbols[pattern]

    def covers(self, wide: str, narrow: str) -> bool:
        """Whether everything that `narrow` matches is matched by `wide` too: yes is certain.

        A variable stands for a text unknown here: it is covered by itself and by `*` alone.
        """
        return self._covers(wide, narrow, arns=False)

    def arn_covers(self, wide: str, narrow: str) -> bool:
        """`covers` for whole ARNs, part by part between colons.

        That holds as well where a `*` that ends a part takes colons: what covers such a part ends
        in a `*` itself.
        """
        return self._covers(wide, narrow, arns=True)

    def _covers(self, wide: str, narrow: str, *, arns: bool) -> bool:
        self.take(1)
        if wide in ("*", narrow):
            return True
        if not narrow.startswith(patterns.start(wide)):
            return False
        asked = wide, narrow, arns
        if asked not in self._covered:
            some = self.symbols(wide), self.symbols(narrow)
            self._covered[asked] = self._parts_match(*some) if arns else self.matches(*some)
        return self._covered[asked]

    def _parts_match(self, wide: Sequence[str], narrow: Sequence[str]) -> bool:
        self.take(len(wide) + len(narrow))
        mine, its = patterns.arn_parts(wide), patterns.arn_parts(narrow)
        return len(mine) == len(its) == ARN_PARTS and all(map(self.matches, mine, its))

    def matches(
        self, pattern: Sequence[str], text: Sequence[str], *, perhaps: bool = False
    ) -> bool:
        """Whether the symbols of a pattern take all that a text, or another pattern, stands for.

        `perhaps`: a `?` in the text is a character that is not known; it may be the right one.
        """
        reached = _past_stars(pattern, {0})
        for symbol in text:
            self.take(len(reached) + 1)
            after = {
                at if pattern[at] in _STARS else at + 1
                for at in reached
                if at < len(pattern) and _takes(pattern[at], symbol, perhaps=perhaps)
            }
            reached = _past_stars(pattern, after)
            if not reached:
                return False
        return len(pattern) in reached

    def meets(self, a: str, b: str) -> bool:
        """Whether some text is matched by both patterns. A variable may stand for any text."""
        self.take(1)
        mine, its = patterns.start(a), patterns.start(b)
        if not (mine.startswith(its) or its.startswith(mine)):
            return False
        left, right = (
            tuple("*" if is_variable(symbol) else symbol for symbol in self.symbols(one))
            for one in (a, b)
        )
        reached = _past_stars(right, {0})
        for symbol in left:
            self.take(len(reached) + 1)
            if symbol == "*":
                reached = set(range(min(reached), len(right) + 1))
                continue
            after = {
                at if right[at] == "*" else at + 1
                for at in reached
                if at < len(right) and (right[at] in ("*", "?", symbol) or symbol == "?")
            }
            reached = _past_stars(right, after)
            if not reached:
                return False
        return len(right) in reached


def _past_stars(pattern: Sequence[str], reached: set[int]) -> set[int]:
    """These positions, and those behind the stars that they are at."""
    found = set(reached)
    for at in reached:
        while at < len(pattern) and pattern[at] in _STARS:
            at += 1
            found.add(at)
    return found


def _takes(mine: str, symbol: str, *, perhaps: bool) -> bool:
    """Whether a symbol of a pattern takes one of a text, or of another pattern."""
    if mine == symbol:
        return True
    if symbol == ":" and mine in _NO_COLON:
        return False
    if mine in _STARS:
        return True
    if symbol == "*" or is_variable(symbol):
        return False
    return mine in _ANY_ONE or (perhaps and symbol == "?" and not is_variable(mine) and mine != ":")


def covers(wide: str, narrow: str) -> bool:
    """`Matcher.covers`, by itself. Raises TooLarge."""
    return Matcher().covers(wide, narrow)


def arn_covers(wide: str, narrow: str) -> bool:
    """`Matcher.arn_covers`, by itself. Raises TooLarge."""
    return Matcher().arn_covers(wide, narrow)


def meets(a: str, b: str) -> bool:
    """`Matcher.meets`, by itself. Raises TooLarge."""
    return Matcher().meets(a, b)
