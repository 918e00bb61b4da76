"""Text out of a record, made safe to put into a line that people read."""


def one_line(text: str) -> str:
    """The text as one printable line, white space and control characters as single spaces.

    What SQS and mail refuse or what deceives the eye is gone: surrogates, unassigned characters,
    invisible ones that reverse or join text.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else _instead_of(c) for c in text)
    return " ".join(text.split())


def cut(text: str, most: int) -> str:
    """The text if it has no more than so many characters, else its beginning."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _instead_of(character: str) -> str:
    return " " if character.isspace() or character < " " else ""
