"""What each function must be allowed, read off its calls on the embedded cloud."""

from guardctl.rights.command import least_rights

__all__ = ["least_rights"]
