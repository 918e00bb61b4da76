"""What an error of AWS means to the guard: too fast, AWS's own fault, out of date, or a refusal.

A refusal is whatever is none of the other three: the codes by which AWS refuses are an open set, so
one that nobody has listed is a refusal too, and is published in AWS's words.

Sources: "Error codes for the Amazon EC2 API" (server errors come with a 500-series HTTP status; the
section on eventual consistency), "Common errors" of the services' API references, and botocore's
own lists in `botocore.retries.standard`, which a test compares with these.
"""

import re
from collections.abc import Mapping
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError

# Codes by which AWS's services say "too fast": nothing was done, and later it will be.
THROTTLES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "KMSThrottlingException",
        "KmsThrottled",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
TOO_MANY_REQUESTS = 429

# AWS's own faults, also where they come without a 500-series status. Whether the request was
# carried out is not known.
FAULTS = frozenset(
    {
        "IDPCommunicationError",
        "InsufficientAddressCapacity",
        "InsufficientCapacity",
        "InsufficientHostCapacity",
        "InsufficientInstanceCapacity",
        "InsufficientReservedInstanceCapacity",
        "InsufficientVolumeCapacity",
        "InternalError",
        "InternalException",
        "InternalFailure",
        "InternalServerError",
        "InternalServerErrorException",
        "InternalServiceError",
        "InternalServiceErrorException",
        "InternalServiceException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServerInternal",
        "ServiceException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "Unavailable",
    }
)

# The request came too late, by the wrong clock, or with credentials that are over or too new: it
# says nothing about what was asked for.
EXPIRED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "RequestExpired",
        "RequestInTheFuture",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)

# What was read is not what AWS has, beside the codes that end in NotFound: it is not there yet, or
# no longer, or is being changed. The next reconcile sees which.
CHANGED_MEANWHILE = frozenset(
    {
        "ConcurrentModificationException",
        "ConcurrentTagAccess",
        "IdempotentParameterMismatch",
        "IncorrectState",
        "InvalidState",
        "ResourceNotFoundException",
    }
)

# What differs from one answer to the next although the cause is the same.
_ENCODED = re.compile(r"\s*Encoded authorization failure message: (\S+)", re.ASCII)
_VARYING = re.compile(
    r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b[\w+/=-]{64,}", re.ASCII | re.IGNORECASE
)


def throttled(error: Exception) -> bool:
    """Whether AWS turned a call away only because there were too many: it was not carried out."""
    return isinstance(error, ClientError) and (
        code_of(error) in THROTTLES or _status(error) == TOO_MANY_REQUESTS
    )


def at_fault(error: Exception) -> bool:
    """Whether AWS or the way to it failed: the same call may succeed later, or was carried out."""
    if not isinstance(error, ClientError):
        return isinstance(error, BotoCoreError)
    if throttled(error):
        return False
    return code_of(error) in FAULTS | EXPIRED or _status(error) >= 500


def out_of_date(error: Exception) -> bool:
    """Whether AWS knows another state than the one that was acted on: to be read again."""
    if not isinstance(error, ClientError) or throttled(error) or at_fault(error):
        return False
    return code_of(error) in CHANGED_MEANWHILE or code_of(error).endswith(".NotFound")


def refused(error: Exception) -> bool:
    """Whether AWS refuses the call itself: repeated at once, it would be refused again.

    One that is `out_of_date` is among them: whoever may read the state again asks for that first.
    """
    return isinstance(error, ClientError) and not throttled(error) and not at_fault(error)


def code_of(error: ClientError) -> str:
    """AWS's error code of a failed call."""
    return str(_error(error).get("Code", ""))


def message_of(error: ClientError) -> str:
    """AWS's words for why a call failed."""
    return str(_error(error).get("Message", ""))


def encoded_in(message: str) -> str:
    """The encoded authorization message in AWS's words; empty if there is none.

    For DecodeAuthorizationMessage (STS API reference).
    """
    found = _ENCODED.search(message)
    return found[1] if found else ""


def readable(message: str) -> str:
    """AWS's words without the encoded authorization message, which no person can read."""
    return _ENCODED.sub("", message)


def steady(message: str) -> str:
    """AWS's words without what differs each time, such as a request id: the same for one cause."""
    return _VARYING.sub("", readable(message))


def _error(error: ClientError) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], error.response.get("Error", {}))


def _status(error: ClientError) -> int:
    metadata = cast(Mapping[str, Any], error.response.get("ResponseMetadata", {}))
    return int(metadata.get("HTTPStatusCode", 0))
