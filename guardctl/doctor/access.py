"""Whose credentials these are, and whether the Region can be used.

A Region that the account has not enabled answers that the credentials are not valid, so they are
then tried where the partition always answers. Needs sts:GetCallerIdentity (which nobody can be
denied), ec2:DescribeVpcEndpointServices. See "Managing AWS STS in an AWS Region" in the IAM guide.
"""

from dataclasses import replace

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
    UnknownRegionError,
)

from guard.aws.errors import code_of
from guard.settings import endpoint_service
from guardctl.doctor.lines import Line, State, asked, unknown
from guardctl.doctor.place import ALWAYS_THERE, NAME_ONE, Place

CREDENTIALS, REGION, SERVICE = "credentials", "Region", "endpoint service"

EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
NOT_VALID = frozenset(
    {
        "AuthFailure",
        "InvalidClientTokenId",
        "InvalidToken",
        "InvalidAccessKeyId",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_SSO = (SSOTokenLoadError, TokenRetrievalError, UnauthorizedSSOTokenError)


def who_and_where(place: Place) -> tuple[Place, list[Line]]:
    """The place with its account, if the credentials work there, and the lines that say so."""
    try:
        home = ALWAYS_THERE.get(place.partition, place.region)
    except UnknownRegionError:
        text = f"no AWS partition has a Region {place.region}"
        return place, [Line(REGION, State.STOP, text, NAME_ONE)]
    try:
        identity = place.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        return place, _refused(place, home, error)
    line = judge_identity(identity["Arn"], identity["Account"])
    return replace(place, account=identity["Account"]), [line, _enabled(place)]


def judge_identity(arn: str, account: str) -> Line:
    if arn.endswith(":root"):
        do = "use a role or a user: the root user's rights cannot be limited"
        return Line(CREDENTIALS, State.WARN, f"the root user of account {account}", do)
    return Line(CREDENTIALS, State.OK, f"account {account}, {arn}")


def judge_refusal(error: Exception) -> Line:
    """Why the credentials cannot be used, and how to get others."""
    if isinstance(error, NoCredentialsError | CredentialRetrievalError):
        do = (
            "run `aws configure` or `aws sso login`, or name a profile: --profile, or make PROFILE="
        )
        return Line(CREDENTIALS, State.STOP, f"there are none that work: {error}", do)
    if isinstance(error, _SSO) or (isinstance(error, ClientError) and code_of(error) in EXPIRED):
        return Line(
            CREDENTIALS,
            State.STOP,
            f"they have expired: {error}",
            "run `aws sso login`, or get new ones",
        )
    if isinstance(error, ClientError) and code_of(error) in NOT_VALID:
        do = "check the access key, and that the clock of this machine is right"
        return Line(CREDENTIALS, State.STOP, f"AWS does not accept them: {error}", do)
    return Line(
        CREDENTIALS, State.STOP, f"AWS cannot be asked: {error}", "check the connection to AWS"
    )


def _refused(place: Place, home: str, error: Exception) -> list[Line]:
    """Not valid here but valid in the partition's first Region: this Region is not enabled."""
    refused = isinstance(error, ClientError) and code_of(error) in NOT_VALID
    if refused and home != place.region:
        try:
            identity = place.client("sts", home).get_caller_identity()
        except (BotoCoreError, ClientError):
            return [judge_refusal(error)]
        text = f"account {identity['Account']} has not enabled {place.region}"
        do = f"aws account enable-region --region-name {place.region}, or choose another Region"
        found = judge_identity(identity["Arn"], identity["Account"])
        return [found, Line(REGION, State.STOP, text, do)]
    return [judge_refusal(error)]


def _enabled(place: Place) -> Line:
    """STS has answered there, which it does in an enabled Region only."""
    return Line(REGION, State.OK, f"{place.region} ({place.partition}) is enabled")


def offers_endpoints(place: Place) -> list[Line]:
    """Whether AWS offers the endpoint that the guard is to make."""

    def ask() -> list[Line]:
        name = endpoint_service(place.region)
        try:
            answer = place.client("ec2").describe_vpc_endpoint_services(ServiceNames=[name])
        except ClientError as error:
            if code_of(error) != "InvalidServiceName":
                return [unknown(SERVICE, error, "ec2")]
            text = f"AWS offers no {name}"
            return [Line(SERVICE, State.STOP, text, "the guard has nothing to do in this Region")]
        (service,) = answer["ServiceDetails"]
        zones = len(service.get("AvailabilityZones", ()))
        return [Line(SERVICE, State.OK, f"{name}, in {zones} Availability Zones")]

    return [*asked(SERVICE, "ec2", ask)]
