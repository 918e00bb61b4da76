"""Until when the opt-out tag holds."""

from datetime import date
from typing import Any

import pytest

from guard.endpoint.observe import Observer
from guard.endpoint.opt_out import in_force, last_day

TAG = "vpce-guard:ignore"
TODAY = date(2026, 6, 1)


@pytest.mark.parametrize("value", ["", "true", "why", "2026", "2026-13-01", "ticket 12026-06-011"])
def test_a_value_without_a_date_holds_without_end(value: str):
    assert last_day(value) is None
    assert in_force({TAG: value}, TAG, TODAY) == {TAG: value}


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        ("2026-06-01", True),
        ("until 2026-06-02: the move", True),
        ("2026-05-31", False),
        ("2026-99-99 or 2026-05-31", False),
        ("until 2026-05-31 (was 2027-01-01)", False),
    ],
)
def test_a_date_is_its_last_day(value: str, holds: bool):
    assert in_force({TAG: value, "team": "a"}, TAG, TODAY) == (
        {TAG: value, "team": "a"} if holds else {"team": "a"}
    )


def test_other_tags_may_hold_any_date():
    assert in_force({"backup": "2020-01-01"}, TAG, TODAY) == {"backup": "2020-01-01"}


class Ec2:
    """One VPC and its endpoint, each opted out under a key of the deployment's own."""

    tags = (
        {"Key": "leave-alone", "Value": "until 2020-01-01"},
        {"Key": TAG, "Value": "2020-01-01"},
    )

    def get_paginator(self, operation: str):
        return self

    def paginate(self, **asked):
        return [
            {
                "Vpcs": [{"VpcId": "vpc-1", "Tags": self.tags}],
                "VpcEndpoints": [
                    {
                        "VpcEndpointId": "vpce-1",
                        "VpcId": "vpc-1",
                        "State": "available",
                        "Tags": self.tags,
                    }
                ],
            }
        ]


@pytest.mark.parametrize(("key", "left"), [("leave-alone", TAG), (TAG, "leave-alone")])
def test_the_end_of_an_opt_out_is_read_under_the_configured_key_alone(key: str, left: str):
    ec2: Any = Ec2()
    observer = Observer(ec2, "com.amazonaws.eu-west-1.secretsmanager", opt_out_tag=key)
    assert set(observer.vpc_tags()["vpc-1"]) == {left}
    assert set(observer.attached_policies()["vpce-1"].tags) == {left}
