"""IAM's wildcards: `*` for any characters, `?` for one, `${...}` for a policy variable.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

import re
import string
from collections.abc import Iterable

_VARIABLE = re.compile(r"(\$\{[^{}]*\})")
_WILDCARDS = re.compile(r"[*?]{2,}")
_SPECIAL = re.compile(r"[*?$]")
_ESCAPES = {"${*}": "\0*", "${?}": "\0?", "${$}": "$"}
_LITERALS = {"*": "\0*", "?": "\0?"}
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
ESCAPED_DOLLAR = "${$}"
ARN_PARTS = 6
WITHIN_PART = {"*": "\0:*", "?": "\0:?"}
"""The wildcards that do not take a colon, by those that do."""


def lower(text: str) -> str:
    """The text with A to Z in lower case, and every other character as it is.

    `str.lower` folds more than AWS documents: it makes a `k` of the Kelvin sign.
    """
    return text.translate(_LOWER)


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
    return lower(name) + comma + default


def without_variables(text: str) -> str:
    """A value of policy language 2008-10-17, where `${...}` is text, as 2012-10-17 writes it."""
    return _VARIABLE.sub(lambda variable: ESCAPED_DOLLAR + variable[0][1:], text)


def has_variables(text: str) -> bool:
    """Whether the value names a policy variable (or one of the escapes `${*}`, `${?}`, `${$}`)."""
    return _VARIABLE.search(text) is not None


def has_wildcards(pattern: str) -> bool:
    """Whether `*` or `?` stand in the pattern outside of variables."""
    return any("*" in piece or "?" in piece for piece in _VARIABLE.split(pattern)[::2])


def variables(text: str) -> list[str]:
    """The condition keys that the policy variables in it name, in lower case."""
    return [lower(found[2:-1].partition(",")[0].strip()) for found in _VARIABLE.findall(text)]


def start(pattern: str) -> str:
    """What each text that the pattern matches begins with: all before a `*`, `?` or `$`."""
    return _SPECIAL.split(pattern, maxsplit=1)[0]


def symbols(pattern: str) -> tuple[str, ...]:
    """The pattern one by one: characters, wildcards, and whole variables.

    A wildcard that is escaped is a character: it has a NUL before it, as in `literal`.
    """
    found: list[str] = []
    for number, piece in enumerate(_VARIABLE.split(pattern)):
        found.extend([_ESCAPES.get(piece, piece)] if number % 2 else piece)
    return tuple(found)


def literal(text: str) -> tuple[str, ...]:
    """The symbols of a text in which nothing is a wildcard or a variable."""
    return tuple(_LITERALS.get(character, character) for character in text)


def is_variable(symbol: str) -> bool:
    """Whether the symbol stands for the value of a policy variable."""
    return symbol.startswith("${")


def arn_parts(some: Iterable[str]) -> list[tuple[str, ...]]:
    """The parts of an ARN, or of a pattern of ARNs, of these symbols: six, or fewer.

    The last of six may have colons.
    """
    parts: list[list[str]] = [[]]
    for symbol in some:
        if symbol == ":" and len(parts) < ARN_PARTS:
            parts.append([])
        else:
            parts[-1].append(symbol)
    return [tuple(part) for part in parts]


def arn_pattern(some: Iterable[str], *, reaching: bool = False) -> tuple[str, ...]:
    """The symbols of a pattern of ARNs, with wildcards that stay within their part.

    What ends the pattern, and the sixth part, have no such bound. `reaching`: a `*` that ends any
    other part has none either, as it "can expand to match beyond the colon boundaries"; nor has
    any wildcard of a pattern with fewer parts than an ARN, which AWS does not document.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
    """
    some = tuple(some)
    *parts, last = arn_parts(some)
    whole = len(parts) == ARN_PARTS - 1
    if reaching and not whole:
        return some
    found: list[str] = []
    for part in parts:
        found += [*_bound(part, open_end=reaching), ":"]
    return tuple(found) + (last if whole else _bound(last, open_end=True))


def _bound(part: tuple[str, ...], *, open_end: bool) -> tuple[str, ...]:
    end = len(part) - (open_end and part[-1:] == ("*",))
    return tuple(WITHIN_PART.get(symbol, symbol) for symbol in part[:end]) + part[end:]
