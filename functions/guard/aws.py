"""Clients of AWS services: botocore's own, all of one session.

boto3 would hand out the same ones. To import it costs a tenth of a cold start, for resources and
transfers to S3 that nothing here uses; `python -m benchmarks.cold_start` shows what is left.
"""

from typing import TYPE_CHECKING

import botocore.session

if TYPE_CHECKING:
    # The same arguments, and stubs that know the services used.
    from boto3 import client as client  # pyright: ignore[reportUnknownVariableType]
else:
    client = botocore.session.get_session().create_client
