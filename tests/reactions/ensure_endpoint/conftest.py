"""Deployments with other parameters, beside the one that the other tests share."""

from collections.abc import Iterator, Mapping
from typing import Protocol

import pytest

from emulator import Cloud
from tests.reactions.account import Account

NO_VARIABLES: Mapping[str, str] = {}


class Deploy(Protocol):
    def __call__(self, variables: Mapping[str, str] = ..., **parameters: str) -> Account: ...


@pytest.fixture
def deployed() -> Iterator[Deploy]:
    """Deploy with these parameters and variables of ensure_endpoint."""
    clouds: list[Cloud] = []

    def deploy(variables: Mapping[str, str] = NO_VARIABLES, **parameters: str) -> Account:
        cloud = Cloud.start({"Mode": "remediate", **parameters}, variables=variables)
        clouds.append(cloud)
        cloud.settle()
        return Account(cloud)

    yield deploy
    for cloud in clouds:
        cloud.stop()
