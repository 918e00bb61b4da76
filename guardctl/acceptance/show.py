"""What a run prints: what it will do, how far it is, and how each chapter ended."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from guardctl.acceptance.chapter import Check
from guardctl.acceptance.estimate import LONGEST_CLEAN_UP, Estimate
from guardctl.acceptance.leftovers import Thing
from guardctl.acceptance.play import Played
from guardctl.acceptance.stage import TAG, Stage
from guardctl.screen import say
from guardctl.terminal import console

INTRODUCTION = """\
Account {account}, Region {region}, stack {stack}, as {caller}. Run {run}.

It creates, each with the tag {tag}={run}: two VPCs with two subnets each, a secret, a Lambda
function with its role, a role that reads the secret, and a queue that is subscribed to the stack's
findings topic. The guard creates an endpoint in each VPC. Other resources are not touched.

It changes an endpoint's policy, deletes an endpoint and reads the secret over the internet: whoever
is subscribed to the findings gets the alerts. Warn them; the alerts name {tag}-{run}.

Cost: about ${usual_dollars}, at most ${most_dollars}, mostly for the endpoints' hours.
Time: about {usual_minutes} minutes, at most {longest_minutes}. The guard waits {grace:g} minutes \
(GraceMinutes)
before it creates an endpoint, and Lambda keeps its network interfaces for up to 40 minutes.

All of it is removed at the end, also after Ctrl-C; what could not be is named."""


def introduction(stage: Stage, found: Estimate) -> str:
    """What will be done, at what price and for how long."""
    return INTRODUCTION.format(
        account=stage.stack.account,
        region=stage.stack.region,
        stack=stage.stack.name,
        caller=stage.caller,
        run=stage.run,
        tag=TAG,
        grace=stage.grace,
        usual_dollars=found.usual_dollars,
        most_dollars=found.most_dollars,
        usual_minutes=found.usual_minutes,
        longest_minutes=found.longest_minutes,
    )


@dataclass(frozen=True, slots=True)
class Screen:
    """Progress: a bar on a terminal, else a line for each step."""

    errors: Console
    bar: Progress

    def begins(self, played: Played) -> None:
        self.errors.print(f"{played.number}. {played.title}")

    def watch(self, check: Check) -> Callable[[float], None]:
        """A bar for what is waited for. Nothing for what is checked once."""
        if not check.minutes:
            return lambda _: None
        if not self.errors.is_terminal:
            self.errors.print(f"   waiting, at most {check.minutes:g} minutes: {check.claim}")
        return self._task(check.claim, check.minutes)[1]

    def cleaning(self) -> Callable[[float, Iterable[Thing]], None]:
        self.errors.print("Removing what was made")
        task, advance = self._task("", LONGEST_CLEAN_UP)

        def report(seconds: float, left: Iterable[Thing]) -> None:
            kinds = sorted({one.kind for one in left})
            self.bar.update(task, description=f"still there: {', '.join(kinds) or 'nothing'}")
            advance(seconds)

        return report

    def _task(self, claim: str, minutes: float) -> tuple[TaskID, Callable[[float], None]]:
        """A bar, one at a time, and what moves it: so far, of the longest time."""
        for task in self.bar.task_ids:
            self.bar.remove_task(task)
        task = self.bar.add_task(claim, total=60 * minutes, clock="")

        def advance(seconds: float) -> None:
            clock = f"{_clock(seconds)}, at most {_clock(60 * minutes)}"
            self.bar.update(task, completed=seconds, clock=clock)

        return task, advance


@contextmanager
def screen(errors: Console | None = None) -> Iterator[Screen]:
    """On standard error, or where one says. The bars vanish; what is printed stays."""
    errors = errors or console(stderr=True)
    columns = (
        TextColumn("   {task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[clock]}"),
    )
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        yield Screen(errors, bar)


def panel(played: Played) -> Panel:
    """A chapter, each check with what was seen, and where to check what failed."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(justify="right", no_wrap=True)
    rows.add_column(overflow="fold")
    for one in played.checks:
        rows.add_row(_mark(holds=one.holds), Text(f"{one.claim} ({_clock(one.seconds)})"))
        if not one.holds:
            rows.add_row("saw", Text(one.seen))
            for place in one.where:
                rows.add_row("check", Text(place))
    if played.problem:
        rows.add_row(_mark(holds=False), Text(played.problem))
    return Panel(
        Group(rows),
        title=f"{played.number}. {played.title}",
        title_align="left",
        border_style="green" if played.holds else "red",
    )


def summary(played: Sequence[Played], *, holds: bool, stopped: bool, left: Iterable[str]) -> Panel:
    """How the run ended, and what is left of it. A clean-up alone has played nothing."""
    lines = ["The stack did all that was asked." if holds else "Not all that was asked came true."]
    if stopped or not played:
        lines = ["Stopped before the end."] if stopped else []
    if left := list(left):
        lines += ["These could not be removed:", *left]
        lines += ["Try again with: guardctl acceptance --clean-up, and the same options"]
    else:
        lines += ["Nothing of the run is left."]
    well = holds and not left and not stopped
    return Panel(Text("\n".join(lines)), border_style="green" if well else "red")


def warn(text: str) -> None:
    say(text, err=True)


def _mark(*, holds: bool) -> Text:
    return Text("ok", "bold green") if holds else Text("FAILED", "bold red")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
