"""`guardctl rollback` and `guardctl resume`: an earlier policy for an endpoint, and back.

Both need cloudformation:DescribeStacks, dynamodb:GetItem and dynamodb:UpdateItem on the stack's
table, and sqs:SendMessage on the policy queue. `rollback` also needs ec2:DescribeVpcEndpoints,
ec2:ModifyVpcEndpoint and sts:GetCallerIdentity.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from guard.approved.history import ROLLED_BACK, Change
from guard.approved.pauses import REACH
from guard.cloudtrail.callers import Caller
from guard.endpoint.state import AttachedPolicy
from guard.policy import Difference, PolicyError, Risk, compare, parse
from guardctl.history import Book, Endpoint, Refused
from guardctl.options import Profile, Region, StackName
from guardctl.screen import printable, say
from guardctl.stack import deployed

LATER = (
    "by the next sweep: the queue takes a request only of a role with the tag vpce-guard:operator"
    " (docs/security.md)."
)


@dataclass(frozen=True, slots=True)
class Target:
    """A policy to go back to, and what it is called."""

    text: str
    name: str


def rollback(
    endpoint: Endpoint,
    to: Annotated[
        int | None, typer.Option("--to", min=1, metavar="VERSION", help="Write this version.")
    ] = None,
    before: Annotated[
        int | None,
        typer.Option(
            "--before",
            min=1,
            metavar="VERSION",
            help="Write the policy that this version replaced.",
        ),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Also write a policy that allows more than the current one."),
    ] = False,
    pause_hours: Annotated[
        float, typer.Option(min=0, max=720, help="Duration of the pause in hours.")
    ] = 24,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the policy that would be written.")
    ] = False,
    stack_name: StackName = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Write an earlier version of an endpoint's policy, and pause enforcement on that endpoint.

    `guardctl history` lists the versions. First shows the policy and its difference from the
    current one. A policy that allows more than the current one is only written with --yes.

    During the pause, the guard still restores this policy if somebody writes one that allows more.
    The pause ends by itself, or with `guardctl resume`. Exits with 2 if it cannot be done.

    Examples:
      guardctl rollback vpce-0a1b2c3d4e5f60718 --to 3 --dry-run
      guardctl rollback vpce-0a1b2c3d4e5f60718 --before 4 --pause-hours 2 --yes
    """
    if (to is None) == (before is None):
        raise Refused("give either --to or --before", f"guardctl history {endpoint}")
    book = Book(deployed(stack_name, profile, region))
    now = datetime.now(UTC)
    attached = book.attached(endpoint)
    target = _target(book, endpoint, to, before, now)
    found = _differences(target, attached)
    _show(target, found)
    if dry_run:
        return
    if not yes and any(risk in (None, Risk.WIDER) for risk, _ in found):
        raise Refused(
            f"{target.name} may allow more than the policy that is attached now",
            "read the difference above, and add --yes to write it",
        )
    until = now + timedelta(hours=pause_hours)
    number = roll_back(book, attached, target, until, now)
    say(
        f"{endpoint} has {target.name} again; this is version {number} now.\n"
        f"Enforcement is paused until {until:%Y-%m-%d %H:%M} UTC;"
        f" guardctl resume {endpoint} ends that sooner."
    )


def resume(
    endpoint: Endpoint,
    stack_name: StackName = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """End the pause of an endpoint: the guard restores the approved policy.

    Examples:
      guardctl resume vpce-0a1b2c3d4e5f60718

    Exits with 1 if nothing was paused, with 2 if it cannot be done.
    """
    book = Book(deployed(stack_name, profile, region))
    now = datetime.now(UTC)
    paused = book.pauses.of(endpoint, now)
    if not paused:
        say(f"Enforcement is not paused for {endpoint}.", err=True)
        raise typer.Exit(1)
    book.pauses.end(endpoint, now)
    sent = book.send_request(endpoint, "the pause was ended", now, now)
    say(f"{endpoint} is guarded again. It was not, because {paused.reason}.")
    if not sent:
        say(f"The policy is restored with its next change, or {LATER}")


def _target(
    book: Book, endpoint_id: str, to: int | None, before: int | None, now: datetime
) -> Target:
    """The policy that is meant. Raises Refused where nothing of it is kept, or there was none."""
    change = book.change(endpoint_id, to or before or 0, now)
    if to is not None:
        return Target(change.after, f"version {to}")
    if not change.before:
        raise Refused(
            f"version {before} is the one that the endpoint was created with: nothing was before",
            f"guardctl rollback {endpoint_id} --to {before}",
        )
    return Target(change.before, f"the policy before version {before}")


def _differences(target: Target, attached: AttachedPolicy) -> Sequence[tuple[Risk | None, str]]:
    """How the policy would change, in words. Raises Refused where it would not."""
    try:
        found: Sequence[Difference] = compare(target.text, parse(attached.text))
    except PolicyError:  # what is attached cannot be understood: nothing to compare with
        return [(None, "the policy that is attached cannot be read; it is replaced as a whole")]
    if not found:
        raise Refused(f"the endpoint already has {target.name}")
    return [(one.risk, one.text) for one in found]


def _show(target: Target, found: Sequence[tuple[Risk | None, str]]) -> None:
    try:
        text = json.dumps(json.loads(target.text), indent=2)
    except ValueError:
        text = target.text
    say(f"{target.name[0].upper()}{target.name[1:]}, to be written:")
    say("\n".join(printable(line) for line in text.splitlines()))
    say("Difference to the policy that is attached now:")
    for risk, words in found:
        if risk is not Risk.DIFFERENT:
            say(f"  {risk or 'unknown'}: {printable(words)}")
    if without := sum(risk is Risk.DIFFERENT for risk, _ in found):
        say(f"  {without} more without effect on what is allowed")


def roll_back(
    book: Book, attached: AttachedPolicy, target: Target, until: datetime, now: datetime
) -> int:
    """Pause first, so that the guard does not undo it at once; write, keep; the version's number.

    The request for the end of a longer pause is sent by the sweep that comes near it, and so is one
    that the queue refuses.
    """
    endpoint_id = attached.endpoint_id
    who = book.stack.client("sts").get_caller_identity()["Arn"]
    earlier = book.pauses.of(endpoint_id, now)
    reason = f"{who} rolled it back to {target.name}"
    pause = book.pauses.begin(endpoint_id, until, reason, now, target.text)
    try:
        book.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PolicyDocument=target.text)
    except (ClientError, BotoCoreError):
        if earlier:
            book.pauses.begin(endpoint_id, earlier.until, earlier.reason, now, earlier.policy)
        else:
            book.pauses.end(endpoint_id, now)
        raise
    caller = Caller(principal=who, tool="guardctl", event_name="ModifyVpcEndpoint")
    change = Change(
        endpoint_id=endpoint_id,
        at=now,
        action=ROLLED_BACK,
        before=attached.text,
        after=target.text,
        callers=(caller,),
    )
    number = book.history.keep(change, f"rollback#{now.isoformat()}", now)
    over = "a rollback's pause is over"
    if until - now <= REACH:
        if book.send_request(endpoint_id, over, until, now):
            book.pauses.note_asked(endpoint_id, pause)
        else:
            say(f"The policy is restored when the pause is over, or {LATER}", err=True)
    return number
