"""How texts that are not ours are put on a terminal."""

from rich.console import Console


def console(*, stderr: bool = False) -> Console:
    """Prints texts as they are: the ARN of a secret is no place for an emoji."""
    return Console(stderr=stderr, highlight=False, emoji=False, soft_wrap=True)


def printable(text: str) -> str:
    """Without what would steer a terminal: these texts are not ours."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
