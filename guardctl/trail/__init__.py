"""CloudTrail's log files: find them, and read the records out of them."""

from guardctl.trail.elements import Broken, Element, Skipped
from guardctl.trail.read import read

__all__ = ["Broken", "Element", "Skipped", "read"]
