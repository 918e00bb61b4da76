"""What of a finding is graver or new, beside what was published of its fingerprint. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guard.findings.finding import SEVERITY, WORDS, Finding, Severity, is_first_use
from guard.findings.summary import NEW, attribute, most_listed

if TYPE_CHECKING:
    from collections.abc import Collection

    from guard.table.counts import Counted

MOST_FIRST_USES = 20
"""Messages of one fingerprint and window for secrets that a caller had not read or changed."""
_NEW = {
    "severity": "a higher severity",
    "cause": "another cause",
    "opens": "somebody else is let in",
    "perhaps": "somebody else may be let in",
    "secret": "the first read of a secret",
    "change": "the first change of this sort to a secret",
    "key": "a long-lived key",
    "tool": "another tool",
    "address": "another kind of address",
}


def unpublished_words(finding: Finding, counted: Counted) -> set[str]:
    """What was not published of this fingerprint: a graver thing in its window, a new one ever.

    Beyond a bound nothing is new any more, but a severity; the digest says how much there was.
    """
    new = set[str]()
    for words, known in ((finding.graver, counted.graver), (finding.novel, counted.novel)):
        uses = sum(map(is_first_use, known))
        no_uses, no_others = uses >= WORDS, len(known) - uses >= WORDS
        new |= {
            word
            for word in {*words} - known
            if word.startswith(SEVERITY) or not (no_uses if is_first_use(word) else no_others)
        }
    if sum(map(is_first_use, counted.graver)) >= MOST_FIRST_USES:
        new = {word for word in new if not is_first_use(word)}
    return new


def gravest(finding: Finding, counted: Counted | None) -> Severity:
    """The highest severity that was published in the window."""
    published = counted.graver if counted else ()
    known = (one for one in Severity if f"{SEVERITY}{one}" in published)
    return max((finding.severity, *known), key=lambda severity: severity.rank)


def so_far(finding: Finding, counted: Counted, words: Collection[str]) -> dict[str, Any]:
    """The evidence of a follow-up: what its window has seen so far, and what is new about it."""
    if not counted.published:
        return {}
    lists: dict[str, list[str]] = {}
    for name in ("secrets", "actions"):
        # What this message is about comes first, or a long list before it would cut it off.
        before = sorted(counted.lists.get(attribute(name), ()))
        if some := list(dict.fromkeys([*finding.evidence.get(name, ()), *before])):
            lists[name] = some[: most_listed(name)]
    new = {_NEW.get(word.partition(" ")[0], "another kind of request") for word in words}
    return {**lists, **({NEW: sorted(new)} if new else {})}
