"""`python -m tools.rights`."""

import typer

from tools.rights.command import least_rights

app = typer.Typer(add_completion=False)
app.command()(least_rights)

if __name__ == "__main__":
    app()
