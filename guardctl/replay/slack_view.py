"""A Slack message as HTML, near enough to how Slack shows it: for people who have no Slack at hand.

Reads the Block Kit payload that `notify_slack.payload` would make, so what is on the page is what
would be in the channel. All of it ends up as text: nothing of a message is taken as HTML.
"""

import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup, escape

_PARTS = re.compile(r"(`[^`\n]+`|(?<![\w*])\*[^*\n]+\*(?!\w))")


def message(payload: Mapping[str, Any]) -> Markup:
    """The whole message: the blocks, and the attachments behind their coloured bars."""
    parts = [_blocks(payload.get("blocks", []))]
    for attachment in payload.get("attachments", []):
        colour = str(attachment.get("color", ""))
        colour = colour if re.fullmatch(r"#[0-9a-fA-F]{6}", colour) else "#8c959f"
        bar = Markup(
            '<svg class="bar" aria-hidden="true"><rect width="4" height="100%" fill="{}"/></svg>'
        )
        body = _blocks(attachment.get("blocks", []))
        parts.append(
            Markup('<div class="attachment">{}<div>{}</div></div>').format(bar.format(colour), body)
        )
    return Markup('<div class="slack">{}</div>').format(Markup().join(parts))


def mrkdwn(text: str) -> Markup:
    """Slack's markup as HTML: code spans, bold and line breaks are all that the guard uses."""
    return Markup().join(_part(part) for part in _PARTS.split(text))


def _part(part: str) -> Markup:
    if len(part) > 2 and part[0] == part[-1] == "`":
        return Markup("<code>{}</code>").format(html.unescape(part[1:-1]))
    if len(part) > 2 and part[0] == part[-1] == "*":
        return Markup("<b>{}</b>").format(html.unescape(part[1:-1]))
    return Markup("<br>").join(escape(html.unescape(line)) for line in part.split("\n"))


def _blocks(blocks: Iterable[Mapping[str, Any]]) -> Markup:
    return Markup().join(_block(block) for block in blocks)


def _block(block: Mapping[str, Any]) -> Markup:
    match block.get("type"):
        case "header":
            return Markup("<h4>{}</h4>").format(html.unescape(block["text"]["text"]))
        case "section" if "fields" in block:
            fields = Markup().join(
                Markup("<div>{}</div>").format(_text(field)) for field in block["fields"]
            )
            return Markup('<div class="fields">{}</div>').format(fields)
        case "section":
            return Markup("<p>{}</p>").format(_text(block["text"]))
        case "context":
            elements = Markup(" ").join(_text(one) for one in block["elements"])
            return Markup('<p class="context">{}</p>').format(elements)
        case "actions":
            buttons = Markup(" ").join(_button(one) for one in block["elements"])
            return Markup('<p class="buttons">{}</p>').format(buttons)
        case "divider":
            return Markup("<hr>")
        case _:
            return Markup("<pre>{}</pre>").format(json.dumps(block, indent=1))


def _text(text: Mapping[str, Any]) -> Markup:
    if text.get("type") == "mrkdwn":
        return mrkdwn(text["text"])
    return escape(html.unescape(text["text"]))


def _button(button: Mapping[str, Any]) -> Markup:
    """A link where it leads to the web; a name otherwise."""
    url, name = str(button.get("url", "")), _text(button["text"])
    if not url.startswith("https://"):
        return Markup("<span>{}</span>").format(name)
    return Markup('<a href="{}" rel="noreferrer noopener" target="_blank">{}</a>').format(url, name)
