"""A sweep's cost in calls, on an account of any size: EC2 is played by lists, and counts."""

from datetime import datetime, timedelta
from typing import Any

from benchmarks.listed_ec2 import ACCOUNT, NOON, SERVICE, Ec2, id_of
from guard.endpoint.observe import Observer
from guard.endpoint.plan import Desired
from guard.endpoint.scope import Coverage, Scope
from sweep.unhealthy import DNS_SAMPLE, sample, unhealthy_vpcs

DESIRED = Desired(ACCOUNT, "stack", SERVICE, "vpce-guard:ignore", "{}")
EVERYWHERE = Scope(Coverage.ALL, "")


def swept(ec2: Any, now: datetime = NOON) -> list[str]:
    observer = Observer(ec2, SERVICE)
    return unhealthy_vpcs(observer, observer.vpc_ids(), DESIRED, EVERYWHERE, now)[0]


def test_ten_thousand_healthy_vpcs_cost_calls_that_list_and_a_sample() -> None:
    ec2 = Ec2(10_000)

    assert swept(ec2) == []

    assert ec2.calls.pop("describe_vpc_attribute") == 2 * DNS_SAMPLE
    # 10 pages of VPCs, and 5 kinds of things for each 200 of them.
    assert sum(ec2.calls.values()) == 10 + 5 * 50 + 1
    assert all(ec2.calls[name] <= 60 for name in ec2.calls)


def test_the_sample_does_not_grow_with_the_account() -> None:
    small, large = Ec2(1_000), Ec2(4_000)
    swept(small)
    swept(large)
    name = "describe_vpc_attribute"
    assert small.calls[name] == large.calls[name]


def test_the_broken_ones_are_found_among_thousands() -> None:
    broken = frozenset({7, 1_234, 2_999})
    assert swept(Ec2(3_000, broken)) == [id_of(n) for n in sorted(broken)]


def test_in_a_small_account_every_vpc_is_asked_for_its_dns_attributes() -> None:
    assert swept(Ec2(DNS_SAMPLE, deaf=frozenset({41}))) == [id_of(41)]


def test_in_a_large_one_sweep_after_sweep_asks_others() -> None:
    ids = [id_of(n) for n in range(1_000)]
    asked: set[str] = set()
    for number in range(60):
        drawn = sample(ids, NOON + timedelta(hours=6 * number))
        assert len(drawn) == DNS_SAMPLE
        asked |= drawn
    assert len(asked) > 980
