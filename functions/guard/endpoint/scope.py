"""Which VPCs the guard covers: all, or the part that the template's parameter names. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from guard.endpoint.state import Vpc
from guard.settings import SettingsError


class Coverage(StrEnum):
    """`ROTATION`: VPCs in which a secret's rotation function runs."""

    ALL = "all"
    TAGGED = "tagged"
    ROTATION = "rotation"
    NOT_DEFAULT = "not-default"


@dataclass(frozen=True, slots=True)
class Scope:
    """The scope, and the tag key that marks the VPCs of the scope `tagged`."""

    scope: Coverage
    tag: str

    @classmethod
    def of(cls, scope: str, tag: str) -> "Scope":
        """Raises SettingsError for a scope that does not exist."""
        if scope not in list(Coverage):
            raise SettingsError(f"the scope must be one of {', '.join(Coverage)}, not {scope!r}")
        return cls(Coverage(scope), tag)

    def why_excluded(self, vpc: Vpc, has_rotation: Callable[[], bool]) -> str:
        """Why the VPC is none of the guard's business; empty if it is.

        `has_rotation` is asked only where it matters, as finding out costs calls.
        """
        match self.scope:
            case Coverage.TAGGED if self.tag not in vpc.tags:
                return f"only VPCs with the tag {self.tag} are in scope"
            case Coverage.NOT_DEFAULT if vpc.is_default:
                return "the default VPC is not in scope"
            case Coverage.ROTATION if not has_rotation():
                return "only VPCs with rotation functions are in scope"
            case _:
                return ""
