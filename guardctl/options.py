"""The options of every command that works with the deployed stack."""

from typing import Annotated

import typer

StackName = Annotated[
    str | None,
    typer.Option("--stack-name", help="The deployed stack. Default: as in samconfig.toml."),
]
Profile = Annotated[str | None, typer.Option(help="Profile of the AWS configuration.")]
Region = Annotated[
    str | None,
    typer.Option(
        help="Region of the stack. Default: from samconfig.toml or the AWS configuration."
    ),
]
Environment = Annotated[
    str, typer.Option("--config-env", help="Environment of samconfig.toml: default or prod.")
]
