"""moto's state belongs to the process. Put it aside, and take it back: so that clouds can nest."""

from dataclasses import dataclass
from typing import Any

from moto.core.base_backend import BackendDict
from moto.s3.models import s3_backends

_all: Any = BackendDict


@dataclass(frozen=True, slots=True)
class Kept:
    """What moto held: each service's accounts, and whose each bucket is, which S3 keeps apart."""

    backends: list[tuple[Any, dict[str, Any]]]
    buckets: dict[str, tuple[str, str]]


def put_aside() -> Kept:
    """Leave moto as if nothing had ever been created; returns what was there."""
    kept = Kept(
        [(backends, dict(backends.items())) for backends in _all._instances],
        dict(s3_backends.bucket_accounts),
    )
    for backends, _ in kept.backends:
        backends.clear()
    _all._instances.clear()
    s3_backends.bucket_accounts.clear()
    return kept


def put_back(kept: Kept) -> None:
    """Drop what there is now for what was put aside."""
    put_aside()
    for backends, content in kept.backends:
        backends.update(content)
        _all._instances.append(backends)
    s3_backends.bucket_accounts.update(kept.buckets)
