"""Environment variables, read and checked.

A variable that is missing or malformed raises `SettingsError` naming it, so that a bad deployment
fails at its first invocation, loudly, and not in the middle of a repair.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation


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
