"""How the guard does with very many VPCs, endpoints and events, on a clock of its own.

    python -m benchmarks.scale [--tampered 500] [--events 1000] [--chart docs/scale.svg]

- Sweeps of 10 to 10,000 VPCs, a hundredth of them broken: EC2 is played by lists, the code that
  reads and judges is the sweep's own. Calls, and seconds of this machine's processor.
- Endpoints whose policy was replaced, found by a sweep in the embedded cloud, with EC2's throttle
  on endpoint writes (bucket of 4, 0.3 a second) and ensure_endpoint at work beside: the simulated
  time until each is restored, the deepest queue, and how many writes were refused.
- A storm of CreateSubnet in one VPC: how many runs and calls it becomes.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks import chart
from benchmarks.listed_ec2 import ACCOUNT, NOON, SERVICE, Ec2
from emulator import Cloud, delivery, strict
from emulator.deploy import FunctionSpec
from emulator.runtime import Outcome
from emulator.runtime_inprocess import InProcess
from guard.endpoint.observe import Observer
from guard.endpoint.plan import Desired
from guard.endpoint.scope import Coverage, Scope
from sweep.unhealthy import unhealthy_vpcs

EVENTS = Path(__file__).parents[1] / "events"
SIZES = (10, 100, 1_000, 10_000)
ENSURE, RESTORE = "EnsureEndpointFunction", "RestorePolicyFunction"
ANYTHING = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
ALLOW_ALL = json.dumps({"Statement": [ANYTHING]})
HERE = "com.amazonaws.us-east-1.secretsmanager"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tampered", type=int, default=500, help="endpoints with another policy")
    parser.add_argument("--events", type=int, default=1000, help="CreateSubnet events of one VPC")
    parser.add_argument("--chart", type=Path, help="write the sweeps' calls here, as SVG")
    options = parser.parse_args()
    points = sweeps()
    if options.chart:
        title = "AWS calls of one sweep, by the number of VPCs"
        by_vpc = [(float(size), 2.0 * size + size) for size in SIZES]
        series = {"the sweep": points, "three calls a VPC": by_vpc}
        options.chart.write_text(chart.lines(title, "VPCs in the account", series))
    tampered(options.tampered)
    storm(options.events)


def sweeps() -> list[tuple[float, float]]:
    """Print the cost of sweeps; returns the calls by the number of VPCs."""
    desired = Desired(ACCOUNT, "stack", SERVICE, "vpce-guard:ignore", "{}")
    print(f"{'VPCs swept':>12} {'broken':>8} {'found':>8} {'calls':>8} {'seconds':>9}")
    points: list[tuple[float, float]] = []
    for size in SIZES:
        ec2: Any = Ec2(size, broken=frozenset(range(0, size, 100)))
        observer = Observer(ec2, SERVICE)
        began = time.process_time()
        found, _ = unhealthy_vpcs(
            observer, observer.vpc_ids(), desired, Scope(Coverage.ALL, ""), NOON
        )
        seconds, calls = time.process_time() - began, ec2.calls.total()
        print(f"{size:>12,} {len(ec2.broken):>8,} {len(found):>8,} {calls:>8,} {seconds:>9.2f}")
        points.append((float(size), float(calls)))
    return points


def tampered(count: int) -> None:
    """Print how long it takes to restore so many policies at EC2's rate."""
    with account(count) as cloud:
        mappings = cloud.deployment.mappings
        mappings[:] = [one for one in mappings if one.function in (ENSURE, RESTORE)]
        ec2 = cloud.session("alice").client("ec2")
        for _ in range(count):
            endpoint_of(ec2)
        cloud.lose_events()
        began, since = cloud.clock.now(), len(cloud.calls)
        with depths(cloud, "PolicyQueue") as seen:
            strict.options.throttle = True
            cloud.fire_schedule()
            cloud.settle()
        writes = [one for one in cloud.calls[since:] if one.action == "ModifyVpcEndpoint"]
        made = [one for one in writes if not one.error]
        done = [one for one in made if one.function == RESTORE]
        minutes = (done[-1].when - began).total_seconds() / 60
        rate = len(made) / (made[-1].when - began).total_seconds()
        print(f"\n{count} endpoints tampered: {len(done)} restored in {minutes:.1f} min")
        print(f"  with {len(made) - len(done)} repairs {rate:.2f} writes a second; EC2 allows 0.3")
        print(f"  refused {len(writes) - len(made)}, deepest queue {max(seen)}")
        print(f"  dead letters {len(cloud.dead_letters('PolicyQueue'))}")
        print(f"  copies at once, at most: {copies(cloud)}")


def storm(count: int) -> None:
    """Print what so many CreateSubnet events of one VPC become."""
    with account(count) as cloud:
        ec2 = cloud.session("alice").client("ec2")
        vpc_id = endpoint_of(ec2)
        cloud.settle()
        since, runs, began = len(cloud.calls), len(cloud.invocations), cloud.clock.now()
        with depths(cloud, "VpcQueue") as seen:
            cloud.inject(*(created_subnet(vpc_id, number) for number in range(count)))
            cloud.settle()
        made = [one for one in cloud.invocations[runs:] if one.function == ENSURE]
        calls = Counter(one.service for one in cloud.calls[since:] if one.function == ENSURE)
        seconds = (cloud.clock.now() - began).total_seconds()
        print(f"\n{count} CreateSubnet events of one VPC: {len(made)} runs, {seconds:.0f} s")
        print(f"  EC2 calls {calls['ec2']}, other calls {calls.total() - calls['ec2']}")
        print(f"  deepest queue {max(seen)}")


@contextmanager
def account(count: int) -> Iterator[Cloud]:
    """The stack, allowed to write, on a clock of its own; without Slack."""
    with (
        patch.object(delivery, "MAX_INVOCATIONS", 5_000 + 50 * count),
        patch.object(delivery, "MAX_ROUNDS", 50_000 + 500 * count),
        Cloud.start(parameters={"Mode": "remediate", "SlackWebhookParameter": ""}) as cloud,
    ):
        cloud.settle()
        try:
            yield cloud
        finally:
            strict.options.throttle = False


@contextmanager
def depths(cloud: Cloud, queue: str) -> Iterator[list[int]]:
    """The queue's depth as each run of a function begins."""
    seen = [0]
    invoke = InProcess.invoke

    def watched(self: InProcess, function: FunctionSpec, event: Mapping[str, Any]) -> Outcome:
        seen.append(cloud.queue_depth(queue))
        return invoke(self, function, event)

    with patch.object(InProcess, "invoke", watched):
        yield seen


def copies(cloud: Cloud) -> int:
    """MaximumConcurrency of restore_policy's queue, as deployed."""
    (mapping,) = (
        one
        for name, one in cloud.deployment.of_type("AWS::Lambda::EventSourceMapping").items()
        if name.startswith(RESTORE)
    )
    return int(mapping["ScalingConfig"]["MaximumConcurrency"])


def endpoint_of(ec2: Any) -> str:
    """Make a VPC with an endpoint that works and lets everybody do anything; returns the VPC."""
    vpc_id = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=vpc_id, **{name: {"Value": True}})
    subnet = ec2.create_subnet(
        VpcId=vpc_id, CidrBlock="10.20.0.0/24", AvailabilityZone="us-east-1a"
    )
    ec2.create_vpc_endpoint(
        VpcId=vpc_id,
        ServiceName=HERE,
        VpcEndpointType="Interface",
        SubnetIds=[subnet["Subnet"]["SubnetId"]],
        PrivateDnsEnabled=True,
        PolicyDocument=ALLOW_ALL,
    )
    return vpc_id


def created_subnet(vpc_id: str, number: int) -> dict[str, Any]:
    envelope = json.loads((EVENTS / "vpc-life.create-subnet.json").read_text())
    envelope["id"] = f"{number:08d}-0000-4000-8000-000000000000"
    envelope["detail"]["eventID"] = f"{number:08d}-0000-4000-8000-000000000001"
    envelope["detail"]["requestParameters"]["vpcId"] = vpc_id
    envelope["detail"]["responseElements"]["subnet"]["vpcId"] = vpc_id
    return envelope


if __name__ == "__main__":
    main()
