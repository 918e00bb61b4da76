"""What AWS refused a run, with the permission that is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from guardctl.stack import StackError
from guardctl.words import in_words

# By IAM's prefix, the calls of a run to services that the guard itself does not call.
OPERATIONS = {
    "iam": (
        "CreateRole",
        "DeleteRole",
        "DeleteRolePolicy",
        "ListRolePolicies",
        "ListRoles",
        "ListRoleTags",
        "PutRolePolicy",
    ),
    "lambda": (
        "AddPermission",
        "CreateFunction",
        "DeleteFunction",
        "GetFunctionConfiguration",
        "ListFunctions",
        "ListTags",
    ),
    "secretsmanager": ("CreateSecret", "DeleteSecret", "ListSecrets", "RotateSecret"),
    "sns": ("ListSubscriptionsByTopic", "Subscribe", "Unsubscribe"),
    "sqs": (
        "CreateQueue",
        "DeleteMessage",
        "DeleteQueue",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ListQueues",
        "ListQueueTags",
        "ReceiveMessage",
    ),
    "ssm": ("GetParameter",),
    "sts": ("AssumeRole", "GetCallerIdentity"),
}


def words_of(error: Exception) -> str:
    """An error of AWS or of boto3 for people; of a denial the permission that is missing."""
    asked = error.operation_name if isinstance(error, ClientError) else ""
    service = next((one for one, calls in OPERATIONS.items() if asked in calls), "")
    return in_words(error, service)


@contextmanager
def worded() -> Iterator[None]:
    """Within, what AWS refuses is raised as a StackError with these words."""
    try:
        yield
    except ClientError as error:
        raise StackError(words_of(error)) from error
