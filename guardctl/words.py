"""What AWS refused, in words for a terminal."""

from botocore.exceptions import ClientError

from guard.aws.denials import action_of, is_denial, missing_permission
from guard.aws.errors import code_of, message_of


def in_words(error: Exception, service: str = "") -> str:
    """An error of AWS or of boto3, and of a denial the permission that is missing.

    `service` is IAM's prefix of the call that failed, where it is not one of the guard's own.
    """
    if not isinstance(error, ClientError):
        return str(error)
    action = f"{service}:{error.operation_name}" if service else action_of(error)
    words = f"AWS refused {action}: {code_of(error)}: {message_of(error)}"
    if not is_denial(code_of(error)):
        return words
    permission = missing_permission(message_of(error), action)
    return f"{words}\nmissing permission: {permission}"
