"""`guardctl acceptance`: the drill's main job in a real sandbox account, with plain boto3."""

from guardctl.acceptance.command import acceptance

__all__ = ["acceptance"]
