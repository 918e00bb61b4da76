"""What `sourceIPAddress` and its like say. Real records hold more than addresses there. Pure."""

import ipaddress
import re
from enum import StrEnum
from functools import lru_cache

from guard.cloudtrail.record import Record
from guard.partitions import names_sign_in, service_of


class Origin(StrEnum):
    """What `sourceIPAddress` says. Real records hold more than addresses there."""

    PUBLIC = "public"
    PRIVATE = "private"
    AWS = "aws"  # the name of a service, or "AWS Internal"
    UNCLEAR = "unclear"  # masked, or no address at all
    ABSENT = "absent"


# Step Functions, "Calling AWS service APIs" (AWS SDK integrations); EventBridge Scheduler, "Using
# universal targets"; API Gateway, "AWS service integrations"; AppSync, "HTTP resolvers"; AppStream
# 2.0, "Using an IAM role with fleets and image builders"; Systems Manager, "aws:executeAwsApi" of
# Automation, and "Referencing AWS Secrets Manager secrets from Parameter Store parameters"; Amazon
# Q Developer in chat applications (once AWS Chatbot), "Running AWS CLI commands"; AWS MCP
# Server, which makes the calls of somebody's agent with their own credentials (Agent Toolkit
# for AWS).
_RELAYS = frozenset(
    {"states", "scheduler", "apigateway", "appsync", "appstream", "ssm", "chatbot", "q", "aws-mcp"}
)

# As in real records: "[S3Console/0.4, aws-internal/3 ...]", "aws-internal/3 aws-sdk-java/1.12".
_PAGE = re.compile(r"\[?(aws-internal/|[A-Za-z0-9]+Console/|AWS-?Console)", re.ASCII)

# What a tool says of itself that calls itself a browser too, as PowerShell's web requests do.
_TOOL = re.compile(
    r"powershell|aws-?cli|boto|aws-?sdk|exec-env/|curl|wget|python|okhttp|go-http",
    re.IGNORECASE,
)

_PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
)


def origin(record: Record) -> Origin:
    """What kind of thing `sourceIPAddress` holds.

    Private means not routable in the internet; Python's own `is_private` also has the networks
    reserved for documentation, which are masks and examples here.
    """
    return _kind(record.source_ip.strip())


@lru_cache(1024)  # several rules ask for each record, and a caller's address comes again and again
def _kind(source: str) -> Origin:
    if not source:
        return Origin.ABSENT
    if names_service(source) and not names_sign_in(source):
        return Origin.AWS
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return Origin.UNCLEAR
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return Origin.PRIVATE if any(address in network for network in _PRIVATE) else Origin.PUBLIC


@lru_cache(1024)
def names_service(text: str) -> bool:
    """Whether a text names an AWS service, or AWS's own network; "AWS Internal;" is real."""
    return names_internal(text) or bool(service_of(text))


@lru_cache(1024)
def names_internal(text: str) -> bool:
    """Whether a text stands for AWS's own network, without the name of a service."""
    text = text.strip().rstrip(";").lower()
    return text == "aws internal" or text.startswith("aws internal/")


@lru_cache(1024)
def names_relay(text: str) -> bool:
    """Whether a text names a service that makes any call which its user writes, with a role that
    the user chooses.
    """
    return not _RELAYS.isdisjoint(service_of(text).split("."))


def names_browser(user_agent: str) -> bool:
    """Whether a user agent is a browser's, and no tool's that says it is one."""
    return user_agent.startswith("Mozilla/") and not _TOOL.search(user_agent)


def names_aws_page(user_agent: str) -> bool:
    """Whether a user agent is one that the console's own pages and hosts show, and no browser's."""
    return names_service(user_agent) or bool(_PAGE.match(user_agent))
