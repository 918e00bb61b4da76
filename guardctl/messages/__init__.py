"""`guardctl messages`: pictures of the Slack messages that findings and alarms become."""

from guardctl.messages.command import messages

__all__ = ["messages"]
