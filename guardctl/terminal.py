"""Tables and texts for a terminal, or for whatever reads a pipe or a file: there nothing is cut."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment

from guardctl.screen import printable

_WHOLE = 100_000  # columns where nobody's screen is the limit
_BOX = 100  # columns there of what has a frame: it is as wide as the screen, and wraps its text


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Rich ends the process with 1; a reader who has read enough is no failure."""
        raise


def console(*, stderr: bool = False, boxes: bool = False, **more: Any) -> Console:
    """Prints texts as they are: the ARN of a secret is no place for an emoji or a colour.

    `boxes` is for what has a frame.
    """
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _BOX if boxes else _WHOLE
    options = {
        "highlight": False,
        "emoji": False,
        "markup": False,
        "soft_wrap": True,
        "width": width,
        **more,
    }
    made = _Console(stderr=stderr, **options)
    made.push_render_hook(_Inert())
    return made


class _Inert(RenderHook):
    """Has each piece of text replaced as it is drawn, wherever it came from."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Drawn(renderables)]


class _Drawn:
    def __init__(self, renderables: Sequence[ConsoleRenderable]) -> None:
        self.renderables = renderables

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for one in self.renderables:
            yield from map(_inert, console.render(one, options))


def _inert(segment: Segment) -> Segment:
    """A segment of text; one that moves the cursor is rich's own."""
    if segment.control:
        return segment
    lines: Iterable[str] = segment.text.split("\n")
    return Segment("\n".join(map(printable, lines)), segment.style)
