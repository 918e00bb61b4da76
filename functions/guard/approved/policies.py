"""The approved endpoint policies: named JSON files, reviewed in git, filled in for one account.

A file may hold `${AccountId}`, `${Region}`, `${Partition}` and `${OrgId}`. IAM's own policy
variables, such as `${aws:PrincipalTag/team}`, have a colon in their names (or are one of the
escapes `${*}`, `${?}`, `${$}`) and are left alone.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from guard.policy import MAX_CHARACTERS, Policy, PolicyError, parse
from guard.policy.reading import read

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
PLACEHOLDERS = ("AccountId", "Region", "Partition", "OrgId")

_IN_BRACES = re.compile(r'\$\{([^{}"]*)\}')  # never from one JSON string into the next
_ESCAPES = ("*", "?", "$")
_SHAPES = {
    "AccountId": re.compile(r"\d{12}", re.ASCII),
    "Region": re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+", re.ASCII),
    "Partition": re.compile(r"aws(-[a-z]+)*", re.ASCII),
    "OrgId": re.compile(r"(o-[a-z0-9]{10,32})?", re.ASCII),
}


class ApprovedPolicyError(ValueError):
    """An approved policy that cannot be used; the message names the policy and says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholders:
    """What an approved policy is filled in with. `org_id` may be empty: then none may ask for it.

    Raises ApprovedPolicyError for a value that is not of the shape AWS gives it.
    """

    account_id: str
    region: str
    partition: str
    org_id: str = ""

    def __post_init__(self) -> None:
        for name, value in self.by_name().items():
            if not _SHAPES[name].fullmatch(value):
                raise ApprovedPolicyError(f"{value!r} cannot be filled in for ${{{name}}}")

    def by_name(self) -> dict[str, str]:
        """The values under the names that policies use."""
        return dict(
            zip(
                PLACEHOLDERS,
                (self.account_id, self.region, self.partition, self.org_id),
                strict=True,
            )
        )


@dataclass(frozen=True, slots=True)
class ApprovedPolicy:
    """A named policy, filled in: `text` is what is written to an endpoint, in its shortest form."""

    name: str
    text: str
    policy: Policy


def names(directory: Path | str) -> tuple[str, ...]:
    """The names of the policies in a folder, in order. Empty for a folder that does not exist."""
    return tuple(sorted(path.stem for path in Path(directory).glob("*.json")))


def load(name: str, directory: Path | str, values: Placeholders) -> ApprovedPolicy:
    """Read the policy called `name` from a folder and fill it in.

    Raises ApprovedPolicyError for a name that is not there (naming those that are), a placeholder
    that is unknown or has no value, and a document that is not an endpoint policy.
    """
    known = names(directory)
    if name not in known or not NAME.fullmatch(name):
        there = ", ".join(known) or "none"
        raise ApprovedPolicyError(f"no approved policy is called {name!r}; there are: {there}")
    try:
        source = (Path(directory) / f"{name}.json").read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ApprovedPolicyError(f"approved policy {name}: this is not UTF-8") from error
    return fill(name, source, values)


def fill(name: str, source: str, values: Placeholders) -> ApprovedPolicy:
    """The approved policy in a file's text. Raises ApprovedPolicyError, as `load` does."""
    try:
        read(source)
        # Filled in after reading, so that a placeholder written with JSON escapes is one too.
        text = minified(source)
        if "${" in _IN_BRACES.sub("", text):
            raise PolicyError("document", "a ${ is not closed by a } of its own")
        text = _IN_BRACES.sub(lambda found: _filled(name, found, values), text)
        if len(text) > MAX_CHARACTERS:
            raise PolicyError("document", _too_long(text))
        return ApprovedPolicy(name, text, parse(text))
    except PolicyError as error:
        raise ApprovedPolicyError(f"approved policy {name}: {error}") from error


def _too_long(text: str) -> str:
    return (
        f"{len(text):,} characters without white space;"
        f" an endpoint policy has {MAX_CHARACTERS:,} at most"
    )


def minified(source: str) -> str:
    """A JSON text without white space between its parts."""
    return json.dumps(json.loads(source), separators=(",", ":"), ensure_ascii=False)


def placeholders(text: str) -> frozenset[str]:
    """The names in `${...}` that are ours to fill in, whether we know them or not."""
    return frozenset(found for found in _IN_BRACES.findall(text) if _is_ours(found))


def _is_ours(name: str) -> bool:
    return ":" not in name and name not in _ESCAPES


def _filled(policy: str, found: re.Match[str], values: Placeholders) -> str:
    name = found[1]
    if not _is_ours(name):
        return found[0]
    if name not in PLACEHOLDERS:
        known = ", ".join(f"${{{one}}}" for one in PLACEHOLDERS)
        raise ApprovedPolicyError(
            f"approved policy {policy}: unknown placeholder {found[0]}; known are {known}"
        )
    value = values.by_name()[name]
    if not value:
        raise ApprovedPolicyError(
            f"approved policy {policy}: {found[0]} has no value in this deployment"
        )
    return value
