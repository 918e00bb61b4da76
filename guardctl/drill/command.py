"""The command: plays the story, shows it as it goes, and says by its exit code whether it held."""

import time
from contextlib import ExitStack
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from guardctl.errors import Failed
from guardctl.formats import Format
from guardctl.screen import say_json
from guardctl.terminal import console

if TYPE_CHECKING:
    from emulator import Cloud
    from guardctl.drill.play import Played

PICTURED = datetime(2026, 11, 2, 8, tzinfo=UTC)  # so that each picture is of the same day
SEVERITY = {"high": "bold red", "medium": "yellow", "low": "cyan", "info": "green"}


class Runtime(StrEnum):
    INPROCESS = "inprocess"
    LAMBDA = "lambda"


def drill(
    runtime: Annotated[
        Runtime,
        typer.Option(
            help="Run the functions in this process, or their build in AWS's Lambda emulator."
        ),
    ] = Runtime.INPROCESS,
    format: Annotated[  # noqa: A002 - the option is called --format
        Format, typer.Option(help="What to print: a story, one JSON document, or JSON lines.")
    ] = Format.TABLE,
    region: Annotated[
        str, typer.Option(metavar="REGION", help="The emulated Region, in any partition.")
    ] = "us-east-1",
    dashboard: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a picture (SVG) of the dashboard after a drill on a certain day.",
        ),
    ] = None,
) -> None:
    """Run the guard in an emulated AWS account for a simulated day, and check each step.

    Deploys this repository's own template. Needs no AWS account, no Docker and no network.

    Examples:
      guardctl drill
      guardctl drill --region cn-north-1 --format jsonl

    Exits with 1 if any check fails.
    """
    _require_installed()
    # The emulator takes seconds to import, which the other commands must not pay for.
    from emulator.runtime_lambda import NotBuilt
    from guardctl.drill.deploy import deployed
    from guardctl.drill.play import play
    from guardctl.drill.story import STORY

    _require_known(region)
    out = console(stderr=format is not Format.TABLE, boxes=True)
    began = time.perf_counter()
    played: list[Played] = []
    with ExitStack() as scene:
        with out.status("deploying the stack into the embedded cloud"):
            try:
                at = PICTURED if dashboard else None
                stage = scene.enter_context(deployed(runtime.value, region, at))
            except NotBuilt as error:
                raise Failed(str(error), "make build") from error
        if format is Format.TABLE:
            _introduce(out, stage.cloud, runtime, time.perf_counter() - began)
        for one in play(stage, STORY):
            played.append(one)
            match format:
                case Format.TABLE:
                    out.print(_panel(one))
                case Format.JSONL:
                    say_json(one.to_json(), flush=True)
                case Format.JSON:
                    pass
        _draw(stage.cloud, dashboard)
    seconds = round(time.perf_counter() - began, 1)
    holds = all(one.holds for one in played)
    if format is Format.JSON:
        document = {"holds": holds, "seconds": seconds, "chapters": [p.to_json() for p in played]}
        say_json(document, indent=2)
    if format is Format.TABLE:
        out.print(_summary(played, seconds))
    if not holds:
        raise typer.Exit(1)


def _require_installed() -> None:
    try:
        import emulator  # noqa: F401
    except ModuleNotFoundError as error:
        todo = "pip install 'vpce-guard[drill]'"
        raise Failed(f"the embedded cloud is not installed: {error}", todo) from error


def _require_known(region: str) -> None:
    from botocore.exceptions import UnknownRegionError

    from emulator.partition import partition_of

    try:
        partition_of(region)
    except UnknownRegionError as error:
        raise Failed(str(error), "name a Region of AWS") from error


def _draw(cloud: "Cloud", file: Path | None) -> None:
    if file:
        from guardctl.drill.picture import draw

        file.write_text(draw(cloud))


def _introduce(console: Console, cloud: "Cloud", runtime: Runtime, seconds: float) -> None:
    where = "in this process" if runtime is Runtime.INPROCESS else "built, under Lambda's emulator"
    console.print(
        Panel(
            f"template.yaml deployed into account {cloud.account}, {cloud.region}"
            f" in {seconds:.1f} s; {len(cloud.deployment.functions)} functions run {where}.\n"
            "People act with plain boto3; CloudTrail, EventBridge, SQS and SNS are emulated.",
            title="VPCE Guard drill",
            border_style="blue",
        )
    )


def _panel(played: "Played") -> Panel:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", justify="right", no_wrap=True)
    rows.add_column()
    if played.people:
        rows.add_row("people", _lines(played.people))
    rows.add_row("guard", _lines(played.guard) if played.guard else Text("changes nothing", "dim"))
    for alert in played.alerts:
        rows.add_row(
            "alert",
            Text.assemble(
                (f"{alert['severity']:>6} ", SEVERITY[alert["severity"]]), alert["title"]
            ),
        )
    refused = played.slack_posts - played.slack_accepted
    if played.slack_posts:
        said = f"{played.slack_accepted} posted" + (f", {refused} refused first" if refused else "")
        rows.add_row("Slack", said)
    for check in played.checks:
        mark = Text("ok", "bold green") if check.holds else Text("FAILED", "bold red")
        rows.add_row(mark, f"{check.claim} {check.error}".rstrip())
    return Panel(
        Group(rows),
        title=f"{played.number}. {played.title}",
        title_align="left",
        subtitle=f"{_clock(played.aws_seconds)} of AWS's time, {played.seconds:.2f} s here",
        subtitle_align="right",
        border_style="green" if played.holds else "red",
    )


def _lines(texts: object) -> Text:
    return Text("\n".join(map(str, texts)) if isinstance(texts, list) else str(texts))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _summary(played: "list[Played]", seconds: float) -> Panel:
    checks = [check for one in played for check in one.checks]
    failed = [check for check in checks if not check.holds]
    alerts = sum(len(one.alerts) for one in played)
    text = (
        f"{len(played)} chapters, {len(checks)} checks, {len(failed)} failed; {alerts} alerts;"
        f" {seconds:.1f} s in all."
    )
    return Panel(
        Text(text, "bold red" if failed else "bold green"),
        title="The end state does not hold" if failed else "The end state holds",
        border_style="red" if failed else "green",
    )
