"""Has parliament judge IAM policies: `list_policies.py | judge_policies.py .parliament.yaml`.

Runs in parliament's own environment. Whatever it finds must be justified in the file, and whatever
the file justifies must be found. A bad policy is judged first: a check that cannot fail says
nothing.
"""

import json
import sys
import warnings
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import yaml

BAD = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "EverySecret",
            "Effect": "Allow",
            "Action": "secretsmanager:GetSecretValue",
            "Resource": "*",
        },
        {
            "Sid": "AnotherServicesResource",
            "Effect": "Allow",
            "Action": "sqs:SendMessage",
            "Resource": "arn:aws:s3:::bucket/key",
        },
        {
            "Sid": "NoSuchKey",
            "Effect": "Allow",
            "Action": "ec2:CreateVpcEndpoint",
            "Resource": "*",
            "Condition": {"StringEquals": {"ec2:NoSuchKey": "x"}},
        },
        {
            "Sid": "NoSuchAction",
            "Effect": "Deny",
            "Action": "ec2:NoSuchAction",
            "Resource": "*",
        },
    ],
}


ENTRY = {"policy": str, "statement": str, "issue": str, "details": list, "reason": str}


class Finding(NamedTuple):
    """One thing that parliament says of one statement; `detail` is an action or its words."""

    policy: str
    statement: str
    issue: str
    detail: str


BAD_FINDINGS = {
    ("EverySecret", "RESOURCE_STAR"),
    ("AnotherServicesResource", "RESOURCE_MISMATCH"),
    ("NoSuchKey", "RESOURCE_STAR"),
    ("NoSuchKey", "UNKNOWN_CONDITION_FOR_ACTION"),
    ("NoSuchAction", "UNKNOWN_ACTION"),
}


def judge(name: str, document: Any) -> Iterator[Finding]:
    """What parliament finds in one policy, one finding for each action that it names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pkg_resources is deprecated; that is why it lives alone
        from parliament import analyze_policy_string
    policy = analyze_policy_string(json.dumps(document))
    found = [("", one) for one in policy._findings]  # noqa: SLF001 - those of the whole document
    for statement in policy.statements:
        found += [(statement.sid or "", one) for one in statement.findings]
    for sid, one in found:
        for detail in one.detail if isinstance(one.detail, list) else [one.detail]:
            named = detail["action"] if isinstance(detail, dict) else detail
            yield Finding(name, sid, one.issue, str(named or ""))


def unjustified(found: Iterable[Finding], justified: Iterable[dict[str, Any]]) -> list[str]:
    """A line for each finding without a justification, and each justification without a finding.

    A justification names policy, statement, issue and details. `*` in a detail stands for anything.
    """
    left = set(found)
    unused: list[str] = []
    for number, one in enumerate(justified, 1):
        given: dict[str, Any] = one if isinstance(one, dict) else {}
        wrong = [key for key, kind in ENTRY.items() if not isinstance(given.get(key), kind)]
        if not wrong and {type(it) for it in one["details"]} != {str}:
            wrong = ["details"]
        if wrong:
            unused.append(f"justification {number} lacks, or has wrong: {', '.join(wrong)}")
            continue
        place = (one["policy"], one["statement"], one["issue"])
        if len(one["reason"]) < 20:
            unused.append(f"no reason: {' '.join(place)}")
        for detail in one["details"]:
            met = {it for it in left if it[:3] == place and fnmatchcase(it.detail, detail)}
            if not met:
                unused.append(f"justified and not found: {' '.join(place)}: {detail}")
            left -= met
    return [
        f"{one.policy} {one.statement} {one.issue}: {one.detail}" for one in sorted(left)
    ] + unused


def main() -> None:
    seen = {(one.statement, one.issue) for one in judge("bad", BAD)}
    if seen != BAD_FINDINGS:
        sys.exit(f"parliament no longer sees what is wrong with a bad policy: {sorted(seen)}")
    policies = json.load(sys.stdin)
    found = [one for name, document in policies.items() for one in judge(name, document)]
    lines = unjustified(found, yaml.safe_load(Path(sys.argv[1]).read_text()) or [])
    if lines or not policies:
        sys.exit("\n".join(lines) or "no policy to judge")
    sys.stdout.write(f"{len(policies)} policies judged by parliament, every finding justified\n")


if __name__ == "__main__":
    main()
