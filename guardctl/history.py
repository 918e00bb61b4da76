"""What the guard did to an endpoint's policy, and how to undo it.

`history` needs dynamodb:GetItem on the stack's table; `rollback` and `resume` also
dynamodb:UpdateItem there and sqs:SendMessage on the policy queue; `rollback` also
ec2:DescribeVpcEndpoints, ec2:ModifyVpcEndpoint and sts:GetCallerIdentity. All of them need
cloudformation:DescribeStacks, to find the table and the queue.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from guard.approved.history import HISTORY_DAYS, ROLLED_BACK, Change, History
from guard.approved.pauses import REACH, Pauses
from guard.cloudtrail.callers import Caller
from guard.endpoint.observe import Observer
from guard.endpoint.state import AttachedPolicy
from guard.partitions import endpoint_service
from guard.policy import PolicyError, compare, parse
from guard.reconcile.messages import DETAIL_TYPE, KINDS, SOURCE
from guard.reconcile.requeue import LONGEST_DELAY
from guard.table.items import Items
from guardctl.formats import Format, FormatOption, print_json
from guardctl.stack import Profile, Region, Stack, StackName, deployed, told

Endpoint = Annotated[str, typer.Argument(metavar="ENDPOINT", help="The endpoint: vpce-...")]


class Refused(RuntimeError):
    """It cannot be done; the message says why, for people."""


@dataclass(frozen=True)
class Book:
    """The history and the pauses of a deployed stack, and the endpoints it is about."""

    stack: Stack

    @cached_property
    def items(self) -> Items:
        place = f"{self.stack.account}/{self.stack.region}"
        table = self.stack.output("StateTableName")
        return Items(self.stack.client("dynamodb"), table, place)

    @cached_property
    def history(self) -> History:
        return History(self.items, timedelta(days=HISTORY_DAYS))

    @cached_property
    def pauses(self) -> Pauses:
        return Pauses(self.items)

    @cached_property
    def ec2(self) -> Any:
        return self.stack.client("ec2")

    def attached(self, endpoint_id: str) -> AttachedPolicy:
        """Raises Refused for what is no living endpoint for Secrets Manager."""
        observer = Observer(self.ec2, endpoint_service(self.stack.region))
        found = observer.attached_policies([endpoint_id]).get(endpoint_id)
        if not found:
            raise Refused(f"{endpoint_id} is no endpoint for Secrets Manager in this Region")
        return found

    def change(self, endpoint_id: str, number: int, now: datetime) -> Change:
        """Raises Refused where there is none of that number, naming those that are."""
        if change := self.history.change(endpoint_id, number, now):
            return change
        kept = [str(one.number) for one in self.history.latest(endpoint_id, now)]
        there = f"there are {', '.join(reversed(kept))}" if kept else "nothing is kept of it"
        raise Refused(f"{endpoint_id} has no change {number} in the history: {there}")

    def send_request(self, endpoint_id: str, reason: str, when: datetime, now: datetime) -> None:
        """Have restore_policy reconcile the endpoint then."""
        body = {
            "version": "0",
            "source": SOURCE,
            "detail-type": DETAIL_TYPE,
            "detail": {
                KINDS["endpoint"]: endpoint_id,
                "reason": reason,
                "notBefore": int(when.timestamp()),
            },
        }
        delay = int(min(max((when - now).total_seconds(), 0), LONGEST_DELAY))
        self.stack.client("sqs").send_message(
            QueueUrl=self.stack.output("PolicyQueueUrl"),
            MessageBody=json.dumps(body),
            DelaySeconds=delay,
        )


def history(
    endpoint: Endpoint,
    limit: Annotated[int, typer.Option(min=1, help="Show so many of the latest changes.")] = 50,
    stack_name: StackName = None,
    profile: Profile = None,
    region: Region = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Show what the guard did to an endpoint's policy: when, whose change it undid, before, after.

    Exits with 1 if nothing is kept of the endpoint, with 2 if the stack cannot be read.
    """
    with told("guardctl", Refused):
        book = Book(deployed(stack_name, profile, region))
        now = datetime.now(UTC)
        changes = list(islice(book.history.latest(endpoint, now), limit))[::-1]
        pause = book.pauses.of(endpoint, now)
    _show(changes, format_)
    if pause:
        until = f"{pause.until:%Y-%m-%d %H:%M} UTC"
        print(f"Enforcement is paused until {until}: {pause.reason}.", file=sys.stderr)
    if not changes:
        print(f"Nothing is kept of {endpoint}.", file=sys.stderr)
        raise typer.Exit(1)


def rollback(
    endpoint: Endpoint,
    to: Annotated[
        int, typer.Option("--to", min=1, help="Number of a change: go back to before it.")
    ],
    after: Annotated[
        bool, typer.Option("--after", help="Write what that change wrote, and not what it undid.")
    ] = False,
    pause_hours: Annotated[
        float, typer.Option(min=0, max=720, help="Hours for which the guard leaves it so.")
    ] = 24,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be written.")
    ] = False,
    stack_name: StackName = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Write an endpoint's policy of before a change, and pause enforcement there for a time.

    The pause ends by itself; `guardctl resume` ends it sooner. Exits with 2 if it cannot be done.
    """
    what = f"{'after' if after else 'before'} change {to}"
    with told("guardctl", Refused):
        book = Book(deployed(stack_name, profile, region))
        now = datetime.now(UTC)
        attached, text = earlier_policy(book, endpoint, to, now, after=after)
        for line in _differences(text, attached.text, what):
            print(line)
        if dry_run:
            return
        until = now + timedelta(hours=pause_hours)
        number = roll_back(book, attached, text, until, what, now)
    print(
        f"{endpoint} has the policy of {what} again; this is change {number}.\n"
        f"Enforcement is paused until {until:%Y-%m-%d %H:%M} UTC;"
        f" guardctl resume {endpoint} ends that sooner."
    )


def resume(
    endpoint: Endpoint,
    stack_name: StackName = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """End the pause of an endpoint: the approved policy is put back, if it is another one now.

    Exits with 1 if nothing was paused, with 2 if it cannot be done.
    """
    with told("guardctl", Refused):
        book = Book(deployed(stack_name, profile, region))
        now = datetime.now(UTC)
        paused = book.pauses.of(endpoint, now)
        if paused:
            book.pauses.end(endpoint, now)
            book.send_request(endpoint, "the pause was ended", now, now)
    if not paused:
        print(f"Enforcement is not paused for {endpoint}.", file=sys.stderr)
        raise typer.Exit(1)
    print(f"{endpoint} is guarded again. It was not, because {paused.reason}.")


def earlier_policy(
    book: Book, endpoint_id: str, number: int, now: datetime, *, after: bool = False
) -> tuple[AttachedPolicy, str]:
    """What the endpoint carries, and what it carried before a change, or after. Raises Refused."""
    attached, change = book.attached(endpoint_id), book.change(endpoint_id, number, now)
    text = change.after if after else change.before
    if not text:
        raise Refused(
            f"change {number} created the endpoint: nothing was before it;"
            " --after writes what it was created with"
        )
    return attached, text


def _differences(text: str, attached: str, what: str) -> Sequence[str]:
    """How the policy would change, in words. Raises Refused where it would not."""
    try:
        found = compare(text, parse(attached))
    except PolicyError:  # what is attached cannot be understood: nothing to compare with
        return ["the policy that is attached cannot be read; it is replaced as a whole"]
    if not found:
        raise Refused(f"the endpoint already has the policy of {what}")
    return [f"{one.risk}: {one.text}" for one in found]


def roll_back(
    book: Book, attached: AttachedPolicy, text: str, until: datetime, what: str, now: datetime
) -> int:
    """Pause first, so that the guard does not undo it at once; write, keep; the change's number.

    The request for the end of a longer pause is sent by the sweep that comes near it.
    """
    endpoint_id = attached.endpoint_id
    who = book.stack.client("sts").get_caller_identity()["Arn"]
    earlier = book.pauses.of(endpoint_id, now)
    pause = book.pauses.begin(endpoint_id, until, f"{who} rolled it back to {what}", now)
    try:
        book.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PolicyDocument=text)
    except (ClientError, BotoCoreError):
        if earlier:
            book.pauses.begin(endpoint_id, earlier.until, earlier.reason, now)
        else:
            book.pauses.end(endpoint_id, now)
        raise
    caller = Caller(principal=who, tool="guardctl", event_name="ModifyVpcEndpoint")
    change = Change(
        endpoint_id=endpoint_id,
        at=now,
        action=ROLLED_BACK,
        before=attached.text,
        after=text,
        callers=(caller,),
    )
    number = book.history.keep(change, f"rollback#{now.isoformat()}", now)
    if until - now <= REACH:
        book.send_request(endpoint_id, "a rollback's pause is over", until, now)
        book.pauses.note_asked(endpoint_id, pause)
    return number


def _show(changes: Sequence[Change], format_: Format) -> None:
    if format_ is not Format.TABLE:
        print_json([change.to_json() for change in changes], format_)
    elif changes:
        table = Table(show_lines=True)
        for name in ("No.", "When", "What", "Whose change, or by whom", "Before, compared"):
            table.add_column(name, overflow="fold", no_wrap=name in ("No.", "What"))
        for change in changes:
            # Text and not markup: names and user agents may look like some.
            table.add_row(
                str(change.number),
                f"{change.at:%Y-%m-%d %H:%M:%S}",
                Text(change.action),
                Text(change.who),
                Text(_before(change)),
            )
        Console().print(table)


def _before(change: Change) -> str:
    """How the policy before departed from the one after, in words."""
    if not change.before:
        return "there was none"
    try:
        found = compare(change.before, parse(change.after))
    except PolicyError as error:
        return str(error)
    return "\n".join(one.text for one in found) or "it meant the same"
