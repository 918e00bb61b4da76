"""What the stack costs in a month when nothing happens, and what the endpoints it creates cost.

    python -m benchmarks.cost [--azs 3] [--vpcs 10]

Counted from template.yaml itself, transformed as CloudFormation does it, and from `prices.json`. A
month has 730 hours. What only costs when something happens is left out.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--azs", type=int, default=3, help="AZs per VPC")
    parser.add_argument("--vpcs", type=int, default=10, help="VPCs that get an endpoint")
    options = parser.parse_args()
    table = json.loads((HERE / "prices.json").read_text())
    os.environ.setdefault("AWS_DEFAULT_REGION", table["region"])  # the translator asks for one
    template = transformed(HERE.parent / "template.yaml", ARGUMENTS, table["region"])
    rows = idle(template, table["prices"])
    endpoint = options.azs * HOURS * table["prices"]["privatelink_az_hour"]["usd"]
    print(f"List prices of {table['date']}, {table['region']}, US dollars a month")
    print(f"{'':32} {'amount':>10} {'list':>9} {'after free tier':>16}")
    for name, amount, full, after in rows:
        print(f"{name:32} {amount:>10,.1f} {full:>9.2f} {after:>16.2f}")
    full, after = sum(row[2] for row in rows), sum(row[3] for row in rows)
    print(f"{'the stack when nothing happens':32} {'':10} {full:>9.2f} {after:>16.2f}")
    for count in (1, options.vpcs):
        name = f"{count} endpoint{'s' * (count > 1)} in {options.azs} AZs"
        print(f"{name:32} {'':10} {count * endpoint:>9.2f} {count * endpoint:>16.2f}")


def idle(template: dict[str, Any], prices: dict[str, Any]) -> list[tuple[str, float, float, float]]:
    """Name, amount, list price and price after the free tier of all that costs without an event."""
    kinds = [one["Type"] for one in template["Resources"].values()]
    mappings = kinds.count("AWS::Lambda::EventSourceMapping")
    polls = mappings * POLLERS * HOURS * 3600 / POLL_SECONDS / 1e6
    memory = max(
        one["Properties"].get("MemorySize", 128)
        for one in template["Resources"].values()
        if one["Type"] == "AWS::Lambda::Function"
    )
    amounts = [
        ("KMS keys", "kms_key_month", kinds.count("AWS::KMS::Key")),
        ("dashboards", "cloudwatch_dashboard_month", kinds.count("AWS::CloudWatch::Dashboard")),
        ("alarms", "cloudwatch_alarm_month", kinds.count("AWS::CloudWatch::Alarm")),
        ("million idle polls of queues", "sqs_million_requests", polls),
        ("GB-seconds of sweeps", "lambda_gb_second", SWEEPS * SWEEP_SECONDS * memory / 1024),
    ]
    return [
        (name, amount, amount * price["usd"], max(0.0, amount - price["free"]) * price["usd"])
        for name, key, amount in amounts
        for price in [prices[key]]
    ]


if __name__ == "__main__":
    main()
