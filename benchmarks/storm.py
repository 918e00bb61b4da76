"""What a storm of bypasses comes to: alerts, lost messages, AWS calls for each record.

    python -m benchmarks.storm [--records 100000] [--batch 100]

The records come as Lambda's SQS batches to the function deployed in the embedded cloud. They are of
four storms at once, with a fixed seed:

* a few callers that read the same secrets again and again;
* a fleet: one role in hundreds of instances, each with a public address of its own;
* a crowd: thousands of users, each seen a few times;
* a batch job: BatchGetSecretValue and a GetSecretValue for each secret that it returned.

One record in fifty is delivered twice. Nothing may be lost: each message is accepted, and each
record that is no duplicate is in the count that the state table keeps of some finding.
"""

import argparse
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import batched
from typing import Any

from emulator import Cloud
from guard.findings.summary import NEW

FUNCTION = "DetectBypassFunction"
SEED = 20261125
ALERTS, CALLS_PER_RECORD = 20, 0.1  # the goal
SHARES = {"caller": 50, "fleet": 25, "crowd": 15, "job": 10}  # per cent of the records


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a storm. `counted` is what the findings' counters in the table add up to, `new`
    the alerts that were published for something graver or new in kind.
    """

    records: int
    duplicates: int
    alerts: int
    new: int
    counted: int
    failed: int
    calls: int
    most_calls: int
    seconds: float

    @property
    def lost(self) -> int:
        return self.records - self.counted + self.failed

    @property
    def calls_per_record(self) -> float:
        return self.calls / (self.records + self.duplicates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=100_000, help="bypasses in all")
    parser.add_argument("--batch", type=int, default=100, help="messages for one invocation")
    options = parser.parse_args()
    with Cloud.start() as cloud:
        came = storm(cloud, options.records, options.batch)
    print(f"{came.records:,} bypasses and {came.duplicates:,} duplicates, {options.batch} a batch")
    print(f"{'alerts':28} {came.alerts:>10,}")
    repeated = came.alerts - came.new
    print(f"{'  but for what is new':28} {repeated:>10,}   goal: at most {ALERTS}")
    print(f"{'lost':28} {came.lost:>10,}   goal: 0")
    print(
        f"{'AWS calls for each record':28} {came.calls_per_record:>10.3f}"
        f"   goal: at most {CALLS_PER_RECORD}"
    )
    print(f"{'most AWS calls in one batch':28} {came.most_calls:>10,}")
    print(f"{'seconds, emulator included':28} {came.seconds:>10.1f}")
    met = repeated <= ALERTS and not came.lost and came.calls_per_record <= CALLS_PER_RECORD
    raise SystemExit(0 if met else 1)


def storm(cloud: Cloud, records: int, batch: int) -> Came:
    """Have the deployed function judge that many bypasses; what came of them."""
    chance = random.Random(SEED)  # noqa: S311 - a mix that is the same each time
    began, alerts = time.perf_counter(), len(cloud.findings)
    duplicates = failed = calls = most_calls = 0
    for some in batched(bypasses(cloud, records), batch, strict=False):
        messages = list(some)
        for one in some:
            if chance.random() < 1 / 50:
                messages.append(one)
                duplicates += 1
        before = len(cloud.calls)
        failed += len(_invoke(cloud, messages))
        made = len(cloud.calls) - before
        calls, most_calls = calls + made, max(most_calls, made)
    return Came(
        records=records,
        duplicates=duplicates,
        alerts=len(cloud.findings) - alerts,
        new=sum(1 for one in cloud.findings[alerts:] if NEW in one["evidence"]),
        counted=counted(cloud),
        failed=failed,
        calls=calls,
        most_calls=most_calls,
        seconds=time.perf_counter() - began,
    )


def _invoke(cloud: Cloud, envelopes: list[dict[str, Any]]) -> list[str]:
    """The ids of the messages that the function sent back."""
    invocation = cloud.invoke(
        FUNCTION,
        {
            "Records": [
                {"messageId": str(number), "body": json.dumps(body)}
                for number, body in enumerate(envelopes)
            ]
        },
    )
    if invocation.error is not None:
        raise RuntimeError(f"the function failed: {invocation.error}")
    return [one["itemIdentifier"] for one in invocation.result["batchItemFailures"]]


def counted(cloud: Cloud) -> int:
    """What the counters of bypass findings in the state table add up to."""
    table = cloud.session("audience").client("dynamodb")
    pages = table.get_paginator("scan").paginate(TableName=cloud.resource("StateTable"))
    return sum(
        int(item["tally"]["N"])
        for page in pages
        for item in page["Items"]
        if item["pk"]["S"].startswith("finding#")
    )


def bypasses(cloud: Cloud, number: int) -> Iterator[dict[str, Any]]:
    """Envelopes of that many bypasses: different events, the four storms mixed."""
    chance = random.Random(SEED)  # noqa: S311 - a mix that is the same each time
    kinds, weights = list(SHARES), list(SHARES.values())
    base = int(cloud.clock.now().timestamp())
    for n in range(number):
        kind = chance.choices(kinds, weights)[0]
        fields = _STORMS[kind](cloud.account, chance)
        yield _envelope(cloud, n, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(base)), fields)


def _caller(account: str, chance: random.Random) -> dict[str, Any]:
    who = chance.randrange(2)
    return {
        "userIdentity": _user(account, f"batch-{who}"),
        "sourceIPAddress": f"203.0.113.{who + 1}",
        "requestParameters": {"secretId": f"prod/db-{chance.randrange(5)}"},
    }


def _fleet(account: str, chance: random.Random) -> dict[str, Any]:
    host = chance.randrange(500)
    return {
        "userIdentity": _role(account, "web", f"i-{host:017x}"),
        "sourceIPAddress": f"198.51.{100 + host // 250}.{host % 250 + 1}",
        "requestParameters": {"secretId": "prod/web"},
    }


def _crowd(account: str, chance: random.Random) -> dict[str, Any]:
    who = chance.randrange(4_000)
    return {
        "userIdentity": _user(account, f"person-{who}"),
        "sourceIPAddress": f"192.0.{who // 250}.{who % 250 + 1}",
        "requestParameters": {"secretId": "shared/licence"},
    }


def _job(account: str, chance: random.Random) -> dict[str, Any]:
    is_batch = chance.random() < 1 / 20
    return {
        "eventName": "BatchGetSecretValue" if is_batch else "GetSecretValue",
        "userIdentity": _role(account, "nightly", "nightly-session"),
        "sourceIPAddress": "203.0.113.77",
        "requestParameters": {"filters": [{"key": "name", "values": ["job/"]}]}
        if is_batch
        else {"secretId": f"job/{chance.randrange(20)}"},
    }


_STORMS = {"caller": _caller, "fleet": _fleet, "crowd": _crowd, "job": _job}


def _user(account: str, name: str) -> dict[str, str]:
    return {
        "type": "IAMUser",
        "principalId": f"AIDA{name.upper()}",
        "arn": f"arn:aws:iam::{account}:user/{name}",
        "accountId": account,
        "accessKeyId": f"AKIA{name.replace('-', '0').upper():0>16.16}",
        "userName": name,
    }


def _role(account: str, name: str, session: str) -> dict[str, Any]:
    return {
        "type": "AssumedRole",
        "principalId": f"AROA{name.upper()}:{session}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{name}/{session}",
        "accountId": account,
        "accessKeyId": "ASIAEXAMPLE000000000",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": f"AROA{name.upper()}",
                "arn": f"arn:aws:iam::{account}:role/{name}",
                "accountId": account,
                "userName": name,
            }
        },
    }


def _envelope(cloud: Cloud, number: int, when: str, fields: dict[str, Any]) -> dict[str, Any]:
    record = {
        "eventVersion": "1.11",
        "eventTime": when,
        "eventSource": "secretsmanager.amazonaws.com",
        "eventName": "GetSecretValue",
        "awsRegion": cloud.region,
        "userAgent": "aws-sdk-java/2.31.0",
        "responseElements": None,
        "requestID": f"00000000-0000-4000-8000-{number:012d}",
        "eventID": f"11111111-0000-4000-8000-{number:012d}",
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": cloud.account,
        "eventCategory": "Management",
        **fields,
    }
    return {
        "version": "0",
        "id": record["eventID"],
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.secretsmanager",
        "account": cloud.account,
        "time": when,
        "region": cloud.region,
        "resources": [],
        "detail": record,
    }


if __name__ == "__main__":
    main()
