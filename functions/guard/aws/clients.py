"""Clients of AWS services: botocore's own, all of one session and with one `Config`.

boto3 would hand out the same ones. To import it costs a tenth of a cold start, for resources and
transfers to S3 that nothing here uses; `python -m benchmarks.cold_start` shows what is left.
"""

from functools import cache, partial
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config

CONFIG = Config(retries={"mode": "standard"}, connect_timeout=3, read_timeout=10)
"""What a client has unless it is made with another `config`."""

TWO_TRIES = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=10
)
"""Where a message that failed comes back by itself."""

if TYPE_CHECKING:
    # The same arguments, and stubs that know the services used.
    from boto3 import client as client  # pyright: ignore[reportUnknownVariableType]

    lazy_client = client  # pyright: ignore[reportUnknownVariableType]
else:
    client = partial(botocore.session.get_session().create_client, config=CONFIG)

    class lazy_client:  # noqa: N801 - called as client is
        """A client for calls that most invocations do not make: it is made at the first of them."""

        def __init__(self, service: str, **settings: Any) -> None:
            self._made = cache(lambda: client(service, **settings))

        def __getattr__(self, name: str) -> Any:
            return getattr(self._made(), name)
