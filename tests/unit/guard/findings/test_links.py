"""Deep links open the right page of the right console, and lead nowhere else."""

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.findings.finding import Kind
from guard.findings.links import console_links, evident_links, runbook_link

HOSTS = {
    "aws": ("eu-west-1", "eu-west-1.console.aws.amazon.com"),
    "aws-cn": ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
    "aws-us-gov": ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    "aws-eusc": ("eusc-de-east-1", "eusc-de-east-1.console.amazonaws-eusc.eu"),
}


@pytest.mark.parametrize("partition", HOSTS)
def test_every_partition_has_its_console(partition: str) -> None:
    region, host = HOSTS[partition]
    links = console_links(partition, region, vpc="vpc-1", endpoint="vpce-1", secret="s", event="e")
    assert list(links) == ["VPC", "Endpoint", "Secret", "CloudTrail event"]
    assert {urlsplit(link).netloc for link in links.values()} == {host}
    assert all(f"region={region}" in link for link in links.values())


def test_pages() -> None:
    links = console_links(
        "aws", "eu-west-1", vpc="vpc-1", endpoint="vpce-2", event="e-3", function="rotate"
    )
    root = "https://eu-west-1.console.aws.amazon.com/"
    assert links == {
        "VPC": f"{root}vpcconsole/home?region=eu-west-1#VpcDetails:VpcId=vpc-1",
        "Endpoint": f"{root}vpcconsole/home?region=eu-west-1#EndpointDetails:vpcEndpointId=vpce-2",
        "CloudTrail event": f"{root}cloudtrailv2/home?region=eu-west-1#/events/e-3",
        "Function": f"{root}lambda/home?region=eu-west-1#/functions/rotate",
    }


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("prod/db", "prod/db"),
        ("arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-AbC123", "prod/db"),
        ("arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db", "prod/db"),
        ("arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:a-b-AbC123", "a-b"),
    ],
)
def test_a_secret_is_linked_by_its_name(given: str, name: str) -> None:
    link = console_links("aws", "eu-west-1", secret=given)["Secret"]
    assert unquote(urlsplit(link).query) == f"name={name}&region=eu-west-1"


@pytest.mark.parametrize(
    ("partition", "region"),
    [("aws-iso", "us-iso-east-1"), ("aws", "evil.com/"), ("aws", ""), ("aws", "eu-west-1\n")],
)
def test_no_link_is_better_than_a_wrong_one(partition: str, region: str) -> None:
    assert console_links(partition, region, vpc="vpc-1") == {}


@given(st.text(min_size=1))
def test_text_of_a_record_stays_inside_its_place(name: str) -> None:
    name = name.encode("utf-8", "replace").decode()
    link = console_links("aws", "eu-west-1", secret=name)["Secret"]
    parts = urlsplit(link)
    assert parts.netloc == "eu-west-1.console.aws.amazon.com"
    assert (parts.path, parts.fragment) == ("/secretsmanager/secret", "")
    assert parts.query.count("&") == 1
    assert link.isascii()


def test_runbooks_are_named_by_kind_under_any_base() -> None:
    assert runbook_link(Kind.BYPASS) == "docs/runbooks/bypass.md"
    assert runbook_link(Kind.BYPASS, "https://wiki/x/") == runbook_link(
        Kind.BYPASS, "https://wiki/x"
    )


def test_a_finding_is_linked_by_the_ids_in_it() -> None:
    evidence = {"endpoint_id": "vpce-2", "event_ids": ["e-3", "e-4"]}
    assert evident_links("eu-west-1", "vpc-1", evidence) == console_links(
        "aws", "eu-west-1", vpc="vpc-1", endpoint="vpce-2", event="e-3"
    )
    rotation = {
        "vpc_id": "vpc-1",
        "rotation_function": "arn:aws-cn:lambda:cn-north-1:111122223333:function:rotate",
    }
    secret = "arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:db-AbC123"
    assert evident_links("cn-north-1", secret, rotation) == console_links(
        "aws-cn", "cn-north-1", vpc="vpc-1", secret="db", function="rotate"
    )


@pytest.mark.parametrize(
    ("region", "resource", "evidence"),
    [
        ("us-iso-east-1", "vpc-1", {}),
        ("eu-west-1", "/vpce-guard/mode", {}),
        ("eu-west-1", "unnamed secret", {"event_ids": [], "vpc_id": None}),
        ("", "vpc-1", {"event_ids": "e-3"}),
    ],
)
def test_what_names_nothing_is_linked_to_nothing(region, resource, evidence) -> None:
    assert evident_links(region, resource, evidence) == {}


@pytest.mark.parametrize("partition", HOSTS)
def test_a_finding_is_linked_in_its_partition(partition: str) -> None:
    region, host = HOSTS[partition]
    assert urlsplit(evident_links(region, "vpc-1", {})["VPC"]).netloc == host


def test_the_given_partition_counts_where_the_region_is_new() -> None:
    (link,) = evident_links("xx-new-1", "vpc-1", {}, "aws-eusc").values()
    assert urlsplit(link).netloc == "xx-new-1.console.amazonaws-eusc.eu"
    assert evident_links("xx-new-1", "vpc-1", {}, "aws-new") == {}
