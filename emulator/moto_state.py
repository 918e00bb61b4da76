"""moto's state belongs to the process. Put it aside, and take it back: so that clouds can nest."""

from typing import Any

from moto.core.base_backend import BackendDict

_all: Any = BackendDict

type Kept = list[tuple[Any, dict[str, Any]]]


def put_aside() -> Kept:
    """Leave moto as if nothing had ever been created; returns what was there."""
    kept = [(backends, dict(backends.items())) for backends in _all._instances]
    for backends, _ in kept:
        backends.clear()
    _all._instances.clear()
    return kept


def put_back(kept: Kept) -> None:
    """Drop what there is now for what was put aside."""
    put_aside()
    for backends, content in kept:
        backends.update(content)
        _all._instances.append(backends)
