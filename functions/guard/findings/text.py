"""Text out of a record or a file, made such as people can read in a line, and as AWS takes it.

One function for each rule that AWS documents; what it refuses would be lost, or hold up the work.
"""

import hashlib
import unicodedata

TAG_VALUE = 256  # EC2, Tag.Value
DIMENSION_VALUE = 1024  # CloudWatch, Dimension.Value
SUBJECT = 99  # SNS, Publish: "less than 100 characters"


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


def cut_apart(text: str, most: int) -> str:
    """The text if it has no more than so many characters, else its beginning and a digest of it:
    two texts that begin alike stay two.
    """
    digest = f"... {hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return text if len(text) <= most else f"{text[: most - len(digest)]}{digest}"


def tag_value(text: str) -> str:
    """The text as the value of a tag."""
    return one_line(text)[:TAG_VALUE]


def dimension_value(text: str) -> str:
    """The text as the value of a metric's dimension: ASCII, and never empty.

    Other characters are escaped and not left out, so that two names stay two.
    """
    plain = one_line(text).encode("ascii", "backslashreplace").decode()
    return plain[:DIMENSION_VALUE].strip() or "-"


def subject_line(text: str) -> str:
    """The text as the subject of an SNS message: ASCII, short, and with a visible character first.

    Letters lose their accents; what has no ASCII form is left out.
    """
    plain = unicodedata.normalize("NFKD", one_line(text)).encode("ascii", "ignore").decode()
    plain = one_line(plain)
    return plain if len(plain) <= SUBJECT else plain[: SUBJECT - 3].rstrip() + "..."


def _instead_of(character: str) -> str:
    return " " if character.isspace() or character < " " else ""
