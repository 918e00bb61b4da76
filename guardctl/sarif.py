"""What a command found as SARIF 2.1.0: code hosts show it beside the lines of a change.

OASIS: "Static Analysis Results Interchange Format (SARIF) Version 2.1.0". GitHub: "SARIF support
for code scanning", which also asks each rule for three texts, and each result for a line.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import yaml

from guardctl.screen import printable, say_json

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_LINE = re.compile(r"\bline (\d+)\b")  # as json says where a text is no JSON


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of result: its id, what it means, and what to do."""

    id: str
    meaning: str
    todo: str


@dataclass(frozen=True, slots=True)
class Result:
    """One thing that was found, and the place in a file to show it at.

    `same` is what makes it the same result at the next run, if `text` does not.
    """

    rule: Rule
    level: Literal["error", "warning", "note"]
    file: Path
    text: str
    line: int = 1
    same: str = ""


def print_sarif(rules: Sequence[Rule], results: Iterable[Result], *, whole: bool = True) -> None:
    """Print a log of one run; it is not `whole` where some input could not be read."""
    say_json(log(rules, results, whole=whole), indent=2)


def log(rules: Sequence[Rule], results: Iterable[Result], *, whole: bool = True) -> dict[str, Any]:
    """The document. Paths are relative to the present folder, as far as they are in it."""
    driver: dict[str, Any] = {"name": "guardctl", "rules": [_rule(one) for one in rules]}
    with suppress(PackageNotFoundError):  # a repository that is not installed
        driver["version"] = version("vpce-guard")
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": whole}],
        "results": [_result(one, rules) for one in results],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.meaning},
        "fullDescription": {"text": rule.meaning},
        "help": {"text": rule.todo},
    }


def _result(one: Result, rules: Sequence[Rule]) -> dict[str, Any]:
    uri = _uri(one.file)
    same = "\n".join((one.rule.id, uri, one.same or one.text))
    return {
        "ruleId": one.rule.id,
        "ruleIndex": rules.index(one.rule),
        "level": one.level,
        "message": {"text": printable(one.text)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri},
                    "region": {"startLine": one.line},
                }
            }
        ],
        # By this alone GitHub recognizes a result, and two of one line would be one without it.
        "partialFingerprints": {
            "primaryLocationLineHash": f"{hashlib.sha256(same.encode()).hexdigest()[:16]}:1"
        },
    }


def _uri(file: Path) -> str:
    whole = file.resolve()
    if whole.is_relative_to(Path.cwd()):
        return quote(whole.relative_to(Path.cwd()).as_posix())
    return whole.as_uri()


def line_of(file: Path, place: str) -> int:
    """The line on which the value at a place such as `Statement[1].Action` of a JSON file begins.

    That of the innermost value that is there; 1 for a file that cannot be read. A place may also be
    a `line 3`.
    """
    if named := _LINE.search(place):
        return int(named[1])
    try:
        # JSON is YAML, whose reader knows the lines. The one in C dies of brackets 200,000 deep.
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return 1
    line = 1
    for number, key in _STEP.findall(place):
        found = _item(node, int(number)) if number else _value(node, key)
        if not found:
            break
        line, node = found
    return line


def _value(node: yaml.Node | None, key: str) -> tuple[int, yaml.Node] | None:
    """The line of a key of an object, and its value."""
    if not isinstance(node, yaml.MappingNode):
        return None
    found = (each for each in node.value if each[0].value == key)
    return next(((name.start_mark.line + 1, value) for name, value in found), None)


def _item(node: yaml.Node | None, number: int) -> tuple[int, yaml.Node] | None:
    """An item of a list; a value that is no list is its only item, as IAM reads it."""
    if node is None:
        return None
    items: list[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else [node]
    if number >= len(items):
        return None
    return items[number].start_mark.line + 1, items[number]
