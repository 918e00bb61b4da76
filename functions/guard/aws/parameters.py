"""SSM parameters, remembered for as long as the reader allows.

Powertools has a provider for it, which imports boto3 and three more services' providers: a tenth of
a cold start for one call.
"""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


class ParameterUnreadable(RuntimeError):
    """SSM refused or did not answer; the message is its own."""


@dataclass(slots=True)
class Parameters:
    """The parameters this execution environment has read, each with the time it was read at."""

    ssm: "SSMClient"
    _read: dict[str, tuple[float, str]] = field(default_factory=dict[str, tuple[float, str]])

    def get(self, name: str, max_age: float) -> str:
        """A parameter's value, decrypted, as it was at most `max_age` seconds ago; 0 asks anew.

        Raises ParameterUnreadable. SSM, GetParameter: WithDecryption is ignored for a String.
        """
        read_at, value = self._read.get(name, (float("-inf"), ""))
        if time.time() - read_at < max_age:
            return value
        try:
            answer = self.ssm.get_parameter(Name=name, WithDecryption=True)
        except (ClientError, BotoCoreError) as error:
            raise ParameterUnreadable(str(error)) from error
        value = answer["Parameter"].get("Value", "")
        self._read[name] = time.time(), value
        return value
