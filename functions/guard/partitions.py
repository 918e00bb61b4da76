"""What differs between AWS's partitions: the domains that name services, and the console. Pure.

A partition that is not listed here is served all the same: it has no links to its console, and the
names of its services are those of the partition `aws`.
"""

import re
from functools import lru_cache

DOMAINS = (
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
)
"""`dnsSuffix` of each partition in botocore's partitions.json; a test compares the two.

Service principals end in `amazonaws.com` in most partitions, whatever their endpoints end in. Some
end in the partition's own domain, such as `ec2.amazonaws.com.cn`.
"""

DUAL_STACK_DOMAINS = (
    "api.aws",
    "api.amazonwebservices.com.cn",
    "api.amazonwebservices.eu",
    "api.aws.ic.gov",
    "api.aws.scloud",
    "api.cloud-aws.adc-e.uk",
    "api.aws.hci.ic.gov",
)
"""`dualStackDnsSuffix` of each, in names that have addresses of both versions."""

CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
}
"""The host of each partition's console; for the isolated partitions AWS publishes none."""

WITHOUT_PROFILES = frozenset({"aws-iso", "aws-iso-b"})
"""Partitions in which AWS has no Route 53 Profiles, by botocore's endpoints.json."""

_PREFIXES = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "eusc-": "aws-eusc",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
}

ANY_DOMAIN = "(?:" + "|".join(map(re.escape, DOMAINS)) + ")"
_SERVICE = re.compile(rf"([a-z0-9-]+(?:\.[a-z0-9-]+)*?)\.{ANY_DOMAIN}")
_SIGN_IN = re.compile(
    rf"(?:[a-z0-9-]+\.)?(?:signin|console)\."
    rf"(?:{ANY_DOMAIN}|{'|'.join(re.escape(one.partition('.')[2]) for one in CONSOLES.values())})"
)


def endpoint_service(region: str) -> str:
    """The name of Secrets Manager's endpoint service in a Region, the same in every partition.

    Other services have names of their own in some: `cn.com.amazonaws.cn-north-1.ec2`,
    `eu.amazonaws.eusc-de-east-1.ecr.api`. The table of them in the AWS CDK (InterfaceVpcEndpoint-
    AwsService), taken from DescribeVpcEndpointServices, does not have Secrets Manager.
    """
    return f"com.amazonaws.{region}.secretsmanager"


def partition_of(region: str) -> str:
    """The partition of a Region by how AWS names its Regions (`regionRegex` in partitions.json).

    For a Region that nobody knows it is `aws`, as AWS's SDKs assume. A function reads its partition
    from the template's variable instead.
    """
    return next((name for start, name in _PREFIXES.items() if region.startswith(start)), "aws")


def partition_in(arn: str, region: str) -> str:
    """The partition of an ARN; of the Region where there is no ARN, as for a service's calls."""
    return arn.split(":")[1] if arn.startswith("arn:") else partition_of(region)


@lru_cache(1024)  # a service's host comes again and again
def service_of(host: str) -> str:
    """What stands before the domain in the name of a service: `ec2` for `ec2.amazonaws.com.cn`,
    `logs.eu-west-1` for `logs.eu-west-1.amazonaws.com`. Empty for what is no name of a service.
    """
    named = _SERVICE.fullmatch(host.strip().rstrip(";").lower())
    return named[1] if named else ""


def as_in_aws(host: str) -> str:
    """The name of a service as it is in the partition `aws`: `ec2.amazonaws.com` for
    `ec2.amazonaws.com.cn`. Any other text is returned as it is.
    """
    service = service_of(host)
    return f"{service}.amazonaws.com" if service else host


@lru_cache(1024)
def names_sign_in(text: str) -> bool:
    """Whether a text is the host of the console, or of signing in to it."""
    return bool(_SIGN_IN.fullmatch(text.strip().rstrip(";").lower()))
