"""What the guard knows of AWS's partitions is what botocore knows of them."""

import botocore.session
import pytest
from botocore.loaders import Loader

from detect_bypass.judge.origin import names_service
from guard.cloudtrail.callers import tool_of
from guard.partitions import (
    CONSOLES,
    DOMAINS,
    DUAL_STACK_DOMAINS,
    as_in_aws,
    endpoint_service,
    names_sign_in,
    partition_in,
    partition_of,
    service_of,
)

PARTITIONS = Loader(include_default_search_paths=True).load_data("partitions")["partitions"]
REGIONS = [(one["id"], region) for one in PARTITIONS for region in one["regions"] if "-" in region]


def test_every_domain_is_known():
    assert {one["outputs"]["dnsSuffix"] for one in PARTITIONS} == set(DOMAINS)
    assert {one["outputs"]["dualStackDnsSuffix"] for one in PARTITIONS} == set(DUAL_STACK_DOMAINS)


@pytest.mark.parametrize(("partition", "region"), REGIONS)
def test_every_region_is_in_its_partition(partition: str, region: str):
    if not region.endswith("-global"):
        assert partition_of(region) == partition
        assert botocore.session.get_session().get_partition_for_region(region) == partition


@pytest.mark.parametrize("region", ["xx-north-1", "eu-isolde-1", "usa-gov-1", ""])
def test_a_region_that_nobody_knows_is_in_aws(region: str):
    assert partition_of(region) == "aws"
    assert partition_in("", region) == "aws"


def test_an_arn_knows_better():
    assert partition_in("arn:aws-new:iam::111122223333:role/a", "xx-new-1") == "aws-new"
    assert partition_in("", "eusc-de-east-1") == "aws-eusc"


def test_consoles_are_those_of_partitions_and_the_isolated_ones_have_none():
    known = {one["id"] for one in PARTITIONS}
    assert {one for one in known if "-iso" not in one} == set(CONSOLES)


@pytest.mark.parametrize("region", ["cn-north-1", "cn-northwest-1", "us-gov-west-1", "eu-west-1"])
def test_the_endpoint_service_has_no_prefix_of_a_partition(region: str):
    assert endpoint_service(region) == f"com.amazonaws.{region}.secretsmanager"


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_service_is_named_in_every_domain(domain: str):
    for name in ("ec2", "logs.cn-north-1", "stacksets.cloudformation", "rotation-lambda"):
        host = f"{name}.{domain}"
        assert service_of(host) == name
        assert service_of(f" {host.upper()}; ") == name
        assert as_in_aws(host) == f"{name}.amazonaws.com"
        assert names_service(host)
    assert tool_of(f"cloudformation.{domain}") == "CloudFormation"
    assert tool_of(f"autoscaling.{domain}") == "an AWS service"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "amazonaws.com",
        ".amazonaws.com",
        "ec2.amazonaws.com.evil.example",
        "ec2.amazonaws.com.cn.example",
        "evilamazonaws.com",
        "ec2.amazonaws.cn",
        "ec2.notamazonaws.eu",
        "ec2.amazonawsXeu",
        "ic.gov",
        "attacker.ic.gov",
        "198.51.100.7",
        "ec2..amazonaws.com",
        "ec2.amazonaws.com\nx",
    ],
)
def test_what_is_no_service_is_none(text: str):
    assert service_of(text) == ""
    assert as_in_aws(text) == text
    assert not names_service(text)


@pytest.mark.parametrize(
    "host",
    [
        "signin.amazonaws.com",
        "signin.aws.amazon.com",
        "console.amazonaws.com",
        "signin.amazonaws.cn",
        "signin.amazonaws-us-gov.com",
        "eusc-de-east-1.signin.amazonaws-eusc.eu",
        "console.amazonaws.eu",
    ],
)
def test_signing_in_is_known_in_every_partition(host: str):
    assert names_sign_in(host)


@pytest.mark.parametrize(
    "host",
    ["ec2.amazonaws.com", "signin.example.com", "mysignin.amazonaws.com", "signin.amazonaws-x.eu"],
)
def test_another_host_is_no_sign_in(host: str):
    assert not names_sign_in(host)
