"""Where to post: a webhook's URL, or a bot's token. Both are secrets in an SSM parameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from guard.aws.parameters import ParameterUnreadable
from notify_slack.webhook import BadWebhook

if TYPE_CHECKING:
    from collections.abc import Callable

    from guard.aws.parameters import Parameters

MAX_AGE_SECONDS = 300

logger = Logger(child=True)


@dataclass(frozen=True, slots=True)
class Address:
    """`checked` returns the parameter's value, or raises BadWebhook. Needs ssm:GetParameter."""

    parameters: Parameters
    name: str
    checked: Callable[[str], str]

    def read(self, max_age: float = MAX_AGE_SECONDS) -> str:
        """The value, at most `max_age` seconds old. Raises ParameterUnreadable or BadWebhook."""
        return self.checked(self.parameters.get(self.name, max_age=max_age))

    def changed(self, old: str) -> str | None:
        """The value, read anew because Slack refuses the old one; None if it is the same, or cannot
        be read.
        """
        try:
            new = self.read(max_age=0)
        except (ParameterUnreadable, BadWebhook) as error:
            logger.error("the webhook cannot be read", extra={"error": str(error)})
            return None
        return new if new != old else None
