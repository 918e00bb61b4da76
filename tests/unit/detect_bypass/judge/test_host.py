"""The names of Secrets Manager that the plain endpoint's private DNS does not serve."""

import pytest

from detect_bypass.judge.host import OtherName, other_name
from guard.cloudtrail.record import parse
from tests.records import REGION, read


def asked(host: str, region: str = REGION) -> OtherName | None:
    return other_name(parse(read(awsRegion=region, tlsDetails={"clientProvidedHostHeader": host})))


@pytest.mark.parametrize(
    "host",
    [
        "",
        f"secretsmanager.{REGION}.amazonaws.com",
        f" SecretsManager.{REGION.upper()}.amazonaws.com:443 ",
        f"secretsmanager.{REGION}.amazonaws.com.",
        f"secretsmanager.{REGION}.example.com",
        "secretsmanager.us-east-1.example.com",
        "secretsmanager.us-east-1.api.example",
        f"xsecretsmanager.us-east-1.api.aws.{REGION}",
        "sts.us-east-1.amazonaws.com",
        "localhost",
    ],
)
def test_the_plain_name_and_what_is_not_known_is_no_other_name(host: str):
    assert asked(host) is None


@pytest.mark.parametrize(
    "host",
    [
        f"vpce-0a1b-c2d3.secretsmanager.{REGION}.vpce.amazonaws.com",
        f"VPCE-0a1b-c2d3-eu-west-1a.secretsmanager.{REGION}.vpce.amazonaws.com:443",
        f"secretsmanager.{REGION}.vpce.amazonaws.com",
    ],
)
def test_the_name_of_an_endpoint(host: str):
    name = host.lower().removesuffix(":443")
    assert asked(host) == OtherName(
        "name of an endpoint",
        f"it asked for {name}, the name of an endpoint itself, and no endpoint is recorded",
        f"Find out to which address {name} resolves where the caller runs.",
    )


@pytest.mark.parametrize("domain", ["amazonaws.com", "api.aws", "amazonaws.com.cn"])
def test_the_fips_name(domain: str):
    host, service = f"secretsmanager-fips.us-east-1.{domain}", "us-east-1.secretsmanager-fips"
    assert asked(host) == OtherName(
        "FIPS name",
        f"it asked for the FIPS name {host}, which only an endpoint for "
        f"com.amazonaws.{service} serves",
        f"Give its VPC an endpoint for com.amazonaws.{service} with private DNS, or let "
        "the client ask for the plain name.",
    )


@pytest.mark.parametrize("domain", ["amazonaws.com", "amazonaws.com.cn", "api.aws"])
def test_the_name_of_another_region(domain: str):
    host = f"secretsmanager.us-east-1.{domain}"
    assert asked(host) == OtherName(
        "name of another Region",
        f"it asked for {host}, the name of another Region",
        f"Let the client ask in {REGION}, or through an endpoint of us-east-1.",
    )


def test_without_a_region_in_the_record_no_other_is_named():
    assert asked("secretsmanager.us-east-1.amazonaws.com", region="") is None


@pytest.mark.parametrize(
    ("region", "domain"),
    [
        (REGION, "api.aws"),
        ("cn-north-1", "api.amazonwebservices.com.cn"),
        ("eusc-de-east-1", "api.amazonwebservices.eu"),
    ],
)
def test_the_dual_stack_name(region: str, domain: str):
    host = f"secretsmanager.{region}.{domain}"
    assert asked(host, region) == OtherName(
        "dual-stack name",
        f"it asked for the dual-stack name {host}, which private DNS may not serve",
        "Let the client ask for the plain name: it has addresses of both versions.",
    )
