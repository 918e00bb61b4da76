"""boto3 sessions that are cheap: one shared loader of models, and every client made once."""

from typing import Any

import boto3
import botocore.session

from emulator.partition import LOADER


class Session(boto3.Session):
    """Gives the same client for the same question: making one costs more than ten calls."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._clients: dict[str, Any] = {}

    def client(self, service_name: str, *args: Any, **settings: Any) -> Any:
        config = settings.get("config")
        options = config._user_provided_options if config else {}
        key = repr((service_name, args, {**settings, "config": options}))
        if key not in self._clients:
            make: Any = super().client
            self._clients[key] = make(service_name, *args, **settings)
        return self._clients[key]


def make_session(
    access_key: str, region: str, secret_key: str = "embedded", token: str | None = None
) -> Session:
    core = botocore.session.Session()
    core.register_component("data_loader", LOADER)
    return Session(access_key, secret_key, token, region_name=region, botocore_session=core)
