"""The command: asks, plays the chapters in a real account, and removes what it made."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from ensure_endpoint.cost import price_per_az_hour
from guardctl.acceptance.admission import Refused, admitted, require_ready
from guardctl.acceptance.cleanup import CleanUp, Problem
from guardctl.acceptance.estimate import estimate
from guardctl.acceptance.leftovers import Thing, leftovers
from guardctl.acceptance.play import Played, play
from guardctl.acceptance.polling import Polling
from guardctl.acceptance.show import Screen, introduction, panel, screen, summary, warn
from guardctl.acceptance.stage import Stage
from guardctl.acceptance.stop import Stop, Stopped
from guardctl.acceptance.story import STORY
from guardctl.acceptance.words import worded, words_of
from guardctl.errors import Failed
from guardctl.formats import Format, FormatOption
from guardctl.options import Profile, StackName
from guardctl.screen import say_json
from guardctl.terminal import console

FOUND = 1


@dataclass(slots=True)
class Report:
    """How a run ended. `left` are the things that could not be removed, with AWS's words."""

    run: str
    account: str
    region: str
    chapters: list[Played] = field(default_factory=list[Played])
    stopped: bool = False
    left: list[str] = field(default_factory=list[str])

    @property
    def holds(self) -> bool:
        return not self.stopped and all(one.holds for one in self.chapters)

    def to_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "account": self.account,
            "region": self.region,
            "holds": self.holds,
            "stopped": self.stopped,
            "left": self.left,
        }


def acceptance(
    account: Annotated[
        str, typer.Option(help="The sandbox account. Any other account is refused.")
    ],
    region: Annotated[str, typer.Option(help="Region of the stack.")],
    profile: Profile = None,
    stack_name: StackName = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Start without asking for confirmation.")
    ] = False,
    clean_up: Annotated[
        bool, typer.Option("--clean-up", help="Only remove the resources of earlier runs.")
    ] = False,
    patience: Annotated[
        float, typer.Option(min=1, help="Minutes to wait for the guard at each check, at most.")
    ] = 20,
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A tag that the account requires; repeatable."),
    ] = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Test a deployed stack in a real sandbox account, and remove everything afterwards.

    Creates VPCs, changes an endpoint's policy, deletes an endpoint, reads a secret over the
    internet, turns on rotation, and checks what the guard does. First prints the cost and the
    duration. Exits with 1 if a check fails, the run is stopped, or something could not be removed,
    with 2 if the run does not begin.

    Examples:
      guardctl acceptance --account 123456789012 --region eu-west-1 --profile sandbox
      guardctl acceptance --account 123456789012 --region eu-west-1 --clean-up
    """
    with worded():
        stage = admitted(
            account,
            region,
            Polling(Stop()),
            profile=profile,
            stack_name=stack_name,
            patience=patience,
            tags=tag or (),
            cleaning=clean_up,
        )
        found = leftovers(stage)
        if not clean_up:
            _require_none(found)
            require_ready(stage)
            price = Decimal(price_per_az_hour(stage.stack.region))
            warn(introduction(stage, estimate(stage.grace, patience, price)))
    if clean_up:
        _name(found)
    if found or not clean_up:
        _require_consent(yes=yes)
    report = _performed(stage, format_, () if clean_up else STORY)
    if format_ is Format.TABLE:
        ended = summary(
            report.chapters, holds=report.holds, stopped=report.stopped, left=report.left
        )
        console(boxes=True).print(ended)
    if not report.holds or report.left:
        raise typer.Exit(FOUND)


def _require_none(found: Sequence[Thing]) -> None:
    """Another run may be going on: what it made is not taken away unasked."""
    if found:
        names = "\n".join(f"  {one}" for one in found)
        raise Refused(
            f"an earlier run has left these, or another run is going on:\n{names}\n"
            "Remove them with --clean-up."
        )


def _name(found: Sequence[Thing]) -> None:
    warn("\n".join(["These are removed:", *map(str, found)]) if found else "Nothing is left.")


def _require_consent(*, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Failed("there is no terminal to ask at", "give --yes to begin")
    if not typer.confirm("Begin?", err=True):
        raise typer.Exit(2)


def _performed(stage: Stage, format_: Format, story: Sequence[Any]) -> Report:
    """The chapters, and the clean-up whatever happens in them."""
    report = Report(stage.run, stage.stack.account, stage.stack.region)
    with stage.polling.stop.listening(), screen() as shown:
        try:
            for played in play(stage, story, shown.begins, shown.watch):
                report.chapters.append(played)
                _show(played, format_)
        except Stopped:
            report.stopped = True
        finally:
            report.left = _cleaned(stage, shown, stage.run if story else "")
            report.stopped |= stage.polling.stop.asked
    _show_end(report, format_)
    return report


def _cleaned(stage: Stage, shown: Screen, run: str) -> list[str]:
    """Remove what the run made, or every run; in words what is left."""
    stage.polling.stop.forget()
    cleaning = CleanUp(stage, run)
    try:
        left = cleaning.until_nothing_is_left(shown.cleaning())
    except Stopped:
        return ["the clean-up was stopped: --clean-up shows what is left"]
    except (BotoCoreError, ClientError) as error:
        return [f"the clean-up could not go on: {words_of(error)}"]
    return [_words(one, cleaning.problems) for one in left]


def _words(thing: Thing, problems: Mapping[str, Problem]) -> str:
    why = problems.get(thing.name)
    return f"{thing}: {why.words}" if why else str(thing)


def _show(played: Played, format_: Format) -> None:
    show: dict[Format, Callable[[], None]] = {
        Format.TABLE: lambda: console(boxes=True).print(panel(played)),
        Format.JSONL: lambda: say_json(played.to_json(), flush=True),
        Format.JSON: lambda: None,
    }
    show[format_]()


def _show_end(report: Report, format_: Format) -> None:
    match format_:
        case Format.TABLE:
            pass
        case Format.JSONL:
            say_json(report.to_json())
        case Format.JSON:
            chapters = [one.to_json() for one in report.chapters]
            say_json({**report.to_json(), "chapters": chapters}, indent=2)
