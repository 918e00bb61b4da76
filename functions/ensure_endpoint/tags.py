"""The tags that were given to the stack, for what the guard creates.

CloudFormation puts a stack's tags on the stack's resources ("Resource tags", CloudFormation user
guide), but a template cannot read them. So they are read off one of those resources at run time:
the parameter that holds the mode, whose service is asked in every run anyway. Only before something
is created, and kept for `MAX_AGE_SECONDS`.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from guard.aws.errors import code_of, message_of, refused
from guard.endpoint.state import Tags

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

MAX_AGE_SECONDS = 60
MOST_TAGS = 50  # of one EC2 resource ("Tag restrictions", Amazon EC2 user guide)
OWN_PREFIX = "vpce-guard:"
_AWS_PREFIX = "aws:"  # which AWS alone may write
_BY_DEFAULT: Mapping[str, str] = {"Name": "vpce-guard-secretsmanager"}


@dataclass(frozen=True, slots=True)
class Given:
    """The tags to put on what is created; `problem` says why some or all of them are missing."""

    tags: Tags = field(default_factory=dict[str, str])
    problem: str = ""


def chosen(found: Tags, reserved: Collection[str], room: int) -> Given:
    """The tags that are to be passed on.

    None of the guard's own keys, nor those by which a resource is excepted or a policy is chosen
    (`reserved`): whoever tags the stack does not mean those. At most `room`, in the keys' order.
    """
    tags = {
        key: value
        for key, value in sorted(found.items())
        if not key.lower().startswith((_AWS_PREFIX, OWN_PREFIX)) and key not in reserved
    }
    over = list(tags)[room:]
    problem = f"no room for the stack's tags {', '.join(over)}" if over else ""
    return Given({key: value for key, value in tags.items() if key not in over}, problem)


def combined(own: Tags, given: Tags) -> dict[str, str]:
    """All tags of a resource. The guard's keys are its own; a `Name` may be given."""
    return {**_BY_DEFAULT, **given, **own}


@dataclass(slots=True)
class StackTags:
    """Reads the stack's tags off the parameter `name`. Needs ssm:ListTagsForResource on it."""

    ssm: "SSMClient"
    name: str
    reserved: Collection[str]
    _read_at: float = float("-inf")
    _read: Tags = field(default_factory=dict[str, str])

    def get(self) -> Given:
        """The stack's tags, at most `MAX_AGE_SECONDS` old.

        Where SSM refuses, there are none, and `problem` says why: nothing is left without
        an endpoint for that. Raises ClientError or BotoCoreError for what may pass later.
        """
        if time.time() - self._read_at >= MAX_AGE_SECONDS:
            try:
                answer = self.ssm.list_tags_for_resource(
                    ResourceType="Parameter", ResourceId=self.name
                )
            except ClientError as error:
                if not refused(error):
                    raise
                words = f"{code_of(error)}: {message_of(error)}"
                return Given(problem=f"the stack's tags could not be read: {words}")
            self._read = {tag["Key"]: tag["Value"] for tag in answer.get("TagList", [])}
            self._read_at = time.time()
        # Three of the guard's own, and a name.
        room = MOST_TAGS - 3 - ("Name" not in self._read)
        return chosen(self._read, self.reserved, room)

    def forget(self) -> None:
        """After a refusal, which a deployment with other tags may fix at once: read them again."""
        self._read_at = float("-inf")
