"""One example of each kind of message: every kind of finding, follow-ups, repeats, alarms.

A kind that has no example of its own here takes its words from its runbook.
"""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from digest.findings import Day, Waiting, daily_report, digest, for_digest
from guard.findings.finding import Finding, Kind, Severity
from guard.findings.summary import summary
from guard.publishing.message import published_form
from guard.settings import Publishing, Settings
from guard.table.opt_outs import OptOut

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
ACCOUNT, REGION = "111122223333", "eu-west-1"
RUNBOOKS = "https://wiki.example/runbooks"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:prod/orders-db-AbC123"
SETTINGS = Settings(
    account_id=ACCOUNT,
    region=REGION,
    partition="aws",
    stack_id="",
    topic_arn="",
    table_name="",
    mode_parameter="",
    opt_out_tag="",
)
ALARM = {
    "AlarmName": "vpce-guard-NotifyDeadLetterAlarm-1ABCDEFGHIJKL",
    "AlarmDescription": "A finding did not reach Slack; it is in the dead-letter queue.",
    "AWSAccountId": ACCOUNT,
    "NewStateValue": "ALARM",
    "NewStateReason": "Threshold Crossed: 1 datapoint [1.0] was greater than the threshold (0.0).",
    "StateChangeTime": "2026-05-04T12:01:00.000+0000",
    "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:vpce-guard-NotifyDeadLetterAlarm",
    "OldStateValue": "OK",
}

BYPASS = Finding(
    kind=Kind.BYPASS,
    severity=Severity.HIGH,
    account=ACCOUNT,
    region=REGION,
    resource="arn:aws:iam::111122223333:role/orders-api",
    title="GetSecretValue by role/orders-api bypassed the VPC endpoint",
    cause="It came from the public address 198.51.100.7, not through a VPC endpoint.",
    todo=(
        "Find out where 198.51.100.7 is, and rotate the secret if it is not yours.",
        (
            "If this is meant to be, give the reason: guardctl exceptions add role-orders-api "
            "--principal arn:aws:iam::111122223333:role/orders-api --cidr 198.51.100.7/32"
            " --expires 2026-06-03 --reason ''"
        ),
    ),
    evidence={
        "principal": "arn:aws:sts::111122223333:assumed-role/orders-api/i-0a1b2c3d4e5f60718",
        "secrets": [SECRET],
        "addresses": ["198.51.100.7"],
        "events": ["6f1c1f0e-0000-4000-8000-000000000001"],
    },
    links={
        "Secret": f"https://{REGION}.console.aws.amazon.com/secretsmanager/secret?name=prod",
        "CloudTrail event": f"https://{REGION}.console.aws.amazon.com/cloudtrailv2/home#/events/6f",
    },
    window=3600,
    first_seen=NOON,
    last_seen=NOON,
)
RESTORED = replace(
    BYPASS,
    kind=Kind.POLICY_RESTORED,
    resource="vpce-0f1e2d3c4b5a69788",
    title="The policy of vpce-0f1e2d3c4b5a69788 was restored",
    cause="user/mallory changed it to let in every principal of every account.",
    done=("put the approved policy own-account back",),
    todo=("Ask user/mallory why.",),
    evidence={
        "difference": ["+ Allow * to * on *"],
        "who": "arn:aws:iam::111122223333:user/mallory",
    },
    links={},
    window=0,
)


def examples(runbooks: Path) -> dict[str, tuple[str, int]]:
    """By file name without its ending: a message of the notify queue, and which attempt it is."""
    found = {kind.value: (_body(_finding(kind, runbooks)), 1) for kind in Kind}
    later = NOON + timedelta(minutes=40)
    alarm_over = {**ALARM, "NewStateValue": "OK", "OldStateValue": "ALARM"}
    return {
        **found,
        "follow-up": (_body(replace(BYPASS, count=100, last_seen=later)), 1),
        "possible-repeat": (_body(BYPASS), 2),
        "shortened": (_body(_long()), 1),
        "alarm": (json.dumps(ALARM), 1),
        "alarm-over": (json.dumps(alarm_over), 1),
        "unknown-form": ("A text that somebody published on the topic.", 1),
    }


def _body(finding: Finding) -> str:
    return json.dumps(published_form(finding, Publishing(RUNBOOKS)))


def _long() -> Finding:
    return replace(
        BYPASS, evidence={"events": [f"6f1c1f0e-0000-4000-8000-{n:012}" for n in range(90)]}
    )


def _finding(kind: Kind, runbooks: Path) -> Finding:
    match kind:
        case Kind.BYPASS:
            return BYPASS
        case Kind.POLICY_RESTORED:
            return RESTORED
        case Kind.DIGEST:
            return digest(SETTINGS, NOON, _counted())
        case Kind.DAILY_REPORT:
            return _report()
        case _:
            return _by_its_runbook(kind, (runbooks / f"{kind}.md").read_text(), runbooks)


def _by_its_runbook(kind: Kind, page: str, runbooks: Path) -> Finding:
    sections = dict(re.findall(r"^## (.*)\n((?:(?!## ).*\n)*)", page, re.MULTILINE))
    return replace(
        BYPASS,
        kind=kind,
        severity=_severity(kind, runbooks.parent / "findings.md"),
        resource="vpc-0a1b2c3d4e5f60718",
        title=f"An example of {kind.replace('-', ' ')}",
        cause=_first_sentence(sections["What it means"]),
        todo=(_first_sentence(sections["Fix"]),),
        evidence={"vpc_id": "vpc-0a1b2c3d4e5f60718"},
        links={},
    )


def _severity(kind: Kind, overview: Path) -> Severity:
    """The first that the table of kinds names."""
    row = re.search(rf"^\| \[{kind}\].*?\| ([^|]*)\|", overview.read_text(), re.MULTILINE)
    named = row[1].split()[0] if row else ""
    return Severity(named) if named in list(Severity) else Severity.HIGH


def _first_sentence(text: str) -> str:
    plain = " ".join(text.split("```")[0].replace("`", "").split())
    return re.split(r"(?<=[.:])\s", plain)[0][:300]


def _counted() -> list[dict[str, Any]]:
    created = replace(
        BYPASS,
        kind=Kind.ENDPOINT_CREATED,
        severity=Severity.LOW,
        title="vpc-0a1b2c3d4e5f60718 has an endpoint for Secrets Manager now",
    )
    console = replace(
        BYPASS,
        kind=Kind.CONSOLE_ACCESS,
        severity=Severity.LOW,
        title="user/alice used the console for GetSecretValue",
    )
    over = replace(BYPASS, count=57, last_seen=NOON + timedelta(minutes=50))
    collected = [for_digest(published_form(one)) for one in (created, console)]
    return [*collected, {**summary(published_form(over)), "over": True}]


def _report() -> Finding:
    counts = {
        "found bypass": 57,
        "found console-access": 3,
        "found policy-restored": 1,
        "found endpoint-created": 2,
        "suppressed": 55,
        "excepted": 1_204,
    }
    drift = summary(
        published_form(replace(RESTORED, kind=Kind.STOOD_DOWN, title="vpc-0a is left alone"))
    )
    waiting = Waiting(drift, NOON - timedelta(hours=30), NOON)
    day = Day((NOON - timedelta(days=1)).date(), counts)
    opted_out = OptOut("vpc-0b", "until 2026-06-30", "alice at 2026-05-01 09:12 UTC")
    return daily_report(SETTINGS, NOON, day, [waiting], "remediate", (1, [opted_out]))
