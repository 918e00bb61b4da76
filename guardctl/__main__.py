"""`guardctl`: what an operator of VPCE Guard runs before a deployment, and after an alert."""

import typer

from guardctl.acceptance import acceptance
from guardctl.audit import audit
from guardctl.delete.command import delete
from guardctl.deploy.command import deploy
from guardctl.doctor import doctor
from guardctl.drill import drill
from guardctl.exceptions import app as exceptions
from guardctl.history import history, resume, rollback
from guardctl.policies import app as policies
from guardctl.preflight import preflight
from guardctl.redrive import redrive
from guardctl.replay import replay
from guardctl.suggest_secret_policy import suggest_secret_policy
from guardctl.upgrade.command import upgrade

app = typer.Typer(
    name="guardctl",
    help=__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(doctor)
app.command()(upgrade)
app.command()(deploy)
app.command()(delete)
app.command()(drill)
app.command()(acceptance)
app.command()(audit)
app.command()(replay)
app.command()(preflight)
app.command()(suggest_secret_policy)
app.command()(history)
app.command()(rollback)
app.command()(resume)
app.command()(redrive)
app.add_typer(policies, name="policies")
app.add_typer(exceptions, name="exceptions")


def main() -> None:
    """The console script. Exit codes: 0 ok, 1 found something, 2 bad usage or input."""
    app()


if __name__ == "__main__":
    main()
