"""What a proof found as SARIF: each beside the policy that decides it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from guardctl.sarif import Result, Rule, print_sarif
from guardctl.twin.exhaustive import Wrong
from guardctl.twin.logged import HANGS
from guardctl.twin.proposal import Proofs

_LOGGED = Rule(
    "logged-read",
    "The policies would decide otherwise about a logged read than they should.",
    "Name the caller (--pass, --stop) and propose anew, or correct the policy.",
)
_UNKNOWN = Rule(
    "unknown-decision",
    "CloudTrail does not record what the decision about a logged read depends on.",
    "Find out by hand whether the caller may pass.",
)
_CONTEXT = Rule(
    "wrong-context",
    "A policy decides otherwise about a possible request than it should.",
    "Propose anew, or correct the policy as the request shows.",
)


def print_proofs(found: Proofs, files: Mapping[str, Path], *, whole: bool) -> None:
    """Print what is not right. `files` are the policies by their Regions, the first one for any.

    It is not `whole` where some of the logs could not be read.
    """
    results = [*_of_logs(found, files), *_of_contexts(found, files)]
    print_sarif([_LOGGED, _UNKNOWN, _CONTEXT], results, whole=whole)


def _of_logs(found: Proofs, files: Mapping[str, Path]) -> Iterator[Result]:
    file = next(iter(files.values()))
    for row in found.logged.rows():
        asked = (
            f"{row['principal']} by {row['way']}: {row['action']} {row['secret'] or ''}".rstrip()
        )
        text = f"{asked} {row['outcome']} ({row['requests']:,} requests; {row['why']})"
        if row["outcome"] == HANGS:
            yield Result(_UNKNOWN, "warning", file, text, same=asked)
        else:
            yield Result(_LOGGED, "error", file, text, same=f"{asked} {row['outcome']}")


def _of_contexts(found: Proofs, files: Mapping[str, Path]) -> Iterator[Result]:
    for name, one in found.exhausted.items():
        file = files.get(name) or next(iter(files.values()))
        for wrong in one.wrong:
            yield Result(_CONTEXT, "error", file, f"{name}: {_words(wrong)}")


def _words(wrong: Wrong) -> str:
    request: dict[str, Any] = {key: value or "absent" for key, value in wrong.context.items()}
    asked = ", ".join(f"{key} {value}" for key, value in request.items())
    return f"{wrong.found} and not {wrong.expected}: {asked}"
