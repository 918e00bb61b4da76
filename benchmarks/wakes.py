"""What a million events of a network that changes all day cost: groups, network ACLs, tags.

    python -m benchmarks.wakes [--check]

Batches of the template's size go through ensure_endpoint on the embedded cloud: rules of groups
that no endpoint has, of the endpoint's own group, and of the network ACL of its VPC. Tags of the
guard's on the VPC go through restore_policy, too. Priced by `prices.json`, as benchmarks.cost does.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks import usage
from emulator import Cloud
from emulator.people import Account

HERE = Path(__file__).parent
EVENTS = HERE.parent / "events"
FUNCTIONS = "EnsureEndpointFunction", "RestorePolicyFunction"
MOST_PER_MILLION = 1.0
MOST_OF_TAGS = 3.0  # the rule matches the guard's own keys alone: people set them, and rarely


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="exit with 1 if the goal is missed")
    options = parser.parse_args()
    table = json.loads((HERE / "prices.json").read_text())
    usd = {name: price["usd"] for name, price in table["prices"].items()}
    print(f"{'US dollars for a million events':44} {'list':>6} {'EC2 calls a batch':>18}")
    missed = False
    for name, price, calls in measured(usd):
        missed |= price > (MOST_OF_TAGS if "tag" in name else MOST_PER_MILLION)
        print(f"{name:44} {price:>6.2f} {calls:>18}")
    sys.exit(1 if missed and options.check else 0)


def measured(usd: dict[str, float]) -> Iterator[tuple[str, float, int]]:
    """For each kind of event its name, its price and the calls to EC2 that a full batch takes."""
    with Cloud.start(parameters={"Mode": "remediate", "GraceMinutes": "0"}) as cloud:
        account = Account(cloud)
        vpc_id, _ = account.vpc_with_subnets()
        cloud.settle(timedelta(hours=1))
        group = account.endpoints(vpc_id)[0]["Groups"][0]["GroupId"]
        filters = [{"Name": "vpc-id", "Values": [vpc_id]}]
        acl = account.ec2.describe_network_acls(Filters=filters)["NetworkAcls"][0]["NetworkAclId"]
        sizes = {
            cloud.deployment.logical(one.function): one.batch_size
            for one in cloud.deployment.mappings
        }
        rule = "vpc-life.authorize-security-group-ingress"
        entry, tag = "vpc-life.create-network-acl-entry", "guard-tag.create-tags-ignore"
        tagged = {"resourcesSet": {"items": [{"resourceId": vpc_id}]}}
        for name, sample, named, functions in (
            ("a group that no endpoint has", rule, {"groupId": "sg-0123456789abcdef0"}, 1),
            ("the endpoint's own group", rule, {"groupId": group}, 1),
            ("the network ACL of the endpoint's VPC", entry, {"networkAclId": acl}, 1),
            ("a tag of the guard's on its VPC", tag, tagged, 2),
        ):
            records = events(cloud, sample, named)
            price, calls = 0.0, 0
            for function in FUNCTIONS[:functions]:
                usage.run(cloud, records, 1, function)  # a cold start, what is asked for once
                one = usage.run(cloud, records, 1, function)
                full = usage.run(cloud, records, sizes[function], function)
                calls += sum(n for call, n in full.calls.items() if call.startswith("ec2:"))
                price += usage.per_million(one, full, sizes[function], usd)
            yield name, price, calls


def events(cloud: Cloud, sample: str, named: Mapping[str, object]) -> Iterator[dict[str, Any]]:
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
