"""What the guard did to an endpoint's policy: `guardctl history`.

Needs cloudformation:DescribeStacks, to find the table, and dynamodb:GetItem on it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError
from rich.table import Table
from rich.text import Text

from guard.approved.history import HISTORY_DAYS, Change, History
from guard.approved.pauses import Pauses
from guard.aws.errors import code_of
from guard.endpoint.observe import Observer
from guard.endpoint.state import AttachedPolicy
from guard.partitions import endpoint_service
from guard.policy import PolicyError, Risk, compare, parse
from guard.reconcile.messages import DETAIL_TYPE, KINDS, SOURCE
from guard.reconcile.requeue import LONGEST_DELAY
from guard.table.items import Items
from guardctl.errors import Failed
from guardctl.formats import Format, FormatOption, print_json
from guardctl.options import Profile, Region, StackName
from guardctl.screen import printable, say
from guardctl.stack import Stack, deployed
from guardctl.terminal import console

Endpoint = Annotated[str, typer.Argument(metavar="ENDPOINT", help="The endpoint: vpce-...")]


class Refused(Failed):
    """It cannot be done; the message says why, for people."""


@dataclass(frozen=True)
class Book:
    """The history and the pauses of a deployed stack, and the endpoints it is about."""

    stack: Stack

    @cached_property
    def items(self) -> Items:
        place = f"{self.stack.account}/{self.stack.region}"
        table = self.stack.output("StateTableName")
        return Items(self.stack.client("dynamodb"), table, place, sets_aside=False)

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
        raise Refused(f"{endpoint_id} has no version {number} in the history: {there}")

    def send_request(self, endpoint_id: str, reason: str, when: datetime, now: datetime) -> bool:
        """Have restore_policy reconcile the endpoint then; False where the queue refuses that.

        It takes messages of operators alone (docs/security.md). A sweep does the same, later.
        """
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
        try:
            self.stack.client("sqs").send_message(
                QueueUrl=self.stack.output("PolicyQueueUrl"),
                MessageBody=json.dumps(body),
                DelaySeconds=delay,
            )
        except ClientError as error:
            if not code_of(error).startswith("AccessDenied"):
                raise
            return False
        return True


def history(
    endpoint: Endpoint,
    limit: Annotated[int, typer.Option(min=1, help="Show so many of the latest changes.")] = 50,
    stack_name: StackName = None,
    profile: Profile = None,
    region: Region = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Show what the guard did to an endpoint's policy, and whose change it undid.

    Each change wrote a version of the policy, which has the change's number. `guardctl rollback
    --to N` writes version N again.

    Examples:
      guardctl history vpce-0a1b2c3d4e5f60718
      guardctl history vpce-0a1b2c3d4e5f60718 --limit 1 --format json

    Exits with 1 if nothing is kept of the endpoint, with 2 if the stack cannot be read.
    """
    book = Book(deployed(stack_name, profile, region))
    now = datetime.now(UTC)
    changes = list(islice(book.history.latest(endpoint, now), limit))[::-1]
    pause = book.pauses.of(endpoint, now)
    _show(changes, format_)
    if pause:
        until = f"{pause.until:%Y-%m-%d %H:%M} UTC"
        say(f"Enforcement is paused until {until}: {pause.reason}.", err=True)
    if not changes:
        say(f"Nothing is kept of {endpoint}.", err=True)
        raise typer.Exit(1)


def _show(changes: Sequence[Change], format_: Format) -> None:
    if format_ is not Format.TABLE:
        print_json([change.to_json() for change in changes], format_)
    elif changes:
        table = Table(show_lines=True)
        for name in ("Version", "When", "What", "Whose change, or by whom", "What it changed"):
            table.add_column(name, overflow="fold", no_wrap=name in ("Version", "What"))
        for change in changes:
            # Text and not markup: names and user agents may resemble markup.
            table.add_row(
                str(change.number),
                f"{change.at:%Y-%m-%d %H:%M:%S}",
                Text(change.action),
                Text(printable(change.who)),
                Text("\n".join(map(printable, _effect(change).splitlines()))),
            )
        console().print(table, soft_wrap=False)


def _effect(change: Change) -> str:
    """How the policy after departs from the one before, in words."""
    if not change.before:
        return "there was no policy before"
    try:
        found = compare(change.after, parse(change.before))
    except PolicyError as error:
        return f"the policy before cannot be read: {error}"
    said = [one.text for one in found if one.risk is not Risk.DIFFERENT]
    if without := len(found) - len(said):
        said.append(f"{without} more without effect on what is allowed")
    return "\n".join(said) or "it means the same"
