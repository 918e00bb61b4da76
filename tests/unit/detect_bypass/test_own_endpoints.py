"""Which endpoints are the account's own: what AWS did not know is asked again after a minute."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from detect_bypass.own_endpoints import CACHE_SECONDS, OwnEndpoints

SERVICE = "com.amazonaws.eu-west-1.secretsmanager"


@dataclass
class Ec2:
    """Shows endpoints and their policies, and counts how often it is asked."""

    shown: dict[str, str] = field(default_factory=dict[str, str])
    asked: int = 0

    def get_paginator(self, name: str) -> "Ec2":
        assert name == "describe_vpc_endpoints"
        return self

    def paginate(self, **asked: Any) -> Iterator[Any]:
        assert asked["Filters"][0]["Values"] == [SERVICE]
        self.asked += 1
        for id_, policy in self.shown.items():
            yield {"VpcEndpoints": [{"VpcEndpointId": id_, "PolicyDocument": policy}]}


def own(ec2: Ec2) -> OwnEndpoints:
    return OwnEndpoints(ec2, [SERVICE])  # type: ignore[arg-type]


def test_a_stranger_is_asked_about_once_a_minute_and_no_more():
    ec2 = Ec2()
    endpoints = own(ec2)
    for now in (0, 1, CACHE_SECONDS - 1):
        endpoints.learn(["vpce-1"], now)
    assert (ec2.asked, endpoints.known) == (1, set())
    ec2.shown["vpce-1"] = "{}"  # the list was late: it is the account's own
    endpoints.learn(["vpce-1"], CACHE_SECONDS)
    assert (ec2.asked, endpoints.known) == (2, {"vpce-1"})


def test_another_id_is_asked_about_at_once():
    ec2 = Ec2({"vpce-2": "{}"})
    endpoints = own(ec2)
    endpoints.learn(["vpce-1"], 0)
    endpoints.learn(["vpce-3"], 1)
    assert ec2.asked == 2
    endpoints.learn(["vpce-1", "vpce-2", "vpce-3"], 2)
    assert ec2.asked == 2


def test_one_of_ours_stays_known_when_it_is_gone_and_is_not_asked_about_again():
    ec2 = Ec2({"vpce-1": "{}"})
    endpoints = own(ec2)
    endpoints.learn(["vpce-1"], 0)
    ec2.shown.clear()
    endpoints.learn(["vpce-1"], 10 * CACHE_SECONDS)
    assert (ec2.asked, endpoints.known) == (1, {"vpce-1"})


def test_a_policy_that_matters_is_read_again_when_it_is_old():
    ec2 = Ec2({"vpce-1": "before"})
    endpoints = own(ec2)
    for now, policy, known in [(0, "before", "before"), (59, "after", "before")]:
        ec2.shown["vpce-1"] = policy
        endpoints.learn(["vpce-1"], now, policies_of=["vpce-1"])
        assert endpoints.policies["vpce-1"] == known
    endpoints.learn(["vpce-1"], CACHE_SECONDS, policies_of=["vpce-1"])
    assert (ec2.asked, endpoints.policies["vpce-1"]) == (2, "after")
