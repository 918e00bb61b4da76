"""What the template sets for a function, read once at cold start and checked there.

A variable that is missing or malformed raises `SettingsError` naming it, so that a bad deployment
fails at its first invocation, loudly, and not in the middle of a repair.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Self

from guard.partitions import endpoint_service

RUNBOOKS = "docs/runbooks/"
"""Where the runbooks are when no address is configured: their folder in this repository."""
LAYER_FOLDER = "/opt/endpoint_policies"  # where Lambda puts the layer of approved policies

# The guard's tags all begin with vpce-guard: as do the two that its IAM policies name.
OPT_OUT_TAG = "vpce-guard:ignore"  # on a VPC, endpoint or secret: leave it alone
SCOPE_TAG = "vpce-guard:guarded"  # on a VPC, with the scope tagged: guard it
POLICY_TAG = "vpce-guard:policy"  # on a VPC or endpoint: its value names the approved policy
PERIMETER_TAG = "vpce-guard:perimeter"  # on a secret: only reads from inside may be allowed


@dataclass(frozen=True, slots=True)
class Publishing:
    """How findings are published. `runbooks` is the address under which `docs/runbooks/` can be
    read; `partition`: whose console findings are linked to; `collect`: findings of low severity
    wait for the digest; `chat`: Amazon Q Developer shows them.
    """

    runbooks: str = RUNBOOKS
    partition: str = ""
    collect: bool = False
    chat: bool = False


BY_DEFAULT = Publishing()


@dataclass(frozen=True, slots=True)
class Settings:
    """What every reaction needs to know of the place it was deployed to."""

    account_id: str
    region: str
    partition: str
    stack_id: str
    topic_arn: str
    table_name: str
    mode_parameter: str
    opt_out_tag: str
    publishing: Publishing = BY_DEFAULT

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the variables of the template's Globals section; SettingsError names a bad one."""
        return cls(
            account_id=required(env, "ACCOUNT_ID"),
            region=required(env, "AWS_REGION"),
            partition=required(env, "PARTITION"),
            stack_id=required(env, "STACK_ID"),
            topic_arn=required(env, "TOPIC_ARN"),
            table_name=required(env, "TABLE_NAME"),
            mode_parameter=required(env, "MODE_PARAMETER"),
            opt_out_tag=required(env, "OPT_OUT_TAG", OPT_OUT_TAG),
            publishing=Publishing(
                runbooks=env.get("RUNBOOKS") or RUNBOOKS,
                partition=required(env, "PARTITION"),
                # An hourly digest: published one by one, what is low would hide what is high.
                collect=switch(env, "COLLECT_LOW", "true"),
                chat=env.get("CHAT") == "true",
            ),
        )

    @property
    def service_name(self) -> str:
        """The endpoint service that is guarded, as DescribeVpcEndpoints names it."""
        return endpoint_service(self.region)

    @property
    def place(self) -> str:
        """The account and the Region, as names in the state table have them."""
        return f"{self.account_id}/{self.region}"

    @property
    def stack_name(self) -> str:
        """arn:aws:cloudformation:…:stack/vpce-guard/1b2c… → vpce-guard."""
        return self.stack_id.rpartition(":stack/")[2].partition("/")[0]

    @property
    def function_arn_prefix(self) -> str:
        """How the ARN of a function of this account and Region begins."""
        return f"arn:{self.partition}:lambda:{self.region}:{self.account_id}:function:"


class SettingsError(ValueError):
    """An environment variable is missing, or its value is not of the form the code needs."""


def required(env: Mapping[str, str], name: str, default: str = "") -> str:
    """The variable's text, or the `default`; SettingsError where neither is there."""
    value = env.get(name) or default
    if not value:
        raise SettingsError(f"environment variable {name} is missing or empty")
    return value


def whole_number(env: Mapping[str, str], name: str, default: int | None = None) -> int:
    """The variable as an integer of at least 0; the `default`, if there is one, where it is not."""
    if default is not None and name not in env:
        return default
    value = required(env, name)
    if not value.isdecimal():
        raise SettingsError(f"environment variable {name} is not a whole number: {value!r}")
    return int(value)


def dollars(env: Mapping[str, str], name: str, default: str = "") -> Decimal:
    """The variable, or the `default`, as an amount of money: a decimal number of at least 0."""
    value = required(env, name, default)
    try:
        amount = Decimal(value)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise SettingsError(f"environment variable {name} is not an amount: {value!r}")
    return amount


def switch(env: Mapping[str, str], name: str, default: str = "") -> bool:
    """The variable, or the `default`, as true or false, spelled so."""
    value = required(env, name, default)
    if value not in ("true", "false"):
        raise SettingsError(f"environment variable {name} is neither true nor false: {value!r}")
    return value == "true"


def items(env: Mapping[str, str], name: str) -> frozenset[str]:
    """A comma-separated variable as a set; empty where the variable is empty."""
    if name not in env:
        raise SettingsError(f"environment variable {name} is missing")
    return frozenset(part.strip() for part in env[name].split(",") if part.strip())
