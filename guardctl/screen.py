"""Everything that guardctl prints goes through here: no text steers the terminal that shows it.

Names, policies, user agents and AWS's words are chosen by other people. What a terminal would obey
or what deceives the eye (escape sequences, C1 controls, marks that reverse text) is replaced, and
no text is markup. Tables go through `guardctl.terminal`, which is loaded only where one is drawn.
`tests/guardctl/test_inert.py` holds every other file of guardctl to it.
"""

import json
import sys
from typing import Any

_REPLACED = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """The text as one line without what would steer a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _REPLACED for c in text)


def say(text: object = "", *, err: bool = False, end: str = "\n", flush: bool = False) -> None:
    """Print a text of one or more lines, to standard error if `err`."""
    lines = "\n".join(map(printable, str(text).split("\n")))
    print(lines, end=end, file=sys.stderr if err else sys.stdout, flush=flush)


def say_json(value: Any, indent: int | None = None, *, flush: bool = False) -> None:
    """Print a JSON value. All that is not ASCII is escaped in it."""
    say(json.dumps(value, indent=indent), flush=flush)


def say_document(text: str) -> None:
    """Print the text of a JSON document, which means the same afterwards: what would steer a
    terminal is escaped as JSON does it.
    """
    lines = text.split("\n")
    say(
        "\n".join(
            "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in one) for one in lines
        )
    )
