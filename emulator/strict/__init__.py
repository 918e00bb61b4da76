"""moto made as strict as AWS in what VPCE Guard leans on.

`install()` replaces methods of moto's models for the whole process (moto's server runs in it) and
`uninstall()` puts them back; `strict()` does both around a block. `options` holds what AWS decides
by place and day. All time is `time.time()`, so a travelled clock moves it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from . import (
    calls,
    endpoint_requests,
    endpoint_services,
    endpoints,
    hosted_zones,
    lambda_functions,
    network_acls,
    network_requests,
    networks,
    quotas,
    secrets_manager,
    stacks,
    tables,
    trails,
)
from .options import Options, options

__all__ = ["Options", "install", "options", "strict", "uninstall"]

_THEMES = (
    calls,
    endpoint_requests,
    endpoint_services,
    endpoints,
    network_requests,
    networks,
    network_acls,
    hosted_zones,
    lambda_functions,
    quotas,
    secrets_manager,
    stacks,
    tables,
    trails,
)
_installed: ExitStack | None = None


def install() -> None:
    """Makes moto strict; a second call changes nothing."""
    global _installed
    if _installed is None:
        with ExitStack() as undo:
            for theme in _THEMES:
                theme.patches.install(undo)
            _installed = undo.pop_all()


def uninstall() -> None:
    """Gives moto its own methods back, and the options their defaults."""
    global _installed
    if _installed is not None:
        _installed.close()
        _installed = None
    options.assume(Options())


@contextmanager
def strict() -> Iterator[Options]:
    """Strict within the block; yields the options to change. Leaves an outer install as it was."""
    outer, before = _installed, replace(options)
    install()
    try:
        yield options
    finally:
        if outer is None:
            uninstall()
        options.assume(before)
