"""Which VPCs the guard covers: all, or the part that the template's parameter names. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from guard.endpoint.state import Vpc
from guard.variables import SettingsError


class Scope(StrEnum):
    """`ROTATION`: VPCs in which a secret's rotation function runs."""

    ALL = "all"
    TAGGED = "tagged"
    ROTATION = "rotation"
    NOT_DEFAULT = "not-default"


@dataclass(frozen=True, slots=True)
class Guarded:
    """The scope, and the tag key that marks the VPCs of the scope `tagged`."""

    scope: Scope
    tag: str

    @classmethod
    def of(cls, scope: str, tag: str) -> "Guarded":
        """Raises SettingsError for a scope that does not exist."""
        if scope not in list(Scope):
            raise SettingsError(f"the scope must be one of {', '.join(Scope)}, not {scope!r}")
        return cls(Scope(scope), tag)

    def leaves_out(self, vpc: Vpc, has_rotation: Callable[[], bool]) -> str:
        """Why the VPC is none of the guard's business; empty if it is.

        `has_rotation` is asked only where it matters, as finding out costs calls.
        """
        match self.scope:
            case Scope.TAGGED if self.tag not in vpc.tags:
                return f"only VPCs with the tag {self.tag} are in scope"
            case Scope.NOT_DEFAULT if vpc.is_default:
                return "the default VPC is not in scope"
            case Scope.ROTATION if not has_rotation():
                return "only VPCs with rotation functions are in scope"
            case _:
                return ""
