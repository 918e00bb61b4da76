"""What the stack costs in a month: idle, and in accounts of three sizes; and what endpoints cost.

    python -m benchmarks.cost [--azs 3] [--bypasses 0.01] [--chart docs/cost.svg] [--check]

Counted from template.yaml itself, transformed as CloudFormation does it, from what judging a batch
takes on the embedded cloud (usage.py), and from `prices.json`. A month has 730 hours. A request
that comes through an endpoint of the account matches no rule and costs nothing; `--bypasses` is the
share of those that do not, all of them alerts of ten callers, one after the other.
"""

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from benchmarks import chart, usage
from emulator.deploy import transformed

HERE = Path(__file__).parent
HOURS = 730
# Lambda's SQS event source mapping keeps this many long polls of 20 seconds open on an idle queue
# ("Scaling and processing", SQS event source mappings, Lambda developer guide).
POLLERS = 5
POLL_SECONDS = 20
SWEEPS = HOURS / 6
SWEEP_SECONDS = 2.0  # rounded up from what `make drill` shows for a small account
ARGUMENTS = {"SlackWebhookParameter": "/vpce-guard/slack-webhook"}
# Sent by EventBridge only when they are not zero ("Monitoring Amazon EventBridge").
RARE = ("FailedInvocations", "InvocationsFailedToBeSentToDlq", "RecursiveInvocationsDropped")
# The dashboard shows findings by kind, and of all functions in one sum.
SUMMED_UP = [
    ("FindingsPublished", function)
    for function in ("detect_bypass", "ensure_endpoint", "restore_policy", "secret_policy")
]
UNMET = {"FindsMissed"}  # what these arguments leave out, of what is counted

SIZES = {"S": (10, 1), "M": (100, 100), "L": (1000, 1000)}  # VPCs, million requests a month
MOST_IDLE, MOST_PER_MILLION = 5.0, 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--azs", type=int, default=3, help="AZs per VPC")
    parser.add_argument("--bypasses", type=float, default=0.01, help="share of all requests")
    parser.add_argument("--chart", type=Path, help="write the sizes' bill here, as SVG")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a goal is missed")
    options = parser.parse_args()
    table = json.loads((HERE / "prices.json").read_text())
    os.environ.setdefault("AWS_DEFAULT_REGION", table["region"])  # the translator asks for one
    template = transformed(HERE.parent / "template.yaml", ARGUMENTS, table["region"])
    template["Resources"] = {
        name: one
        for name, one in template["Resources"].items()
        if one.get("Condition") not in UNMET
    }
    sent, asked = usage.when_idle()
    rows = idle(template, table["prices"], sum(sent.values()), asked)
    print(f"List prices of {table['date']}, {table['region']}, US dollars a month")
    print(f"{'':32} {'amount':>10} {'list':>9} {'after free tier':>16}")
    for name, amount, full, after in rows:
        print(f"{name:32} {amount:>10,.1f} {full:>9.2f} {after:>16.2f}")
    full, after = sum(row[2] for row in rows), sum(row[3] for row in rows)
    print(f"{'the stack when nothing happens':32} {'':10} {full:>9.2f} {after:>16.2f}")
    shown = sum(row[2] for row in rows if row[0] == "dashboards")
    print(f"{'  without its dashboard':32} {'':10} {full - shown:>9.2f} {after:>16.2f}")
    further = sum(1 - sent.get(one, 0.0) for one in own_metrics(template))
    cheapest = sizes(table["prices"], full, further, options)
    misses = [f"idle {full - shown:.2f}"] if full - shown > MOST_IDLE else []
    misses += [f"{cheapest:.2f} per million"] if cheapest > MOST_PER_MILLION else []
    for miss in misses:
        print(f"MISSED: {miss}")
    sys.exit(1 if misses and options.check else 0)


def sizes(prices: Any, idle_usd: float, further: float, options: argparse.Namespace) -> float:
    """Print the bill of three accounts; returns dollars per million where batches are full.

    `further` are the metrics that can be sent besides those that count as idle.
    """
    one, full, mapping = usage.measure()
    usd = {name: price["usd"] for name, price in prices.items()}
    metrics = further * usd["cloudwatch_metric_month"]
    print(f"\n{100 * options.bypasses:g}% of requests round the endpoint; list prices a month")
    print(f"{'':6} {'VPCs':>6} {'requests':>14} {'judged':>12} {'a batch':>8} {'per million':>12}")
    bills: dict[str, dict[str, float]] = {}
    for name, (vpcs, millions) in SIZES.items():
        judged = millions * 1e6 * options.bypasses
        batch = usage.records_a_batch(judged / (HOURS * 3600), mapping)
        rate = usage.per_million(one, full, batch, usd)
        bills[f"{name}: {vpcs} VPCs, {millions}M"] = {
            "idle": idle_usd,
            "metrics": metrics,
            "judging": judged / 1e6 * rate,
        }
        requests = f"{millions:,} million"
        print(f"{name:6} {vpcs:>6} {requests:>14} {judged:>12,.0f} {batch:>8.1f} {rate:>12.2f}")
    best = usage.per_million(one, full, mapping.batch_size, usd)
    print(f"{'full batches of ' + str(mapping.batch_size):50} {best:>12.2f}")
    print(f"\n{'':24} {'idle':>8} {'metrics':>8} {'judging':>8} {'together':>9} {'endpoints':>11}")
    for (name, bill), (vpcs, _) in zip(bills.items(), SIZES.values(), strict=True):
        endpoints = vpcs * options.azs * HOURS * usd["privatelink_az_hour"]
        parts = " ".join(f"{part:>8.2f}" for part in bill.values())
        print(f"{name:24} {parts} {sum(bill.values()):>9.2f} {endpoints:>11,.2f}")
    if options.chart:
        title = "The stack's bill a month, US dollars at list price, without the endpoints"
        options.chart.write_text(chart.bars(title, "$", bills))
    return best


def own_metrics(template: dict[str, Any]) -> set[tuple[str, str]]:
    """The custom metrics of the dashboard: each is charged for when it is sent."""
    body = json.dumps(template["Resources"]["Dashboard"]["Properties"]["DashboardBody"])
    found = re.findall(r'\[\\*"VPCEGuard\\*", \\*"(\w+)\\*", \\*"service\\*", \\*"(\w+)', body)
    if not found:
        raise LookupError("the dashboard shows no metric of ours")
    return {*found, *SUMMED_UP}


def alarmed_metrics(template: dict[str, Any]) -> int:
    """The metrics that alarms are charged for while nothing happens: one each, and of a query those
    that it finds, which is none of a metric that AWS sends only when it is not zero.
    """
    alarms = [
        one["Properties"]
        for one in template["Resources"].values()
        if one["Type"] == "AWS::CloudWatch::Alarm"
    ]
    queries = [query["Expression"] for one in alarms for query in one.get("Metrics", [])]
    if other := [one for one in queries if not any(metric in str(one) for metric in RARE)]:
        raise LookupError(f"what does this query find while nothing happens? {other[0]}")
    return len(alarms) - len(queries)


def idle(
    template: dict[str, Any], prices: dict[str, Any], metrics: float, asked: float
) -> list[tuple[str, float, float, float]]:
    """Name, amount, list price and price after the free tier of all that costs without an event.

    `asked`: calls of SQS by schedules in an hour. What else they call is free when nothing happens
    (CloudFormation, EventBridge, Lambda), or less than a cent a month (SNS, DynamoDB).
    """
    kinds = [one["Type"] for one in template["Resources"].values()]
    mappings = kinds.count("AWS::Lambda::EventSourceMapping")
    polls = (mappings * POLLERS * 3600 / POLL_SECONDS + asked) * HOURS / 1e6
    memory = max(
        one["Properties"].get("MemorySize", 128)
        for one in template["Resources"].values()
        if one["Type"] == "AWS::Lambda::Function"
    )
    amounts = [
        ("KMS keys", "kms_key_month", kinds.count("AWS::KMS::Key")),
        ("dashboards", "cloudwatch_dashboard_month", kinds.count("AWS::CloudWatch::Dashboard")),
        ("metrics of alarms", "cloudwatch_alarm_month", alarmed_metrics(template)),
        ("metrics of heartbeats and sweeps", "cloudwatch_metric_month", metrics),
        ("million idle calls of queues", "sqs_million_requests", polls),
        ("GB-seconds of sweeps", "lambda_gb_second", SWEEPS * SWEEP_SECONDS * memory / 1024),
    ]
    return [
        (name, amount, amount * price["usd"], max(0.0, amount - price["free"]) * price["usd"])
        for name, key, amount in amounts
        for price in [prices[key]]
    ]


if __name__ == "__main__":
    main()
