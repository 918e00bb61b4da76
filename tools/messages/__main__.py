"""`python -m tools.messages`."""

import typer

from tools.messages.command import messages

app = typer.Typer(add_completion=False)
app.command()(messages)

if __name__ == "__main__":
    app()
