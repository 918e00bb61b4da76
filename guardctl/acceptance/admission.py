"""What must be so before a run: the account that was named, a deployed stack that may write.

The first call of all asks STS whose credentials these are; nothing else is asked of any account but
the one that was named. The stack's switch is never changed here.
"""

import ipaddress
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from socket import getaddrinfo as resolve
from typing import Any
from urllib.parse import urlsplit

import boto3

from guardctl.acceptance.polling import Polling
from guardctl.acceptance.stage import Stage
from guardctl.stack import CONFIG, Stack, StackError, deployed

ACCOUNT = re.compile(r"\d{12}", re.ASCII)


class Refused(StackError):
    """No run is made; the message says why and what to do."""


def admitted(
    account: str,
    region: str,
    polling: Polling,
    *,
    profile: str | None = None,
    stack_name: str | None = None,
    patience: float = 20,
    tags: Sequence[str] = (),
    cleaning: bool = False,
) -> Stage:
    """The stage in the account that was named. To clean up, no stack is needed. Reads only.

    Raises Refused, StackError, or boto3's errors.
    """
    if not ACCOUNT.fullmatch(account):
        raise Refused(f"--account takes the 12 digits of an account's id, not {account!r}")
    more_tags = _tags(tags)
    caller = _caller(account, region, profile)
    try:
        stack = deployed(stack_name, profile, region)
    except StackError as error:
        if not cleaning or not str(error).startswith("there is no stack"):
            raise
        stack = _no_stack(caller, region, profile)
    if (stack.account, stack.region) != (account, region):
        raise Refused(
            f"the stack {stack.name} is in account {stack.account} and Region {stack.region},"
            f" not in {account} and {region}"
        )
    session: Any = stack.session
    session.events.register("before-call", polling.stop.check)
    return Stage(stack, run_id(), caller, polling, patience, more_tags)


def require_ready(stage: Stage) -> None:
    """What a run needs beyond the stack. Raises Refused, StackError, ClientError."""
    _require_remediate(stage)
    if stage.stack.parameter("Scope") == "rotation":
        raise Refused(
            "the stack's Scope is rotation: it guards VPCs with a rotation function alone."
            " Deploy it in the sandbox with the Scope all, tagged or not-default."
        )
    if stage.caller.endswith(":root"):
        raise Refused("these are the root user's credentials: AWS lets root assume no role")
    _require_public_way(stage)


def run_id() -> str:
    """Unique, sorted by time, and short enough for every name that it becomes part of."""
    return f"{datetime.now(UTC):%Y%m%dt%H%M%S}-{secrets.token_hex(3)}"


def _tags(texts: Sequence[str]) -> dict[str, str]:
    """Raises Refused for what is not KEY=VALUE."""
    pairs = [text.partition("=") for text in texts]
    if wrong := [
        text for text, (key, sign, _) in zip(texts, pairs, strict=True) if not (key and sign)
    ]:
        raise Refused(f"--tag takes KEY=VALUE, not {wrong[0]!r}")
    return {key: value for key, _, value in pairs}


def _caller(account: str, region: str, profile: str | None) -> str:
    """Who runs this, as CloudTrail will name them. Raises Refused for another account's."""
    session: Any = boto3.Session(profile_name=profile, region_name=region)
    found = session.client("sts", config=CONFIG).get_caller_identity()
    if found["Account"] != account:
        raise Refused(
            f"these are credentials of account {found['Account']} ({found['Arn']}), and the run is"
            f" for {account}: nothing was done. Choose others with --profile."
        )
    return found["Arn"]


def _no_stack(caller: str, region: str, profile: str | None) -> Stack:
    """Stands for a stack that was deleted before the clean-up: no guard makes anything anew."""
    _, partition, _, _, account, *_ = caller.split(":")
    return Stack(
        name="none",
        id=f"arn:{partition}:cloudformation:{region}:{account}:stack/none/none",
        session=boto3.Session(profile_name=profile),
        outputs={},
        parameters={},
    )


def _require_remediate(stage: Stage) -> None:
    name = stage.stack.output("ModeParameterName")
    mode = stage.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    if mode != "remediate":
        raise Refused(
            f"the stack's mode is {mode}, in which it writes nothing. In a sandbox, switch it"
            f" with\n  {stage.stack.output('CommandToRemediate')}\n"
            "and back afterwards with\n"
            f"  {stage.stack.output('CommandToObserve')}\n"
            "In the mode remediate it guards every VPC of the account that is in its scope."
        )


def _require_public_way(stage: Stage) -> None:
    """A read from within a VPC with an endpoint would come by that, rightly without an alert."""
    host = urlsplit(stage.client("secretsmanager").meta.endpoint_url).hostname or ""
    try:
        found = {ipaddress.ip_address(one[4][0]) for one in resolve(host, 443)}
    except OSError as error:
        raise Refused(f"the name {host} cannot be resolved here: {error}") from error
    if private := [one for one in found if one.is_private and not one.is_loopback]:
        raise Refused(
            f"{host} is the private address {private[0]} here: this machine reads secrets through a"
            " VPC endpoint. Run it from outside, since one step reads a secret over the internet."
        )
