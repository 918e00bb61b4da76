"""The command: shows what was given up, and puts it back once the cause is cured.

Needs cloudformation:DescribeStacks, cloudformation:ListStackResources, logs:FilterLogEvents on the
functions' log groups, and on the dead-letter queues sqs:GetQueueAttributes, sqs:ReceiveMessage and
sqs:ChangeMessageVisibility; to put back also sqs:DeleteMessage there, sqs:SendMessage on the
guard's queues and lambda:InvokeFunction on its functions.
"""

import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from guardctl.errors import report
from guardctl.formats import Format
from guardctl.options import Profile, Region, StackName
from guardctl.redrive.queues import DeadLetters, Log, named, of_stack
from guardctl.screen import printable, say, say_json
from guardctl.stack import StackError, deployed
from guardctl.terminal import console
from heartbeat.letters import Letter

FOUND = 1
OPERATORS = "Queues take messages of roles with the tag vpce-guard:operator: docs/security.md."
QUEUES = ("vpc", "policy", "secretpolicy", "detection", "notify", "rule")


@dataclass(frozen=True, slots=True)
class Contents:
    """A queue, how many messages wait in it, and those that were read."""

    queue: DeadLetters
    depth: int
    letters: list[Letter]


def redrive(
    queue: Annotated[
        str | None,
        typer.Argument(
            metavar="[QUEUE]",
            help=f"{', '.join(QUEUES)}, or a queue's name. Default: show all.",
        ),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Send again without asking; without QUEUE, from all queues."),
    ] = False,
    limit: Annotated[
        int, typer.Option(min=1, help="Maximum number of messages to show for each queue.")
    ] = 20,
    stack_name: StackName = None,
    profile: Profile = None,
    region: Region = None,
    format_: Annotated[
        Format,
        typer.Option("--format", help="What to print: tables, one JSON document, or JSON lines."),
    ] = Format.TABLE,
) -> None:
    """Show the messages in the dead-letter queues and why they failed, and send them again.

    With QUEUE, asks for confirmation and sends the messages again. Fix the cause first. Exits with
    0 if no messages are left, with 1 if some are, with 2 if the stack or its queues cannot be read.

    Examples:
      guardctl redrive
      guardctl redrive detection
      guardctl redrive detection --yes
    """
    stack = deployed(stack_name, profile, region)
    chosen = _chosen(of_stack(stack), queue)
    contents = [_read(one, Log(stack), limit) for one in chosen]
    _show(contents, format_)
    waiting = [one for one in contents if one.depth]
    if not waiting:
        return
    if not (yes or (queue is not None and _confirmed(waiting, queue))):
        if queue is None:
            say("Nothing was put back: name a QUEUE to be asked, or give --yes.", err=True)
        raise typer.Exit(FOUND)
    emptied = [_put_back(one) for one in waiting]
    if not all(emptied):
        raise typer.Exit(FOUND)


def _chosen(queues: list[DeadLetters], name: str | None) -> list[DeadLetters]:
    if name is None:
        return queues
    if found := named(queues, name):
        return [found]
    known = ", ".join(one.logical_id.removesuffix("DeadLetterQueue").lower() for one in queues)
    raise StackError(f"no dead-letter queue is called {name}; there are {known}")


def _read(queue: DeadLetters, log: Log, limit: int) -> Contents:
    """Changes nothing: what was received to be read can be received again at once."""
    depth = queue.depth()
    letters = list(queue.receive(min(limit, depth)))
    queue.let_go(letters)
    explained = [
        one if one.reason else replace(one, reason=log.reason(queue, one)) for one in letters
    ]
    return Contents(queue, depth, explained)


def _confirmed(waiting: list[Contents], queue: str) -> bool:
    if not sys.stdin.isatty():
        todo = f"guardctl redrive {queue} --yes"
        report("guardctl redrive", "there is no terminal to ask at: nothing was put back", todo)
        return False
    count = sum(one.depth for one in waiting)
    return typer.confirm(f"Put {count} back? Is the cause cured?", err=True)


def _put_back(contents: Contents) -> bool:
    """Put back what waited when it was read, and no more: what fails again comes back here."""
    done, left = 0, 0
    for letter in contents.queue.receive(contents.depth):
        if problem := contents.queue.put_back(letter):
            left += 1
            say(f"guardctl redrive: {letter.id} stays: {problem}", err=True)
        else:
            done += 1
    say(f"{contents.queue.name}: {done} put back, {left} left", err=True)
    if left:
        say(f"AWS refuses it? {OPERATORS}", err=True)
    return not left


def _show(contents: list[Contents], format_: Format) -> None:
    match format_:
        case Format.TABLE:
            _show_tables(contents)
        case Format.JSON:
            say_json([_document(one) for one in contents], indent=2)
        case Format.JSONL:
            for one in contents:
                for letter in one.letters:
                    say_json({"queue": one.queue.name, **letter.to_json()})


def _document(contents: Contents) -> dict[str, Any]:
    return {
        "queue": contents.queue.name,
        "messages": contents.depth,
        "shown": [one.to_json() for one in contents.letters],
    }


def _show_tables(contents: list[Contents]) -> None:
    out = console()
    for one in contents:
        if not one.depth:
            out.print(Text.assemble((one.queue.logical_id, "bold"), ": empty"))
            continue
        table = Table(title=f"{one.queue.logical_id}: {one.depth} wait", title_justify="left")
        for heading in ("age", "about", "why", "from", "message"):
            table.add_column(heading, overflow="fold")
        for letter in one.letters:
            why = letter.reason or "not in the log: the function itself failed, or it is too old"
            cells = (_age(letter.sent), letter.about, why, letter.source or "its queue", letter.id)
            table.add_row(*(Text(printable(cell)) for cell in cells))
        out.print(table, soft_wrap=False)


def _age(sent: datetime) -> str:
    age = datetime.now(UTC) - sent
    for unit, length in (("d", timedelta(days=1)), ("h", timedelta(hours=1))):
        if age >= length:
            return f"{age // length} {unit}"
    return f"{age // timedelta(minutes=1)} min"
