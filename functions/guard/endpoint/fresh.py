"""How long what was read of an account is remembered. Pure."""

MAX_AGE_SECONDS = 60
CLOCKS_DIFFER = 5  # seconds, and events have whole ones


def fresh(read_at: float, now: float, since: float) -> bool:
    """Whether what was read then still counts: for a minute, and only if it was after `since`."""
    return now - read_at < MAX_AGE_SECONDS and read_at > since + CLOCKS_DIFFER
