"""A service control policy that demands tags on what is created: `options.demanded_tags`.

In IAM's words for it ("Troubleshoot access denied error messages", IAM user guide).
"""

from collections.abc import Mapping
from typing import Any

from moto.ec2.exceptions import EC2ClientError

from .options import options


def check_tags(request: Any, operation: str, kind: str, tags: Mapping[str, str]) -> None:
    """Refuses to create something without the demanded tags, whoever asks."""
    if options.demanded_tags <= set(tags):
        return
    backend = request.ec2_backend
    arn = f"arn:aws:ec2:{backend.region_name}:{backend.account_id}:{kind}/*"
    raise EC2ClientError(
        "UnauthorizedOperation",
        "You are not authorized to perform this operation. User:"
        f" arn:aws:sts::{backend.account_id}:assumed-role/caller/session is not authorized to"
        f" perform: ec2:{operation} on resource: {arn} with an explicit deny in a service control"
        " policy",
    )
