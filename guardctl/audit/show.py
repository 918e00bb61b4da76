"""The audit as a plan: one list, whose lines fit 80 columns and can be copied whole."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from guard.endpoint.plan import CreateEndpoint, CreateGroup, Plan
from guardctl.audit.checks import Check
from guardctl.audit.rows import Row
from guardctl.screen import printable

WIDTH = 80


@dataclass(frozen=True, slots=True)
class Line:
    """A line, and whether it stands out: "" or a style of rich."""

    text: str
    style: str = ""


def listing(rows: Sequence[tuple[Row, Plan]], checks: Sequence[Check]) -> Iterator[Line]:
    """VPC by VPC, then the other checks, each with its steps below it, then the sum."""
    for row, plan in rows:
        yield from _vpc(row, plan)
    for check in checks:
        yield from _check(check)
    yield Line("")
    for text in _sum(rows, checks):
        yield from _wrapped(text, "", "bold")


def _vpc(row: Row, plan: Plan) -> Iterator[Line]:
    name = f" {row.name}" if row.name else ""
    style = "" if row.healthy else "bold"
    yield from _wrapped(f"{row.vpc_id}{name} ({row.region}): {row.verdict}", "", style)
    for text in (*row.reasons, *(f"({note})" for note in row.notes)):
        yield from _wrapped(text, "    ")
    for step in plan.steps:
        creates = isinstance(step, CreateEndpoint | CreateGroup)
        price = isinstance(step, CreateEndpoint) and row.monthly_price_usd
        text = f"{step}, ${row.monthly_price_usd:.2f} a month" if price else str(step)
        sign, colour = ("+", "green") if creates else ("~", "yellow")
        yield from _wrapped(text, f"  {sign} ", colour)


def _check(one: Check) -> Iterator[Line]:
    style = "" if one.healthy else "bold"
    yield from _wrapped(f"{one.check} {one.resource} ({one.region}): {one.text}", "", style)
    for text in one.reasons:
        yield from _wrapped(text, "    ")
    if one.planned:
        yield from _wrapped(one.planned, "  ~ ", "yellow")
    if one.todo:
        yield from _wrapped(one.todo, "  ! ", "red")


def _sum(rows: Sequence[tuple[Row, Plan]], checks: Sequence[Check]) -> Iterator[str]:
    steps = [step for _, plan in rows for step in plan.steps]
    endpoints = sum(isinstance(step, CreateEndpoint) for step in steps)
    groups = sum(isinstance(step, CreateGroup) for step in steps)
    policies = sum(bool(one.planned) for one in checks)
    changes = len(steps) - endpoints - groups
    counts = [(endpoints, "endpoint"), (groups, "group"), (changes, "other change")]
    planned = [_count(*one) for one in [*counts, (policies, "policy")] if one[0]]
    price = sum((Decimal(str(row.monthly_price_usd)) for row, _ in rows), Decimal())
    unhealthy = sum(not row.healthy for row, _ in rows)
    wrong = sum(not one.healthy for one in checks)
    plan = f"{', '.join(planned)}, ${price:.2f} a month plus data" if planned else "no changes"
    yield f"Plan: {plan}."
    yield f"{len(rows)} VPCs, {unhealthy} unhealthy; {len(checks)} other checks, {wrong} unhealthy."


def _count(number: int, name: str) -> str:
    many = "policies" if name == "policy" else f"{name}s"
    return f"{number} {name if number == 1 else many}"


def _wrapped(text: str, sign: str, style: str = "") -> Iterator[Line]:
    """Lines of at most 80 columns, where no word is longer: an id or a command is never cut."""
    lines = textwrap.wrap(
        printable(text),
        WIDTH,
        initial_indent=sign,
        subsequent_indent=" " * (len(sign) + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield from (Line(line, style) for line in lines)
