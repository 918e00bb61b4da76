"""The command: draw every kind of message, or say which pictures are out of date."""

from pathlib import Path
from typing import Annotated

import typer

from notify_slack.payload import payload
from tools.messages.examples import examples
from tools.messages.picture import picture

DOCS = Path(__file__).resolve().parents[2] / "docs"


def pictures(docs: Path = DOCS) -> dict[str, str]:
    """Every picture by its file's name."""
    drawn = {
        f"{name}.svg": picture(payload(body, attempt))
        for name, (body, attempt) in examples(docs / "runbooks").items()
    }
    return {**drawn, "README.md": _index(list(drawn))}


def _index(names: list[str]) -> str:
    rows = "\n".join(f"### {name.removesuffix('.svg')}\n\n![{name}]({name})\n" for name in names)
    return (
        "# What arrives in Slack\n\n"
        "Drawn by `make messages` from the blocks that would be sent; a test keeps them up to "
        "date.\nThe findings are examples.\n\n"
        f"{rows}"
    )


def messages(
    folder: Annotated[Path, typer.Option(help="Where the pictures go.")] = DOCS / "messages",
    *,
    check: Annotated[bool, typer.Option(help="Write nothing; exit 1 if any is old.")] = False,
) -> None:
    """Draw each kind of Slack message as a picture, from the very blocks that would be sent."""
    drawn = pictures()
    there = {path.name: path.read_text() for path in folder.glob("*") if path.is_file()}
    if check:
        old = sorted(name for name in {*drawn, *there} if drawn.get(name) != there.get(name))
        for name in old:
            typer.echo(f"out of date: {name}")
        raise typer.Exit(1 if old else 0)
    folder.mkdir(parents=True, exist_ok=True)
    for name in set(there) - set(drawn):
        (folder / name).unlink()
    for name, text in drawn.items():
        (folder / name).write_text(text)
    typer.echo(f"{len(drawn) - 1} pictures in {folder}")
