"""`guardctl replay`: logs are found, read, judged, collapsed, summed up and shown."""

from guardctl.replay.command import replay

__all__ = ["replay"]
