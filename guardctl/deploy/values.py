"""Parameters and tags as people give them on a command line: "Key=value Other='a b'". Pure.

SAM CLI drops an override that the template does not know without a word, so names are checked here.
"""

import difflib
import re
import shlex
from collections.abc import Collection, Mapping
from typing import Any

from guardctl import ROOT
from guardctl.errors import Failed

TEMPLATE = ROOT / "template.yaml"


class BadValues(Failed):
    """What was given cannot be used; the message says what is wrong with it, for people."""


def pairs(text: str) -> dict[str, str]:
    """Key=value pairs, separated by spaces; quotes keep spaces together, as in a shell.

    Raises BadValues for a word without `=`, an empty or repeated key, or an open quote.
    """
    found: dict[str, str] = {}
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadValues(f"{text}: {error}") from error
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise BadValues(f"{word!r} is no Key=value pair; put quotes around a value with spaces")
        if key in found:
            raise BadValues(f"{key} is given twice")
        found[key] = value
    return found


def known_parameters(
    given: Mapping[str, str], known: Collection[str] | None = None
) -> dict[str, str]:
    """The same, if the template has all of them; raises BadValues for a name that it lacks."""
    known = declared(TEMPLATE.read_text(encoding="utf-8")) if known is None else known
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f": {near[0]} perhaps?" if near else ""
            raise BadValues(f"the template has no parameter {name}{meant}")
    return dict(given)


def declared(template: str) -> list[str]:
    """The names of a template's parameters, by the lines of that section."""
    section = re.search(r"^Parameters:\n(.*?)^\S", template, re.MULTILINE | re.DOTALL)
    return re.findall(r"^  (\w+):$", section[1], re.MULTILINE) if section else []


def saved_pairs(saved: Any) -> dict[str, str]:
    """A value of samconfig.toml: one text of pairs, a list of them, or a table."""
    if isinstance(saved, Mapping):
        return {str(key): str(value) for key, value in saved.items()}
    texts = [saved] if isinstance(saved, str) else saved or []
    return {key: value for text in texts for key, value in pairs(text).items()}
