"""Which name of Secrets Manager a request asked for, by the host name the client gave. Pure.

Private DNS of an interface endpoint serves the names of its own service and no other. AWS:
`tlsDetails.clientProvidedHostHeader` in "CloudTrail record contents"; "AWS Secrets Manager
endpoints" in the Secrets Manager user guide (plain, FIPS, dual-stack); "Access an AWS service using
an interface VPC endpoint" in the PrivateLink guide (names of the endpoint itself).
"""

from dataclasses import dataclass

from guard.cloudtrail.record import Record
from guard.partitions import DUAL_STACK_DOMAINS, service_of

_PLAIN = "secretsmanager"
_FIPS = "secretsmanager-fips"


@dataclass(frozen=True, slots=True)
class OtherName:
    """A name that the plain endpoint's private DNS does not serve: its kind, why, what to do."""

    kind: str
    why: str
    todo: str


def other_name(record: Record) -> OtherName | None:
    """What the request asked for instead of the service's plain name in its Region.

    None for the plain name, and where the record gives no host name or one that is not known.
    """
    host = record.host.strip().lower().partition(":")[0].rstrip(".")
    first, _, rest = host.partition(".")
    region = rest.partition(".")[0]
    dual_stack = any(rest == f"{region}.{domain}" for domain in DUAL_STACK_DOMAINS)
    if first.startswith("vpce-") or ".vpce." in host:
        return OtherName(
            "name of an endpoint",
            f"it asked for {host}, the name of an endpoint itself, and no endpoint is recorded",
            f"Find out to which address {host} resolves where the caller runs.",
        )
    if first == _FIPS:
        return OtherName(
            "FIPS name",
            f"it asked for the FIPS name {host}, which only an endpoint for "
            f"com.amazonaws.{region}.{_FIPS} serves",
            f"Give its VPC an endpoint for com.amazonaws.{region}.{_FIPS} with private DNS, or let "
            "the client ask for the plain name.",
        )
    of_aws = dual_stack or service_of(host) == f"{_PLAIN}.{region}"
    if first == _PLAIN and of_aws and record.region and region != record.region:
        return OtherName(
            "name of another Region",
            f"it asked for {host}, the name of another Region",
            f"Let the client ask in {record.region}, or through an endpoint of {region}.",
        )
    if first == _PLAIN and dual_stack:
        return OtherName(
            "dual-stack name",
            f"it asked for the dual-stack name {host}, which private DNS may not serve",
            "Let the client ask for the plain name: it has addresses of both versions.",
        )
    return None
