"""The options of every command that works with the deployed stack."""

from typing import Annotated

import typer

StackName = Annotated[
    str | None,
    typer.Option("--stack-name", help="The deployed stack. Else the one in samconfig.toml."),
]
Profile = Annotated[str | None, typer.Option(help="Profile of the AWS configuration.")]
Region = Annotated[
    str | None,
    typer.Option(help="Region of the stack. Else the one that boto3 finds, or samconfig.toml's."),
]
Environment = Annotated[
    str, typer.Option("--config-env", help="Environment of samconfig.toml: default or prod.")
]
