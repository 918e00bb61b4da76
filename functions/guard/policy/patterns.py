"""IAM's wildcards: `*` for any characters, `?` for one, `${...}` for a policy variable.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

import re
from functools import lru_cache

_VARIABLE = re.compile(r"(\$\{[^{}]*\})")
_WILDCARDS = re.compile(r"[*?]{2,}")
ESCAPED_DOLLAR = "${$}"
ARN_PARTS = 6
_MOST_STARS = 16


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

    A variable stands for a text unknown here: it is covered by itself and by `*` alone. A pattern
    of more stars than people write is taken to cover itself alone, so that nobody keeps us busy.
    """
    if wide in ("*", narrow):
        return True
    if wide.count("*") > _MOST_STARS:
        return False
    reachable = {0}  # positions in `wide` that the symbols of `narrow` so far can have led to
    all_of_it = symbols(wide)
    for symbol in symbols(narrow):
        reachable = _after(all_of_it, _skip_stars(all_of_it, reachable), symbol)
        if not reachable:
            return False
    return len(all_of_it) in _skip_stars(all_of_it, reachable)


def arn_covers(wide: str, narrow: str) -> bool:
    """`covers` for ARNs, whose wildcards do not reach beyond their part between two colons.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
    """
    if wide in ("*", narrow):
        return True
    wide_parts, narrow_parts = arn_parts(wide), arn_parts(narrow)
    return len(wide_parts) == len(narrow_parts) == ARN_PARTS and all(
        covers(mine, its) for mine, its in zip(wide_parts, narrow_parts, strict=True)
    )


def arn_parts(arn: str) -> list[str]:
    """The parts of an ARN or of a pattern of ARNs: six, the last of which may have colons."""
    parts = [""]
    for symbol in symbols(arn):
        if symbol == ":" and len(parts) < ARN_PARTS:
            parts.append("")
        else:
            parts[-1] += symbol
    return parts


def symbols(pattern: str) -> tuple[str, ...]:
    """The pattern one by one: characters, wildcards, and whole variables."""
    found: list[str] = []
    for number, piece in enumerate(_VARIABLE.split(pattern)):
        found.extend([piece] if number % 2 else piece)
    return tuple(found)


def _skip_stars(wide: tuple[str, ...], positions: set[int]) -> set[int]:
    found = set(positions)
    for position in positions:
        while position < len(wide) and wide[position] == "*":
            position += 1
            found.add(position)
    return found


def _after(wide: tuple[str, ...], positions: set[int], symbol: str) -> set[int]:
    found: set[int] = set()
    for position in positions:
        if position == len(wide):
            continue
        mine = wide[position]
        if mine == "*":
            found.add(position)
        elif mine == symbol or (mine == "?" and len(symbol) == 1 and symbol != "*"):
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
