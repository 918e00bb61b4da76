"""`guardctl exceptions add`, `list` and `remove`: exceptions at run time, without a deployment.

Each is an SSM parameter under one path of the stack. CloudTrail has who wrote it; watch_guard
publishes it within minutes, and detect_bypass when it is first used.

Needs cloudformation:DescribeStacks, sts:GetCallerIdentity, ssm:PutParameter, ssm:DeleteParameter,
ssm:GetParametersByPath and ssm:DescribeParameters.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any

import typer

from detect_bypass.judge.exceptions import ExceptionsError, load, parse_added
from guard.approved.added import MOST, MOST_DAYS, Added, folder, read_added
from guardctl.errors import Failed
from guardctl.formats import Format, FormatOption, print_rows
from guardctl.options import Profile, Region, StackName
from guardctl.screen import say

_CHARACTERS = 4_096  # of a standard parameter's value
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_LIST = "guardctl exceptions list"
_IN_EFFECT = "within five minutes"


@dataclass(frozen=True)
class Exceptions:
    """The exceptions of run time of a deployed stack."""

    stack: Any

    @cached_property
    def ssm(self) -> Any:
        return self.stack.client("ssm")

    @cached_property
    def caller(self) -> str:
        return self.stack.client("sts").get_caller_identity()["Arn"]

    def parameter(self, name: str) -> str:
        return f"{folder(self.stack.name)}/{name}"

    def read(self) -> list[Added]:
        return read_added(self.ssm, self.stack.name)

    def writers(self) -> dict[str, str]:
        """Who wrote each parameter last, by its name."""
        asked = [{"Key": "Path", "Option": "OneLevel", "Values": [folder(self.stack.name)]}]
        pages = self.ssm.get_paginator("describe_parameters").paginate(ParameterFilters=asked)
        return {
            one["Name"].rpartition("/")[2]: one.get("LastModifiedUser", "")
            for page in pages
            for one in page["Parameters"]
        }


Name = Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, and any of _.-")]
Texts = list[str] | None


def add(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why this may bypass the endpoint.")],
    expires: Annotated[
        str,
        typer.Option(help=f"The last day, UTC, such as 2026-09-30; at most {MOST_DAYS} days away."),
    ],
    owner: Annotated[
        str | None, typer.Option(help="Who stands up for it.", show_default="who adds it")
    ] = None,
    principal: Annotated[
        Texts, typer.Option(help="ARN of a role or user; * and ? are wildcards.")
    ] = None,
    cidr: Annotated[Texts, typer.Option(help="Network that the request comes from.")] = None,
    vpc: Annotated[Texts, typer.Option(help="VPC that the request comes out of.")] = None,
    endpoint: Annotated[Texts, typer.Option(help="Endpoint that it comes through.")] = None,
    secret: Annotated[Texts, typer.Option(help="Name or ARN of a secret.")] = None,
    action: Annotated[Texts, typer.Option(help="Action, such as GetSecretValue.")] = None,
    account: Annotated[Texts, typer.Option(help="Account in which the request is.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over one of that name, such as to renew it.")
    ] = False,
    stack_name: StackName = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Except requests from alerts until a day, without a deployment.

    All that is named must match; of an option that is given twice, one value. The guard publishes
    who added it, and lists it in the daily report. What is to last belongs into exceptions.json.

    Examples:
      guardctl exceptions add ci --cidr 203.0.113.9/32 --expires 2026-12-31 --reason "No VPC yet"
    """
    named = {"principal": principal, "cidr": cidr, "vpc": vpc, "endpoint": endpoint}
    named |= {"secret": secret, "action": action, "account": account}
    entry = {"reason": reason, "expires": expires, **{k: v for k, v in named.items() if v}}
    _check(name, {"owner": "?", **entry})
    known = _open(stack_name, profile, region)
    text = json.dumps({"owner": owner or known.caller, **entry})
    if len(text) > _CHARACTERS:
        raise Failed(f"it has {len(text):,} characters, {_CHARACTERS:,} fit", "split it into two")
    known_name, todo = f"there is an exception {name}", "add --replace, or choose another name"
    with _said(known.ssm.exceptions.ParameterAlreadyExists, known_name, todo):
        there = {one.name for one in known.read()}
        if len(there) >= MOST and name not in there:
            raise Failed(f"there are {MOST} already, and no more are read", _LIST)
        known.ssm.put_parameter(
            Name=known.parameter(name), Value=text, Type="String", Overwrite=replace
        )
    say(f"{name} is in effect {_IN_EFFECT}; the guard publishes that {known.caller} added it.")
    say(f"guardctl exceptions remove {name} ends it.")


def remove(
    name: Name, stack_name: StackName = None, profile: Profile = None, region: Region = None
) -> None:
    """Remove an exception that was added at run time.

    Examples:
      guardctl exceptions remove ci
    """
    known = _open(stack_name, profile, region)
    none = f"there is no exception {name} of run time"
    with _said(known.ssm.exceptions.ParameterNotFound, none):
        known.ssm.delete_parameter(Name=known.parameter(name))
    say(f"What {name} covered is an alert again {_IN_EFFECT}.")


def list_added(
    format_: FormatOption = Format.TABLE,
    stack_name: StackName = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List the exceptions that were added at run time: until when, who wrote them, and why.

    Examples:
      guardctl exceptions list
      guardctl exceptions list --format json
    """
    known = _open(stack_name, profile, region)
    with _said():
        now, writers = datetime.now(UTC), known.writers()
        rows = [_row(one, writers.get(one.name, ""), now) for one in known.read()]
    if not rows and format_ is Format.TABLE:
        say("No exceptions were added at run time.")
    keys = ("name", "state", "expires", "owner", "by", "reason")
    print_rows(rows, format_, keys, "Name", "State", "Until", "Owner", "Written by", "Reason")


def _open(stack_name: str | None, profile: str | None, region: str | None) -> Exceptions:
    from guardctl.stack import deployed  # boto3, which `lint` does not need

    return Exceptions(deployed(stack_name, profile, region))


@contextmanager
def _said(
    expected: type[Exception] | tuple[()] = (), message: str = "", todo: str = _LIST
) -> Iterator[None]:
    """Raises Failed for what AWS refuses: with the message for what is `expected`."""
    from botocore.exceptions import BotoCoreError, ClientError

    from guardctl.words import in_words

    try:
        yield
    except expected:
        raise Failed(message, todo) from None
    except (BotoCoreError, ClientError) as error:
        raise Failed(in_words(error, "ssm")) from error


def _check(name: str, entry: Mapping[str, Any]) -> None:
    """Raises Failed for what detect_bypass would not use."""
    from guardctl.exceptions import SHIPPED

    if not _NAME.fullmatch(name):
        raise Failed(f"{name!r} is no name for a parameter", "use letters, digits, and _.-")
    now = datetime.now(UTC)
    try:
        found = parse_added(Added(name, json.dumps(entry), now))
        reviewed = {one.name for one in load(SHIPPED)} if SHIPPED.exists() else set[str]()
    except ExceptionsError as error:
        raise Failed(str(error), "guardctl exceptions add --help") from None
    if not found.valid_at(now):
        raise Failed(f"it would be over already: {entry['expires']}", "name a later day")
    if name in reviewed:
        raise Failed(f"{name} is the name of a reviewed exception", "choose another name")


def _row(one: Added, by: str, now: datetime) -> dict[str, str]:
    try:
        state = "in use" if parse_added(one).valid_at(now) else "expired"
    except ExceptionsError as error:
        state = f"not used: {error}"
    said = {key: str(one.entry.get(key, "")) for key in ("expires", "owner", "reason")}
    return {"name": one.name, "state": state, "by": by, **said, "added": one.at.isoformat()}


COMMANDS: Sequence[tuple[str, Any]] = (("add", add), ("list", list_added), ("remove", remove))
