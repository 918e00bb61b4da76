"""Posts by a bot or by a webhook: the secret's own form says which of the two it is for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from notify_slack.webhook import Webhook, checked, checked_token, is_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guard.table.items import Items
    from notify_slack.bot import Bot
    from notify_slack.rate_limiter import RateLimiter
    from notify_slack.webhook import Answer, Verdict


@dataclass(frozen=True)
class Sender:
    """`channel` is the one that a bot posts to, `api` the address of Slack's Web API; the threads
    of a bot's messages are kept in `table`. What is `urgent` goes to the last URL of several.
    """

    limiter: RateLimiter
    table: Items
    channel: str
    api: str
    urgent: bool = False

    def send(
        self, body: str, message: Mapping[str, Any], secret: str, number: int
    ) -> tuple[Verdict, Answer]:
        """Post a message. Needs what `Bot` or `Webhook` needs."""
        by = self._bot if is_token(secret) else Webhook(self.limiter)
        return by.send(body, message, secret, number)

    def checked(self, secret: str) -> str:
        """The bot's token or the webhook's URL. Raises BadWebhook."""
        if is_token(secret):
            return checked_token(secret, self.channel)
        urls = [checked(one) for one in secret.split() or [""]]
        return urls[-1 if self.urgent else 0]

    @cached_property
    def _bot(self) -> Bot:
        """A webhook has no use for the bot, and is what most stacks have."""
        from notify_slack.bot import Bot, Threads

        return Bot(self.limiter, Threads(self.table, self.channel), self.api)
