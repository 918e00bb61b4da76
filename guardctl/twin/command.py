"""`guardctl twin`: policies that deny what the guard detects, proven before they are attached."""

from pathlib import Path
from typing import Annotated

import typer

from guardctl.formats import Format, FormatOption, LintFormat, LintFormatOption
from guardctl.twin.scope import Kind

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Logs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="LOGS...",
        help="Log files, folders, patterns or s3://bucket/prefix.",
        show_default=False,
    ),
]
Groups = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Read what `guardctl athena run` counted instead."),
]
Offline = Annotated[bool, typer.Option("--offline", help="Do not ask AWS to validate.")]
Profile = Annotated[str | None, typer.Option(help="Profile of the AWS configuration.")]
Region = Annotated[str | None, typer.Option(help="Where AWS is asked to validate.")]


@app.callback()
def main() -> None:
    """Propose policies that deny what the guard detects, and prove them."""


@app.command("propose")
def propose_command(
    logs: Logs = None,
    groups: Groups = None,
    kind: Annotated[Kind, typer.Option(help="Where the policy is attached.")] = Kind.RCP,
    into: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the policies are written.")
    ] = Path("twin"),
    endpoints: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="What `aws ec2 describe-vpc-endpoints` prints. Repeatable."
        ),
    ] = None,
    endpoint_vpc: Annotated[
        list[str] | None,
        typer.Option(metavar="ID=VPC", help="The VPC of an endpoint. Repeatable."),
    ] = None,
    account: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="An account of yours. Repeatable.")
    ] = None,
    approved_account: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="An account of others that is approved. Repeatable."),
    ] = None,
    exceptions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A JSON file of reviewed exceptions.")
    ] = None,
    passes: Annotated[
        list[str] | None,
        typer.Option("--pass", metavar="ARN", help="A role or user (* for any) that passes."),
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(metavar="CIDR", help="A network that passes. Repeatable."),
    ] = None,
    stop: Annotated[
        list[str] | None,
        typer.Option(metavar="ARN", help="Who is stopped, of the undecided (* for any)."),
    ] = None,
    forwarded: Annotated[
        list[str] | None,
        typer.Option(metavar="ARN", help="A role whose rights services use, for its sessions."),
    ] = None,
    own_address: Annotated[
        list[str] | None,
        typer.Option(metavar="CIDR", help="A public address of your NAT gateways. Repeatable."),
    ] = None,
    only_tagged: Annotated[
        str,
        typer.Option(metavar="KEY", help="rcp: deny reads of secrets with this tag alone."),
    ] = "",
    form: FormatOption = Format.TABLE,
) -> None:
    """Write policies that deny value reads past your endpoints, and the commands to attach them.

    Nothing is written while it is undecided whether a caller may pass: these are printed, and
    --pass, --stop and --forwarded name them. The approved VPCs, networks, principals and tags of
    approved.json pass. Both proofs are made first. Nothing is attached.

    Examples:
      guardctl twin propose s3://trail-bucket/AWSLogs/o-a1b2c3d4e5/ --endpoints endpoints.json
      guardctl twin propose --groups groups.parquet --kind scp --endpoint-vpc vpce-0a=vpc-0b
      guardctl twin propose logs/ --kind endpoint --account 111122223333 --into twin-endpoint

    Exit codes: 0 written, 1 undecided or not proven, 2 bad usage or input.
    """
    from guardctl.preflight.command import pairs  # what only a run needs
    from guardctl.twin.options import Given, scope_of
    from guardctl.twin.running import one_input, propose

    one_input(logs, groups)
    scope = scope_of(
        Given(
            kind=kind,
            endpoints=endpoints or (),
            endpoint_vpcs=pairs(endpoint_vpc or []),
            accounts=account or (),
            approved_accounts=approved_account or (),
            passes=passes or (),
            networks=network or (),
            stops=stop or (),
            forwarded=forwarded or (),
            own_addresses=own_address or (),
            only_tagged=only_tagged,
        )
    )
    raise typer.Exit(propose(scope, logs or groups or (), exceptions, into, form))


@app.command("prove")
def prove_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A proposal.")],
    logs: Logs = None,
    groups: Groups = None,
    offline: Offline = False,
    profile: Profile = None,
    region: Region = None,
    form: LintFormatOption = LintFormat.TABLE,
) -> None:
    """Prove a proposal: by every read in logs, and by every request that its policies distinguish.

    The policies may have been edited. Where there are credentials, AWS is asked to validate them
    too (access-analyzer:ValidatePolicy).

    Examples:
      guardctl twin prove twin logs/
      guardctl twin prove twin --groups groups.parquet --offline --format jsonl
      guardctl twin prove twin logs/ --format sarif > twin.sarif

    Exit codes: 0 proven, 1 something that should pass would be denied, or that should not would
    pass, 2 bad usage or input.
    """
    from guardctl.twin.running import one_input, prove

    one_input(logs, groups)
    aws = None if offline else (profile, region)
    raise typer.Exit(prove(folder, logs or groups or (), aws, form))
