"""What the guard thinks of every VPC of an account, and what it would do: read-only.

Observes and decides as the deployed function does, with the credentials that boto3 finds. Nothing
is changed, and there is no option to have it changed: that is what the deployed guard is for, with
its budgets, its grace and its alerts.

Needs ec2:DescribeVpcs, ec2:DescribeVpcAttribute, ec2:DescribeSubnets, ec2:DescribeVpcEndpoints,
ec2:DescribeVpcEndpointServices, ec2:DescribeSecurityGroups, sts:GetCallerIdentity and, unless
--no-hub, route53:ListHostedZonesByVPC and route53:ListResourceRecordSets.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from functools import cache, partial
from itertools import batched
from typing import Annotated, Any, NoReturn

import boto3
import typer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ensure_endpoint.cost import monthly_price, price_per_az_hour, zones_added
from guard.approved.lists import ApprovedLists
from guard.endpoint.decide import decide
from guard.endpoint.hosted_zones import HostedZones
from guard.endpoint.observe import Observer
from guard.endpoint.plan import Desired, Plan, Verdict
from guard.endpoint.state import MANAGED_TAG, STACK_TAG, Vpc
from guard.partitions import endpoint_service
from guardctl.formats import Format, FormatOption
from guardctl.lists import SHIPPED as LISTS
from guardctl.words import in_words
from sweep.unhealthy import HEALTHY

NOT_WELL, BAD_INPUT = 1, 2
COLOURS: Mapping[Verdict, str] = {
    Verdict.WORKS: "green",
    Verdict.COVERED: "green",
    Verdict.DEGRADED: "yellow",
    Verdict.SETTLING: "yellow",
    Verdict.BROKEN: "red",
    Verdict.NOT_REPAIRABLE: "bold red",
    Verdict.WAITING: "dim",
    Verdict.EXEMPT: "dim",
}

_AT_ONCE = 50  # VPCs observed together: a few calls for all of them, and progress to be seen


@dataclass(frozen=True, slots=True)
class Row:
    """One VPC's plan. `monthly_price_usd` is what the interfaces would cost that the plan adds."""

    account: str
    region: str
    vpc_id: str
    name: str
    verdict: Verdict
    well: bool
    reasons: Sequence[str]
    steps: Sequence[str]
    notes: Sequence[str]
    endpoint_id: str
    azs_added: int
    monthly_price_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the options ask for: the settings that the template would give the guard."""

    vpc_ids: frozenset[str]
    opt_out_tag: str
    maximum_zones: int
    approved_endpoints: frozenset[str]
    approved_accounts: frozenset[str]
    hub: bool
    price: Decimal | None  # None: the Region's


class AuditFailed(RuntimeError):
    """The audit cannot be made; the message says why, for people."""


def audit(
    region: Annotated[
        list[str] | None,
        typer.Option(help="Region to look at; repeatable. Else the one that boto3 finds."),
    ] = None,
    vpc: Annotated[
        list[str] | None, typer.Option(help="Look at this VPC only; repeatable.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration.")] = None,
    opt_out_tag: Annotated[
        str, typer.Option(help="Tag that exempts a VPC: the opt-out tag.")
    ] = "vpce-guard:ignore",
    maximum_zones: Annotated[
        int, typer.Option(min=0, help="The template's MaximumZones; 0 for all.")
    ] = 0,
    approved_endpoint: Annotated[
        list[str] | None,
        typer.Option(help="An approved endpoint, besides approved.json; repeatable."),
    ] = None,
    approved_account: Annotated[
        list[str] | None, typer.Option(help="The template's ApprovedAccounts; repeatable.")
    ] = None,
    hub: Annotated[bool, typer.Option(help="Ask Route 53 for hubs.")] = True,
    price: Annotated[
        str | None,
        typer.Option(help="US dollars for an endpoint per AZ and hour. Else the Region's price."),
    ] = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Show what VPCE Guard thinks of every VPC and what it would do. Changes nothing.

    Exits with 1 if anything is not well, with 2 for bad usage or credentials.
    """
    question = Question(
        vpc_ids=frozenset(vpc or ()),
        opt_out_tag=opt_out_tag,
        maximum_zones=maximum_zones,
        approved_endpoints=ApprovedLists.load(LISTS).endpoints.union(approved_endpoint or ()),
        approved_accounts=frozenset(approved_account or ()),
        hub=hub,
        price=None if price is None else _amount(price),
    )
    rows: list[Row] = []
    try:
        for row in _rows(profile, region or [], question):
            rows.append(row)
            if format_ is Format.JSONL:
                print(json.dumps(asdict(row)), flush=True)
    except (AuditFailed, BotoCoreError, ClientError) as error:
        _fail(in_words(error))
    _report(rows, format_)
    if not all(row.well for row in rows):
        raise typer.Exit(NOT_WELL)


def _rows(profile: str | None, regions: Sequence[str], question: Question) -> Iterator[Row]:
    """The plans of all VPCs asked for, Region by Region, with progress on a terminal."""
    session = boto3.Session(profile_name=profile)
    regions = list(dict.fromkeys(regions or filter(None, [session.region_name])))
    if not regions:
        raise AuditFailed("no Region is configured: name one with --region")
    account = session.client("sts", region_name=regions[0]).get_caller_identity()["Account"]
    found: set[str] = set()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("")
        for region in regions:
            say = partial(progress.update, task)
            for row in _region(session, account, region, question, say):
                found.add(row.vpc_id)
                yield row
    if missing := question.vpc_ids - found:
        raise AuditFailed(f"no such VPC in {', '.join(regions)}: {', '.join(sorted(missing))}")


def _region(
    session: boto3.Session, account: str, region: str, question: Question, say: Any
) -> Iterator[Row]:
    """The plans of one Region's VPCs."""
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 8}, connect_timeout=5, read_timeout=20
    )
    name = endpoint_service(region)
    client = cache(lambda: session.client("route53", region_name=region, config=config))
    zones = HostedZones(client, region, account) if question.hub else None
    ec2 = session.client("ec2", region_name=region, config=config)
    observer = Observer(ec2, name, zones)
    say(description=f"{region}: listing VPCs")
    ids = sorted(
        id_ for id_ in observer.vpc_ids() if not question.vpc_ids or id_ in question.vpc_ids
    )
    done = 0
    for some in batched(ids, _AT_ONCE, strict=False):
        say(description=f"{region}: {done} of {len(ids)} VPCs")
        for vpc in observer.vpcs(some).values():
            plan = decide(vpc, _wanted(vpc, account, name, question))
            price = Decimal(price_per_az_hour(region)) if question.price is None else question.price
            yield _row(vpc, plan, account, region, price)
        done += len(some)


def _wanted(vpc: Vpc, account: str, service_name: str, question: Question) -> Desired:
    """What the deployed guard would want; which stack that is, the VPC's own tags say."""
    tagged = [group.tags for group in vpc.groups.values()] + [one.tags for one in vpc.endpoints]
    stacks = sorted({t.get(STACK_TAG, "") for t in tagged if t.get(MANAGED_TAG) == "true"})
    return Desired(
        account_id=account,
        stack_id=stacks[0] if stacks else "",
        service_name=service_name,
        opt_out_tag=question.opt_out_tag,
        policy="",  # it is written with the endpoint, which is not going to be made
        maximum_zones=question.maximum_zones,
        approved_endpoints=question.approved_endpoints,
        approved_accounts=question.approved_accounts,
    )


def _row(vpc: Vpc, plan: Plan, account: str, region: str, price: Decimal) -> Row:
    zones = zones_added(plan.steps)
    return Row(
        account=account,
        region=region,
        vpc_id=vpc.id,
        name=vpc.tags.get("Name", ""),
        verdict=plan.verdict,
        well=plan.verdict in HEALTHY,
        reasons=plan.reasons,
        steps=[str(step) for step in plan.steps],
        notes=plan.notes,
        endpoint_id=plan.endpoint_id,
        azs_added=zones,
        monthly_price_usd=float(monthly_price(zones, price)),
    )


def _report(rows: Sequence[Row], format_: Format) -> None:
    price = sum(Decimal(str(row.monthly_price_usd)) for row in rows)
    unwell = sum(not row.well for row in rows)
    match format_:
        case Format.TABLE:
            console = Console()
            console.print(_table(rows))
            console.print(
                f"{len(rows)} VPCs, {unwell} not well; the planned steps would cost"
                f" ${price:.2f} a month plus data.",
                highlight=False,
            )
        case Format.JSON:
            document = {
                "well": not unwell,
                "monthly_price_usd": float(price),
                "vpcs": [asdict(row) for row in rows],
            }
            print(json.dumps(document, indent=2))
        case Format.JSONL:
            pass  # each was printed when it was known


def _table(rows: Iterable[Row]) -> Table:
    table = Table(show_lines=True)
    table.add_column("VPC", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    table.add_column("Reasons", overflow="fold")
    table.add_column("Planned steps", overflow="fold")
    table.add_column("$ a month", justify="right", no_wrap=True)
    for row in rows:
        # Text and not markup: names and AWS's words may look like some.
        table.add_row(
            Text("\n".join(filter(None, (row.vpc_id, row.name, row.region)))),
            Text(row.verdict, COLOURS[row.verdict]),
            Text("\n".join((*row.reasons, *(f"({note})" for note in row.notes)))),
            Text("\n".join(row.steps)),
            Text(f"{row.monthly_price_usd:.2f}" if row.azs_added else ""),
        )
    return table


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise typer.BadParameter(f"{text!r} is not an amount of money", param_hint="--price")
    return amount


def _fail(message: str) -> NoReturn:
    print(f"guardctl audit: {message}", file=sys.stderr)
    raise typer.Exit(BAD_INPUT)
