"""CloudTrail's log files: find them, and read the records out of them."""

from guardctl.trail.read import Broken, Element, Skipped, read

__all__ = ["Broken", "Element", "Skipped", "read"]
