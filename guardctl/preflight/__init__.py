"""`guardctl preflight`: which recorded requests an endpoint policy would have refused."""

from guardctl.preflight.command import preflight

__all__ = ["preflight"]
