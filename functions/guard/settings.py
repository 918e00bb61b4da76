"""What the template tells a function, read once at cold start and checked there.

A variable that is missing or malformed raises `SettingsError` naming it, so that a bad deployment
fails at its first invocation, loudly, and not in the middle of a repair.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Self

from guard.links import RUNBOOKS

LAYER_FOLDER = "/opt/endpoint_policies"  # where Lambda puts the layer of approved policies


class SettingsError(ValueError):
    """An environment variable is missing, or its value is not of the form the code needs."""


def required(env: Mapping[str, str], name: str) -> str:
    """The variable's text; SettingsError if it is missing or empty."""
    value = env.get(name, "")
    if not value:
        raise SettingsError(f"environment variable {name} is missing or empty")
    return value


def whole_number(env: Mapping[str, str], name: str) -> int:
    """The variable as an integer of at least 0."""
    value = required(env, name)
    if not value.isdecimal():
        raise SettingsError(f"environment variable {name} is not a whole number: {value!r}")
    return int(value)


def dollars(env: Mapping[str, str], name: str) -> Decimal:
    """The variable as an amount of money: a decimal number of at least 0."""
    value = required(env, name)
    try:
        amount = Decimal(value)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise SettingsError(f"environment variable {name} is not an amount: {value!r}")
    return amount


def switch(env: Mapping[str, str], name: str) -> bool:
    """The variable as true or false, spelled so."""
    value = required(env, name)
    if value not in ("true", "false"):
        raise SettingsError(f"environment variable {name} is neither true nor false: {value!r}")
    return value == "true"


def items(env: Mapping[str, str], name: str) -> frozenset[str]:
    """A comma-separated variable as a set; empty where the variable is empty."""
    if name not in env:
        raise SettingsError(f"environment variable {name} is missing")
    return frozenset(part.strip() for part in env[name].split(",") if part.strip())


def endpoint_service(partition: str, region: str) -> str:
    """The name of Secrets Manager's endpoint service in a Region."""
    prefix = "cn.com.amazonaws" if partition == "aws-cn" else "com.amazonaws"
    return f"{prefix}.{region}.secretsmanager"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How ops are told. `runbooks` is the address under which `docs/runbooks/` can be read;
    `collect`: findings of low severity wait for the digest; `chat`: Amazon Q Developer shows them.
    """

    runbooks: str = RUNBOOKS
    collect: bool = False
    chat: bool = False


BY_DEFAULT = Way()


@dataclass(frozen=True, slots=True)
class Settings:
    """What every reaction needs to know of the place it was deployed to."""

    account_id: str
    region: str
    partition: str
    org_id: str
    stack_id: str
    topic_arn: str
    table_name: str
    mode_parameter: str
    opt_out_tag: str
    way: Way = BY_DEFAULT

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the variables of the template's Globals section; SettingsError names a bad one."""
        return cls(
            account_id=required(env, "ACCOUNT_ID"),
            region=required(env, "AWS_REGION"),
            partition=required(env, "PARTITION"),
            org_id=env.get("ORG_ID", ""),
            stack_id=required(env, "STACK_ID"),
            topic_arn=required(env, "TOPIC_ARN"),
            table_name=required(env, "TABLE_NAME"),
            mode_parameter=required(env, "MODE_PARAMETER"),
            opt_out_tag=required(env, "OPT_OUT_TAG"),
            way=Way(
                runbooks=env.get("RUNBOOKS") or RUNBOOKS,
                collect=env.get("COLLECT_LOW") == "true",
                chat=env.get("CHAT") == "true",
            ),
        )

    @property
    def service_name(self) -> str:
        """The endpoint service that is guarded, as DescribeVpcEndpoints names it."""
        return endpoint_service(self.partition, self.region)

    @property
    def function_arn_prefix(self) -> str:
        """How the ARN of a function of this account and Region begins."""
        return f"arn:{self.partition}:lambda:{self.region}:{self.account_id}:function:"
