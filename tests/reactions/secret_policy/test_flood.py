"""One tenant changes policies as fast as Secrets Manager allows: the others' secrets stay watched.

Secrets Manager counts GetResourcePolicy, PutResourcePolicy, DeleteResourcePolicy and
ValidateResourcePolicy of an account and Region against one rate, as `Rate` does here.
"""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from emulator import Cloud
from emulator.faults import Fault, Faults
from tests.reactions.account import READER, make_endpoint
from tests.reactions.secret_policy.test_secret_policy import by_owner, statement_of

WATCH = "SecretPolicyFunction"
COUNTED = {f"{verb}ResourcePolicy" for verb in ("Get", "Put", "Delete", "Validate")}
MANY = 40


@dataclass(slots=True)
class Rate:
    """So many calls of functions on policies in a period of virtual time; the others are
    throttled.
    """

    cloud: Cloud
    most: int = 14
    period: timedelta = timedelta(minutes=1)
    made: list[float] = field(default_factory=list[float])

    def take(self, service: str, action: str, function: str | None) -> Fault | None:
        if service != "secretsmanager" or action not in COUNTED or function is None:
            return None  # what the test itself reads is not counted
        now = self.cloud.clock.now().timestamp()
        self.made = [one for one in self.made if one > now - self.period.total_seconds()]
        if len(self.made) < self.most:
            self.made.append(now)
            return None
        return Fault(
            service=service,
            action=action,
            error="ThrottlingException",
            times=1,
            when="before",
            function=function,
        )


def put(cloud, who: str, secret: str, *statements: Any) -> None:
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    client = cloud.session(who).client("secretsmanager")
    client.put_resource_policy(SecretId=secret, ResourcePolicy=json.dumps(policy))


@pytest.fixture
def vpc_id(cloud, account) -> str:
    made, subnets = account.vpc_with_subnets()
    make_endpoint(account, made, subnets)
    cloud.lose_events()
    return made


@pytest.fixture
def victim(cloud, account, vpc_id) -> str:
    made = account.bound_secret("prod/ledger")
    put(cloud, "owner", made, READER, by_owner(vpc_id))
    cloud.lose_events()
    return made


def tenants(cloud, account, *, bound: bool) -> list[str]:
    make = account.bound_secret if bound else account.secret
    made = [make(f"tenant/{n}") for n in range(MANY)]
    cloud.lose_events()
    return made


def reads(cloud) -> list[str]:
    return [
        str(call.params["SecretId"])
        for call in cloud.calls
        if call.function == WATCH and call.action == "GetResourcePolicy"
    ]


def test_a_flood_of_one_tenant_does_not_starve_the_watch_over_others(
    cloud, account, vpc_id, victim, monkeypatch
):
    flooded = tenants(cloud, account, bound=True)
    for one in flooded:
        put(cloud, "tenant", one, READER, by_owner(vpc_id))
    put(cloud, "mallory", victim, READER)
    rate = Rate(cloud)
    monkeypatch.setattr(Faults, "take", lambda _, *call: rate.take(*call))

    cloud.pass_time(timedelta(seconds=15))

    assert statement_of(account, victim)["Effect"] == "Deny"
    waiting = set(flooded) - set(reads(cloud))
    assert waiting  # it was a flood
    cloud.pass_time(timedelta(minutes=30))
    assert set(flooded) <= set(reads(cloud))  # and all of it is watched, too
    assert cloud.dead_letters("SecretPolicyQueue") == []


def test_the_policy_of_a_secret_that_is_not_bound_is_not_read(cloud, account, vpc_id):
    for one in tenants(cloud, account, bound=False):
        put(cloud, "tenant", one, READER)
    cloud.pass_time(timedelta(seconds=15))
    assert reads(cloud) == []
