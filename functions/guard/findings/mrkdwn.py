"""Text as Slack's mrkdwn that nothing in it can become a mention, a link or a format.

Text from a record is hostile until shown otherwise. Slack reads `&`, `<` and `>` as the marks of
entities, links and mentions, so they are always escaped; whatever else its mrkdwn could take for
formatting, a link or an emoji stands in code spans, where nothing is interpreted and ids can be
copied as they are. Backticks, which end a code span, become apostrophes.
"""

import re

from guard.findings.text import one_line

_WORD = re.compile(r"""(?P<before>[("'\[]*)(?P<core>.*?)(?P<after>[.,;:!?)\]"']*)""")
_INERT = re.compile(r"[^&<>*_~`@#:/\\|]*")  # and no dot within, which could make a link
_DOT_WITHIN = re.compile(r"\w\.\w")


def prose(text: str, limit: int) -> str:
    """Text as mrkdwn that reads as it is written, of at most `limit` characters."""
    words: list[str] = []
    room = limit - 2
    for word in (one_line(text) or "-").split(" "):
        if cost(shown := _word(word)) + 1 > room:
            words.append(f"{code(word, room)} …" if not words and room > 2 else "…")
            break
        words.append(shown)
        room -= cost(shown) + 1
    return " ".join(words)


def code(text: str, limit: int) -> str:
    """Text as a code span of at most `limit` characters: for ids, ARNs, all that one may copy."""
    return f"`{clipped(one_line(text).replace('`', "'") or '-', limit - 2)}`"


def _word(word: str) -> str:
    match = _WORD.fullmatch(word)
    if not match or not match["core"] or _is_inert(match["core"]):
        return _escaped(word)
    core = match["core"].replace("`", "'")
    return f"{_escaped(match['before'])}`{_escaped(core)}`{_escaped(match['after'])}"


def _is_inert(core: str) -> bool:
    return bool(_INERT.fullmatch(core)) and not _DOT_WITHIN.search(core)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cost(text: str) -> int:
    """Characters in the payload, where JSON writes a quotation mark and a backslash as two."""
    return len(text) + text.count('"') + text.count("\\")


def clipped(text: str, limit: int) -> str:
    """The text escaped, and its end replaced by an ellipsis where that takes more than `limit`."""
    if cost(_escaped(text)) <= limit:
        return _escaped(text)
    shown, room = "", limit - 1
    for character in text:
        room -= cost(_escaped(character))
        if room < 0:
            break
        shown += _escaped(character)
    return f"{shown}…"
