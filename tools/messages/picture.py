"""A Slack message as an SVG picture, drawn from the very blocks that would be sent. Pure.

It shows what stands where and how it is cut, not Slack's own design to the pixel: the widths of
characters are guessed by their style, and lines break at spaces.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape, unescape
from typing import Any

WIDTH, MARGIN, INDENT, LINE = 720, 24, 40, 20
COLUMNS = 2  # of a section's fields

_SPAN = re.compile(r"`(?P<code>[^`]*)`|\*(?P<bold>[^*\n]+)\*")
_STYLES = {
    "plain": 'class="t"',
    "bold": 'class="t b"',
    "code": 'class="c"',
    "small": 'class="t s"',
    "small-code": 'class="c s"',
    "title": 'class="h"',
    "button": 'class="t b"',
}
_STYLE_SHEET = (
    "<style>"
    ".t{font:15px Lato,Helvetica,Arial,sans-serif;fill:#1d1c1d}.b{font-weight:700}"
    ".h{font:700 18px Lato,Helvetica,Arial,sans-serif;fill:#1d1c1d}"
    ".c{font:13px Menlo,Consolas,monospace;fill:#c01343}"
    ".s{font-size:12px;fill:#616061}"
    "</style>"
)


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of text that is not broken, and its style."""

    text: str
    style: str

    @property
    def width(self) -> float:
        one = {"code": 7.9, "small": 6.2, "small-code": 7.3, "title": 9.6}.get(self.style, 7.5)
        one += 0.9 * (self.style in ("bold", "button"))
        wide = sum(ord(character) > 0x2000 for character in self.text)
        return one * (len(self.text) + 0.8 * wide)


@dataclass(slots=True)
class Canvas:
    """Draws downwards; `y` is where the next line goes."""

    y: float = MARGIN
    parts: list[str] = field(default_factory=list[str])

    def text(self, words: Sequence[Word], x: float, width: float, y: float | None = None) -> float:
        """Write words from `y` (or here) in lines of a width; returns where the last line ended."""
        line_y = self.y if y is None else y
        for line in broken(words, width):
            line_y += LINE
            spans = "".join(
                f"<tspan {_STYLES[word.style]}>{escape(word.text, quote=False)}</tspan>"
                for word in line
            )
            self.parts.append(f'<text x="{x:g}" y="{line_y:g}" xml:space="preserve">{spans}</text>')
        if y is None:
            self.y = line_y
        return line_y

    def buttons(self, labels: Sequence[str]) -> None:
        x: float = INDENT
        self.y += 8
        for label in labels:
            word = Word(label, "button")
            box = f'width="{word.width + 24:g}" height="30" rx="4" fill="#fff" stroke="#bbb"'
            self.parts.append(f'<rect x="{x:g}" y="{self.y:g}" {box}/>')
            self.parts.append(
                f'<text x="{x + 12:g}" y="{self.y + 20:g}" {_STYLES["button"]}>'
                f"{escape(label, quote=False)}</text>"
            )
            x += word.width + 34
        self.y += 34


def picture(message: Mapping[str, Any]) -> str:
    """The SVG of a message as `notify_slack.payload` makes it."""
    canvas = Canvas(y=MARGIN - 10)
    for block in message["blocks"]:
        canvas.text([Word(block["text"]["text"], "title")], MARGIN, WIDTH - 2 * MARGIN)
    canvas.y += 8
    for bar in message["attachments"]:
        top = canvas.y
        for block in bar["blocks"]:
            _draw(block, canvas)
            canvas.y += 8
        canvas.parts.append(
            f'<rect x="{MARGIN}" y="{top:g}" width="4" height="{canvas.y - top:g}" rx="2" '
            f'fill="{bar["color"]}"/>'
        )
    height = canvas.y + MARGIN / 2
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}">',
            _STYLE_SHEET,
            f'<rect width="{WIDTH}" height="{height:g}" rx="6" fill="#fff" stroke="#ddd"/>',
            *canvas.parts,
            "</svg>\n",
        ]
    )


def _draw(block: Mapping[str, Any], canvas: Canvas) -> None:
    width = WIDTH - INDENT - MARGIN
    match block["type"]:
        case "section" if "fields" in block:
            _draw_fields([one["text"] for one in block["fields"]], canvas, width)
        case "section":
            for line in block["text"]["text"].split("\n"):
                canvas.text(words(line), INDENT, width)
        case "actions":
            canvas.buttons([unescape(one["text"]["text"]) for one in block["elements"]])
        case "context":
            small = "  ·  ".join(one["text"] for one in block["elements"])
            canvas.text(words(small, "small"), INDENT, width)
        case other:
            raise NotImplementedError(f"a block of type {other}")


def _draw_fields(texts: Sequence[str], canvas: Canvas, width: float) -> None:
    column = width / COLUMNS
    for start in range(0, len(texts), COLUMNS):
        ends: list[float] = []
        for place, text in enumerate(texts[start : start + COLUMNS]):
            y = canvas.y
            for line in text.split("\n"):
                y = canvas.text(words(line), INDENT + place * column, column - 10, y)
            ends.append(y)
        canvas.y = max(ends) + 4


def words(line: str, style: str = "plain") -> list[Word]:
    """A line of mrkdwn as the words it shows: bold, code and plain."""
    return [word for word in _words(line, style) if word.text]


def _words(line: str, style: str) -> Iterator[Word]:
    place = 0
    code = "small-code" if style == "small" else "code"
    for span in _SPAN.finditer(line):
        yield Word(unescape(line[place : span.start()]), style)
        if span["code"] is not None:
            yield Word(unescape(span["code"]), code)
        else:
            yield Word(unescape(span["bold"]), "bold")
        place = span.end()
    yield Word(unescape(line[place:]), style)


def broken(pieces: Sequence[Word], width: float) -> list[list[Word]]:
    """The pieces in lines of at most `width`, broken at spaces, and within longer words."""
    lines: list[list[Word]] = [[]]
    room = width
    for piece in _unbroken(pieces, width):
        if piece.width > room and lines[-1]:
            lines.append([])
            room = width
            piece = Word(piece.text.lstrip(" "), piece.style)
        lines[-1].append(piece)
        room -= piece.width
    return lines


def _unbroken(pieces: Sequence[Word], width: float) -> Iterator[Word]:
    for piece in pieces:
        for text in re.findall(r" *[^ ]+ *$| *[^ ]+| +", piece.text):
            one = Word(text, piece.style)
            most = max(1, int(len(text) * width / one.width)) if one.width > width else len(text)
            for start in range(0, len(text), most):
                yield Word(text[start : start + most], piece.style)
