"""IAM's wildcards: `*` for any characters, `?` for one, `${...}` for a policy variable.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

import re
from functools import lru_cache

_VARIABLE = re.compile(r"(\$\{[^{}]*\})")
_WILDCARDS = re.compile(r"[*?]{2,}")
ESCAPED_DOLLAR = "${$}"


def tidy(pattern: str) -> str:
    """The same pattern with each run of wildcards in one order: `*?*` becomes `?*`."""
    pieces = _VARIABLE.split(pattern)
    pieces[::2] = (_WILDCARDS.sub(_in_order, piece) for piece in pieces[::2])
    return "".join(pieces)


def _in_order(run: re.Match[str]) -> str:
    return "?" * run[0].count("?") + ("*" if "*" in run[0] else "")


def with_variables(text: str) -> str:
    """A value of policy language 2012-10-17: names of variables are not case sensitive."""
    return _VARIABLE.sub(_lower_name, text)


def _lower_name(variable: re.Match[str]) -> str:
    name, comma, default = variable[0].partition(",")
    return name.lower() + comma + default


def without_variables(text: str) -> str:
    """A value of policy language 2008-10-17, where `${...}` is text, as 2012-10-17 writes it."""
    return _VARIABLE.sub(lambda variable: ESCAPED_DOLLAR + variable[0][1:], text)


def has_variables(text: str) -> bool:
    """Whether the value names a policy variable (or one of the escapes `${*}`, `${?}`, `${$}`)."""
    return _VARIABLE.search(text) is not None


def has_wildcards(pattern: str) -> bool:
    """Whether `*` or `?` stand in the pattern outside of variables."""
    return any("*" in piece or "?" in piece for piece in _VARIABLE.split(pattern)[::2])


@lru_cache(maxsize=8192)
def covers(wide: str, narrow: str) -> bool:
    """Whether everything that `narrow` matches is matched by `wide` too.

    A variable stands for a text unknown here: it is covered by itself and by `*` alone.
    """
    if wide in ("*", narrow):
        return True
    reachable = {0}  # positions in `wide` that the symbols of `narrow` so far can have led to
    symbols = _symbols(wide)
    for symbol in _symbols(narrow):
        reachable = _after(symbols, _skip_stars(symbols, reachable), symbol)
        if not reachable:
            return False
    return len(symbols) in _skip_stars(symbols, reachable)


def _symbols(pattern: str) -> tuple[str, ...]:
    found: list[str] = []
    for number, piece in enumerate(_VARIABLE.split(pattern)):
        found.extend([piece] if number % 2 else piece)
    return tuple(found)


def _skip_stars(symbols: tuple[str, ...], positions: set[int]) -> set[int]:
    found = set(positions)
    for position in positions:
        while position < len(symbols) and symbols[position] == "*":
            position += 1
            found.add(position)
    return found


def _after(symbols: tuple[str, ...], positions: set[int], symbol: str) -> set[int]:
    found: set[int] = set()
    for position in positions:
        if position == len(symbols):
            continue
        wide = symbols[position]
        if wide == "*":
            found.add(position)
        elif wide == symbol or (wide == "?" and len(symbol) == 1 and symbol != "*"):
            found.add(position + 1)
    return found


def meets(a: str, b: str) -> bool:
    """Whether some text is matched by both patterns. A variable may stand for any text."""
    a, b = _VARIABLE.sub("*", a), _VARIABLE.sub("*", b)
    tried: set[tuple[int, int]] = set()
    pending = [(0, 0)]
    while pending:
        i, j = pending.pop()
        if i == len(a) and j == len(b):
            return True
        if (i, j) in tried:
            continue
        tried.add((i, j))
        if i < len(a) and a[i] == "*":
            pending.append((i + 1, j))
            pending.extend([(i, j + 1)] if j < len(b) else [])
        elif j < len(b) and b[j] == "*":
            pending.append((i, j + 1))
            pending.extend([(i + 1, j)] if i < len(a) else [])
        elif i < len(a) and j < len(b) and (a[i] == b[j] or "?" in (a[i], b[j])):
            pending.append((i + 1, j + 1))
    return False
