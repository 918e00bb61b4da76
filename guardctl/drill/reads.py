"""Chapters in which a secret is read: past the endpoint, through it, by AWS, again and again."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from emulator import Caller
from guardctl.drill.chapter import Checks, new_kinds
from guardctl.drill.stage import Stage


def read_over_internet(stage: Stage) -> None:
    stage.cloud.slack.answer_next(429, headers={"Retry-After": "3"}, times=2)
    stage.client("secretsmanager", "dev").get_secret_value(SecretId="ledger")


def bypass_is_published(stage: Stage) -> Checks:
    yield "ops were notified once", new_kinds(stage) == ["bypass"]
    text = json.dumps(stage.cloud.findings[-1])
    yield (
        "who, what and from where",
        all(part in text for part in ("user/dev", "ledger", "198.51.100.23")),
    )
    posted = [json.dumps(one) for one in stage.cloud.slack.messages[stage.props["slack_before"] :]]
    yield (
        "Slack refused it twice and has it now, once",
        (len(posted) == 1 and "user/dev" in posted[0]),
    )


def read_through_endpoint(stage: Stage) -> None:
    inside = Caller(
        vpc_endpoint_id=stage.props["endpoint"],
        vpc_endpoint_account_id=stage.cloud.account,
        source_ip="10.20.0.77",
    )
    stage.client("secretsmanager", "app", inside).get_secret_value(SecretId="ledger")


def read_by_service(stage: Stage) -> None:
    service = Caller(kind="role", invoked_by="rds.amazonaws.com")
    stage.client("secretsmanager", "rds-rotation", service).get_secret_value(SecretId="ledger")


def nobody_is_bothered(stage: Stage) -> Checks:
    yield "no alert", new_kinds(stage) == []


def read_round_no_endpoint(stage: Stage) -> None:
    vpc_id, subnets = stage.make_vpc("nora", "10.40.0.0/16", stage.zones_in_reach[:2])
    ec2 = stage.client("ec2", "nora")
    address = ec2.allocate_address(Domain="vpc")
    ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=address["AllocationId"])
    stage.cloud.lose_events()  # so the guard knows nothing of this VPC
    stage.props["lab"] = vpc_id
    through_nat = Caller(kind="role", source_ip=address["PublicIp"])
    stage.client("secretsmanager", "lab-app", through_nat).get_secret_value(SecretId="ledger")


def bypass_led_to_repair(stage: Stage) -> Checks:
    vpc_id = stage.props["lab"]
    yield (
        "ops were notified of the bypass, and of the endpoint it led to",
        (new_kinds(stage) == ["bypass", "endpoint-created"]),
    )
    published = stage.cloud.findings[stage.props["findings_before"]]
    yield (
        "why: it left by the NAT gateway of a VPC without an endpoint",
        all(part in published["cause"] for part in (vpc_id, "NAT gateway", "no working endpoint")),
    )
    yield "and what the guard did about it", any(vpc_id in text for text in published["done"])
    endpoints = stage.endpoints(vpc_id)
    yield (
        "the VPC has its endpoint, with private DNS",
        (len(endpoints) == 1 and endpoints[0]["PrivateDnsEnabled"]),
    )


# the same again and again -------------------------------------------------------------------------


def read_again_and_again(stage: Stage) -> None:
    secrets = stage.client("secretsmanager", "dev")
    for _ in range(12):
        secrets.get_secret_value(SecretId="ledger")
        stage.cloud.settle()
    stage.cloud.settle(until=timedelta(hours=2))


def repeats_are_summed_up(stage: Stage) -> Checks:
    published = stage.cloud.findings[stage.props["findings_before"] :]
    counts = [one["count"] for one in published if one["kind"] == "bypass"]
    yield (
        "with the one before they are thirteen: ops were notified again at the tenth",
        counts == [10],
    )
    digests = [one["evidence"] for one in stage.cloud.findings if one["kind"] == "digest"]
    collected = [one for digest in digests for one in _findings(digest, "collected")]
    yield "what was of low severity until then came in digests", len(collected) > 1
    over = [one for digest in digests for one in _findings(digest, "over")]
    reads = [one["count"] for one in over if one["count"] > 1]
    yield "and once the window was over the sum of the reads", reads == [13]


def _findings(digest: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    return digest.get(name, {}).get("findings", ())
