"""What a preflight found as SARIF: each refusal beside the statement that refuses."""

from typing import Any

from guard.policy.reading import as_items, as_object, read
from guardctl.policy_lint import UNNAMED
from guardctl.preflight.source import PolicySource
from guardctl.preflight.tally import Tally
from guardctl.sarif import Result, Rule, line_of, print_sarif

_REFUSED = Rule(
    "refused-request",
    "The policy would have denied a request that AWS allowed.",
    "If the request is meant, widen the policy; if not, say so in the review.",
)
_UNKNOWN = Rule(
    "unknown-decision",
    "CloudTrail does not record what the decision about a request depends on.",
    "Give what is named, such as --endpoint-vpc or --org-id, or find out by hand.",
)


def print_refusals(tally: Tally, source: PolicySource) -> None:
    """Print one result for each row of the tally."""
    results = [_result(row, source) for row in tally.rows()]
    print_sarif([_REFUSED, _UNKNOWN], results, whole=not tally.complaints)


def _result(row: dict[str, Any], source: PolicySource) -> Result:
    asked = f"{row['principal']} {row['action']} {row['secret'] or ''}".rstrip()
    example = row["example"]
    times = f"{row['count']:,} requests, the latest {example['event_id']} {example['event_time']}"
    same = f"{asked} {row['statement']}"
    if row["verdict"] == "unknown":
        text = f"{asked}: not known without {', '.join(row['needs'])} ({times})"
        return Result(_UNKNOWN, "warning", source.file, text, same=same)
    why = f"denied by {row['statement']}" if row["statement"] else "no statement allows it"
    line = line_of(source.file, _place(row["statement"], source.text))
    return Result(_REFUSED, "error", source.file, f"{asked}: {why} ({times})", line, same)


def _place(label: str | None, text: str) -> str:
    """The place of the statement with this label: its Sid, or its number."""
    if not label:
        return "Statement"
    statements = as_items(as_object(read(text), "").get("Statement", []), "Statement")
    sids = [as_object(one, place).get("Sid") for one, place in statements]
    number = sids.index(label) if label in sids else int(label.removeprefix(UNNAMED)) - 1
    return f"Statement[{number}]"
