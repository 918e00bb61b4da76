"""The resources of a deployed stack as they were just after it, to be put back between tests."""

from collections.abc import Iterator, Mapping, MutableMapping
from copy import copy
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.events.models import events_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

MESSAGES = {"_messages", "_pending_messages", "deleted_messages", "sent_notifications"}
"""What comes and goes, and is not put back."""


class Kept:
    """Rules, queues, topics, subscriptions and event source mappings of one account and Region."""

    def __init__(self, account: str, region: str) -> None:
        self._place = account, region
        self._kept = [
            {key: (one, _attributes(one)) for key, one in found.items()} for found in self._there()
        ]

    def put_back(self) -> None:
        """Whatever was changed, removed or added since."""
        for found, kept in zip(self._there(), self._kept, strict=True):
            found.clear()
            for key, (one, attributes) in kept.items():
                vars(one).update({name: _copied(value) for name, value in attributes.items()})
                found[key] = one

    def _there(self) -> Iterator[MutableMapping[str, Any]]:
        account, region = self._place
        yield events_backends[account][region].event_buses["default"].rules
        yield sqs_backends[account][region].queues
        yield sns_backends[account][region].topics
        yield sns_backends[account][region].subscriptions
        yield lambda_backends[account][region]._event_source_mappings


def _attributes(one: Any) -> Mapping[str, Any]:
    """Its attributes but for messages."""
    return {name: _copied(value) for name, value in vars(one).items() if name not in MESSAGES}


def _copied(value: Any) -> Any:
    """AWS's calls change what is in a list or mapping; anything else they replace."""
    return copy(value) if isinstance(value, dict | list) else value
