"""`guardctl athena`: count requests in logs that are too many for one machine."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from guardctl.athena.query import Span, additions, groups, groups_of, table_of_groups
from guardctl.athena.table import (
    Table,
    all_regions,
    checked_folder,
    folders_of_groups,
    folders_of_logs,
    table_of,
)
from guardctl.errors import Failed
from guardctl.screen import say

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Logs = Annotated[
    str,
    typer.Argument(
        metavar="LOGS",
        help="The trail's folder that has one for each account: s3://BUCKET/AWSLogs/, or "
        "s3://BUCKET/AWSLogs/ORGANIZATION/.",
    ),
]
Account = Annotated[
    list[str] | None, typer.Option(metavar="ID", help="An account whose logs are read. Repeatable.")
]
LoggedRegion = Annotated[
    list[str] | None,
    typer.Option(metavar="REGION", help="A Region whose logs are read. Repeatable. Default: all."),
]
Since = Annotated[str, typer.Option(metavar="DATE", help="The first day (UTC).")]
Until = Annotated[
    str, typer.Option(metavar="DATE", help="The day after the last one. Default: today.")
]
TableName = Annotated[
    str, typer.Option("--table", metavar="NAME", help="The table's name. Default: made of LOGS.")
]
Of = Annotated[
    str,
    typer.Option(metavar="NAME", help="Read this table of groups instead; LOGS is its folder."),
]


@app.callback()
def main() -> None:
    """Count requests in CloudTrail logs with Athena, for `guardctl replay --groups`."""


@app.command("table")
def table_command(
    logs: Logs,
    logged_region: LoggedRegion = None,
    table: TableName = "",
    of_groups: Annotated[
        str,
        typer.Option(
            "--groups", metavar="NAME", help="Print the one of this table of groups instead."
        ),
    ] = "",
) -> None:
    """Print the statement that creates the table of a trail's logs, or a table of groups.

    With --groups, LOGS is the folder in S3 in which the groups are kept.

    Examples:
      guardctl athena table s3://trail-bucket/AWSLogs/o-a1b2c3d4e5/
      guardctl athena table s3://a-bucket/groups/ --groups vpce_guard_groups
    """
    made = _table(logs, logged_region, table)
    say(table_of_groups(of_groups, made.logs) if of_groups else made.statement())


@app.command("query")
def query_command(
    logs: Logs,
    since: Since,
    until: Until = "",
    account: Account = None,
    logged_region: LoggedRegion = None,
    table: TableName = "",
    into: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Add what was delivered on the day --since to a table of groups."
        ),
    ] = "",
    of: Of = "",
) -> None:
    """Print the query that counts the requests to Secrets Manager by all that the judgement
    reads of them. Asks nothing of AWS.

    Examples:
      guardctl athena query s3://trail-bucket/AWSLogs/ --account 111122223333 --since 2026-11-01
    """
    made = _table(logs, logged_region, table)
    if of:
        statements = [groups_of(of, _span(since, until))]
    elif not account:
        raise Failed("no account is named", "name those whose logs are read: --account ID")
    elif into:
        statements = list(additions(made, account, _day(since, "--since"), into))
    else:
        statements = list(groups(made, account, _span(since, until)))
    say(";\n\n".join(statements))


@app.command("run")
def run_command(
    logs: Logs,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The Parquet file to write.")],
    results: Annotated[
        str, typer.Option(metavar="S3", help="A folder in S3 for what Athena writes.")
    ],
    since: Since,
    until: Until = "",
    account: Account = None,
    logged_region: LoggedRegion = None,
    table: TableName = "",
    of: Of = "",
    database: Annotated[str, typer.Option(help="The table's database.")] = "default",
    work_group: Annotated[str, typer.Option(help="Athena's work group.")] = "primary",
    region: Annotated[
        str | None, typer.Option(help="Where Athena runs: the bucket's Region.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Say what the query reads and costs, ask once (Enter is yes), run it, and bring the groups
    for `guardctl replay --groups`.

    Without --account, the accounts are those that have a folder in LOGS. The table is created if
    there is none. Athena's results stay in S3: they hold names, and no secret's value.

    Examples:
      guardctl athena run s3://trail-bucket/AWSLogs/ groups.parquet --since 2026-08-01 --results S3

    Exit codes: 0 written, 1 not run, 2 bad usage, or Athena failed.
    """
    # Long to import, and printing a query needs none of it.
    import boto3

    from guardctl.athena.parquet import require_duckdb
    from guardctl.athena.price import accounts_in, estimate
    from guardctl.athena.run import Engine, progress
    from guardctl.deploy.command import agreed, require_somebody

    require_somebody(yes)
    require_duckdb()
    if not target.parent.is_dir():
        raise Failed(f"{target.parent}: no such folder", "make it, or name another FILE")
    place = checked_folder(results)
    session = boto3.Session(profile_name=profile, region_name=region)
    s3 = session.client("s3")
    made, span = _table(logs, logged_region, table), _span(since, until)
    accounts = [] if of else account or accounts_in(s3, made.logs)
    if not (of or accounts):
        raise Failed(f"no account has a folder in {made.logs}", "name the folder that has them")
    queries = [groups_of(of, span)] if of else list(groups(made, accounts, span))
    say(";\n\n".join(queries))
    days = span.delivered
    read = estimate(
        s3,
        folders_of_groups(made.logs, days) if of else folders_of_logs(made, accounts, days),
    )
    say(f"It reads {read.words}", err=True)
    if not (yes or agreed("Run it?", True)):
        raise typer.Exit(1)
    engine = Engine(session.client("athena"), s3, place, database, work_group)
    if not of:
        engine.run(made.statement())
    with progress(read.size) as tick:
        number = engine.fetch(queries, target, tick)
    say(f"{number:,} groups in {target}; what Athena wrote stays in {results}", err=True)


def _table(logs: str, regions: list[str] | None, name: str) -> Table:
    return table_of(logs, regions or all_regions(), name)


def _span(since: str, until: str) -> Span:
    today = datetime.now(UTC).date()
    return Span(_day(since, "--since"), _day(until, "--until") if until else today)


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"not a date: {text!r}", param_hint=option) from error
