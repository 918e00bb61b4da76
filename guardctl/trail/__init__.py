"""CloudTrail's log files: find them, and read the records out of them."""

from guardctl.trail.read import NAME, Broken, Element, Skipped, read

__all__ = ["NAME", "Broken", "Element", "Skipped", "read"]
