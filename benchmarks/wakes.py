"""What a million events of a network that changes all day cost: groups, network ACLs.

    python -m benchmarks.wakes [--check]

Batches of the template's size go through ensure_endpoint on the embedded cloud: rules of groups
that no endpoint has, of the endpoint's own group, and of the network ACL of its VPC. Priced by
`prices.json`, as benchmarks.cost does.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks import usage
from emulator import Cloud
from emulator.people import Account

HERE = Path(__file__).parent
EVENTS = HERE.parent / "events"
FUNCTION = "EnsureEndpointFunction"
MOST_PER_MILLION = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="exit with 1 if the goal is missed")
    options = parser.parse_args()
    table = json.loads((HERE / "prices.json").read_text())
    usd = {name: price["usd"] for name, price in table["prices"].items()}
    print(f"{'US dollars for a million events':44} {'list':>6} {'EC2 calls a batch':>18}")
    worst = 0.0
    for name, price, calls in measured(usd):
        worst = max(worst, price)
        print(f"{name:44} {price:>6.2f} {calls:>18}")
    sys.exit(1 if worst > MOST_PER_MILLION and options.check else 0)


def measured(usd: dict[str, float]) -> Iterator[tuple[str, float, int]]:
    """For each kind of event its name, its price and the calls to EC2 that a full batch takes."""
    with Cloud.start(parameters={"Mode": "remediate", "GraceMinutes": "0"}) as cloud:
        account = Account(cloud)
        vpc_id, _ = account.vpc_with_subnets()
        cloud.settle(timedelta(hours=1))
        group = account.endpoints(vpc_id)[0]["Groups"][0]["GroupId"]
        filters = [{"Name": "vpc-id", "Values": [vpc_id]}]
        acl = account.ec2.describe_network_acls(Filters=filters)["NetworkAcls"][0]["NetworkAclId"]
        rule, entry = "authorize-security-group-ingress", "create-network-acl-entry"
        (size,) = (
            one.batch_size
            for one in cloud.deployment.mappings
            if cloud.deployment.logical(one.function) == FUNCTION
        )
        for name, sample, key, id_ in (
            ("a group that no endpoint has", rule, "groupId", "sg-0123456789abcdef0"),
            ("the endpoint's own group", rule, "groupId", group),
            ("the network ACL of the endpoint's VPC", entry, "networkAclId", acl),
        ):
            records = events(cloud, f"vpc-life.{sample}", {key: id_})
            usage.run(cloud, records, 1, FUNCTION)  # a cold start, and what is asked for once
            one = usage.run(cloud, records, 1, FUNCTION)
            full = usage.run(cloud, records, size, FUNCTION)
            calls = sum(n for call, n in full.calls.items() if call.startswith("ec2:"))
            yield name, usage.per_million(one, full, size, usd), calls


def events(cloud: Cloud, sample: str, named: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The same event without end, of just now, with ids of its own."""
    number = 0
    while True:
        envelope = json.loads((EVENTS / f"{sample}.json").read_text())
        id_ = f"{number:08d}-0000-4000-8000-{abs(hash(sample)) % 10**12:012d}"
        envelope["id"] = envelope["detail"]["eventID"] = id_
        envelope["detail"]["eventTime"] = f"{cloud.clock.now():%Y-%m-%dT%H:%M:%SZ}"
        envelope["detail"]["requestParameters"] |= named
        number += 1
        yield envelope


if __name__ == "__main__":
    main()
