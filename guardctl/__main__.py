"""`guardctl`: what an operator of VPCE Guard runs before a deployment, and after an alert."""

import sys

import typer

from guardctl.commands import Commands, options
from guardctl.screen import say

app = typer.Typer(
    name="guardctl",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback()(options)


def main() -> None:
    """The console script. Exit codes: 0 ok, 1 found something, 2 bad usage or input."""
    try:
        app()
    except Exception:  # noqa: BLE001 - nobody foresaw it, and its words may be anybody's
        import traceback

        say(traceback.format_exc(), err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
