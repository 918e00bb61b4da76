"""`guardctl redrive`: what is in the dead-letter queues, why, and back to work with it."""

from guardctl.redrive.command import redrive

__all__ = ["redrive"]
