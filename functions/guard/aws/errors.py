"""What AWS's error codes mean to the guard: refused for good, or worth another try.

Codes of the EC2 API reference, "Error codes for the Amazon EC2 API".
"""

from collections.abc import Mapping
from typing import Any, cast

from botocore.exceptions import ClientError

# Codes that a repetition cannot cure: the state or somebody's rights must change first.
REFUSALS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "InvalidParameter",
        "InvalidParameterCombination",
        "InvalidParameterValue",
        "InvalidPolicyDocument",
        "InvalidServiceName",
        "DuplicateSubnetsInSameZone",
        "InvalidGroup.Duplicate",
        "MalformedPolicyDocumentException",
        "OperationNotPermitted",
        "PublicPolicyException",
        "RulesPerSecurityGroupLimitExceeded",
        "SecurityGroupLimitExceeded",
        "SecurityGroupsPerInterfaceLimitExceeded",
        "UnauthorizedOperation",
        "UnsupportedOperation",
        "VpcEndpointLimitExceeded",
    }
)

# Codes by which AWS's services say "too fast": nothing was done, and later it will be.
THROTTLES = frozenset(
    {
        "EC2ThrottledException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


def throttled(error: Exception) -> bool:
    """Whether AWS refused a call only because there were too many of them."""
    return isinstance(error, ClientError) and code_of(error) in THROTTLES


def _error(error: ClientError) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], error.response.get("Error", {}))


def code_of(error: ClientError) -> str:
    """AWS's error code of a failed call."""
    return str(_error(error).get("Code", ""))


def message_of(error: ClientError) -> str:
    """AWS's words for why a call failed."""
    return str(_error(error).get("Message", ""))
