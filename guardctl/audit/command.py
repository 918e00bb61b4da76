"""How the guard judges every VPC of an account, and what it would do: read-only.

Observes and decides as the deployed functions do, by the settings of the deployed stack, with the
credentials that boto3 finds. Nothing is changed, and there is no option to have it changed: that is
what the deployed guard is for, with its budgets, its grace and its alerts.

Needs ec2:DescribeVpcs, ec2:DescribeVpcAttribute, ec2:DescribeSubnets, ec2:DescribeVpcEndpoints,
ec2:DescribeVpcEndpointServices, ec2:DescribeSecurityGroups, ec2:DescribeNetworkAcls,
ec2:DescribeDhcpOptions, sts:GetCallerIdentity and, unless --no-hub, ec2:DescribeRouteTables,
route53:ListHostedZonesByVPC, route53:ListResourceRecordSets,
route53profiles:ListProfileAssociations and route53profiles:ListProfileResourceAssociations; what
the settings and the other checks need besides is in `guardctl.audit.deployed` and
`guardctl.audit.checks`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal, InvalidOperation
from functools import cache, partial
from itertools import batched
from typing import Annotated, Any

import boto3
import typer
from botocore.config import Config
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from ensure_endpoint.rotation.vpcs import RotatingVpcs
from guard.approved.lists import ApprovedListsError
from guard.endpoint.decide import decide
from guard.endpoint.hosted_zones import HostedZones
from guard.endpoint.observe import Observer
from guard.endpoint.plan import Desired, Plan, Verdict
from guard.endpoint.state import MANAGED_TAG, STACK_TAG, Vpc
from guard.partitions import WITHOUT_PROFILES
from guard.settings import SettingsError
from guardctl.audit.checks import Check, Checks
from guardctl.audit.deployed import Chosen, Judging, judging
from guardctl.audit.rows import Row, row_of
from guardctl.audit.show import listing
from guardctl.doctor.place import Place
from guardctl.errors import Failed
from guardctl.formats import Format, FormatOption
from guardctl.screen import printable, say_json
from guardctl.terminal import console
from sweep.unhealthy import left_alone

UNHEALTHY = 1
_AT_ONCE = 50  # VPCs observed together: a few calls for all of them, and progress to be seen


@dataclass(slots=True)
class Found:
    """What was judged so far, and by what."""

    rows: list[tuple[Row, Plan]] = field(default_factory=list[tuple[Row, Plan]])
    checks: list[Check] = field(default_factory=list[Check])
    sources: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def healthy(self) -> bool:
        return all(row.healthy for row, _ in self.rows) and all(one.healthy for one in self.checks)


def audit(
    region: Annotated[
        list[str] | None,
        typer.Option(help="Region to check; repeatable. Default: from the AWS configuration."),
    ] = None,
    vpc: Annotated[
        list[str] | None,
        typer.Option(help="Check only this VPC and its endpoints; repeatable."),
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration.")] = None,
    stack_name: Annotated[
        str | None,
        typer.Option(help="The stack whose settings apply. Default: as in samconfig.toml."),
    ] = None,
    opt_out_tag: Annotated[
        str | None, typer.Option(help="Tag that opts a VPC out. Default: the stack's.")
    ] = None,
    maximum_zones: Annotated[
        int | None, typer.Option(min=0, help="MaximumZones; 0 for all AZs. Default: the stack's.")
    ] = None,
    approved_endpoint: Annotated[
        list[str] | None,
        typer.Option(help="An approved endpoint, in addition to approved.json; repeatable."),
    ] = None,
    approved_account: Annotated[
        list[str] | None,
        typer.Option(help="An approved account, in addition to the stack's; repeatable."),
    ] = None,
    hub: Annotated[
        bool | None,
        typer.Option(
            "--hub/--no-hub",
            help="Search Route 53 for central endpoints in other VPCs. Default: the stack's.",
        ),
    ] = None,
    price: Annotated[
        str | None,
        typer.Option(help="US dollars for an endpoint per AZ and hour. Default: the stack's."),
    ] = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Show how VPCE Guard judges every VPC and what it would do. Changes nothing.

    Also checks endpoint policies, the rotation of secrets and the trail. Uses the settings of the
    deployed stack: scope, tags, approved policy and accounts, price. Without a stack, uses the
    template's defaults. The approved policies and approved.json are those of this installation.

    Examples:
      guardctl audit --region eu-west-1 --region us-east-1 --profile sandbox
      guardctl audit --vpc vpc-0a1b2c3d4e5f60718
      guardctl audit --format json > audit.json

    Exits with 1 if anything is unhealthy, with 2 for bad usage or credentials.
    """
    chosen = Chosen(
        stack_name=stack_name,
        opt_out_tag=opt_out_tag,
        maximum_zones=maximum_zones,
        price=None if price is None else _amount(price),
        hub=hub,
        approved_endpoints=frozenset(approved_endpoint or ()),
        approved_accounts=frozenset(approved_account or ()),
    )
    found = Found()
    try:
        for one in _judged(profile, region or [], frozenset(vpc or ()), chosen, found):
            if format_ is Format.JSONL:
                say_json(asdict(one), flush=True)
    except (SettingsError, ApprovedListsError) as error:
        raise Failed(str(error)) from error
    _report(found, format_)
    if not found.healthy:
        raise typer.Exit(UNHEALTHY)


def _judged(
    profile: str | None,
    regions: Sequence[str],
    vpc_ids: frozenset[str],
    chosen: Chosen,
    found: Found,
) -> Iterator[Row | Check]:
    """All that was asked for, Region by Region, with progress on a terminal."""
    session = boto3.Session(profile_name=profile)
    regions = list(dict.fromkeys(regions or filter(None, [session.region_name])))
    if not regions:
        raise Failed("no Region is configured", "name one with --region")
    sts = session.client("sts", region_name=regions[0])
    account = sts.get_caller_identity()["Account"]
    errors = console(stderr=True)
    columns = (TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(
        *columns,
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
        redirect_stdout=False,
    ) as progress:
        task = progress.add_task("")
        for name in regions:
            by = judging(account, name, profile, chosen)
            found.sources[name] = by.source
            say = partial(progress.update, task)
            yield from _region(_Region(session, by, vpc_ids), found, say)
    there = {row.vpc_id for row, _ in found.rows}
    if missing := vpc_ids - there:
        raise Failed(f"no such VPC in {', '.join(regions)}: {', '.join(sorted(missing))}")


@dataclass(frozen=True, slots=True)
class _Region:
    """One Region, by what it is judged, and the VPCs that were asked for; empty for all."""

    session: boto3.Session
    judging: Judging
    vpc_ids: frozenset[str]

    def client(self, service: str) -> Any:
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 8},
            connect_timeout=5,
            read_timeout=20,
        )
        session: Any = self.session
        region = self.judging.settings.region
        return session.client(service, region_name=region, config=config)

    def observer(self) -> Observer:
        settings = self.judging.settings
        client = cache(lambda: self.client("route53"))
        profiles = cache(lambda: self.client("route53profiles"))
        having = settings.partition not in WITHOUT_PROFILES
        place = (settings.region, settings.account_id)
        hubs = HostedZones(client, *place, profiles if having else None)
        return Observer(
            self.client("ec2"),
            settings.service_name,
            hubs if self.judging.hub else None,
            opt_out_tag=settings.opt_out_tag,
        )

    def rotating(self) -> RotatingVpcs:
        prefix = self.judging.settings.function_arn_prefix
        return RotatingVpcs(self.client("secretsmanager"), self.client("lambda"), prefix)


def _region(region: _Region, found: Found, say: Any) -> Iterator[Row | Check]:
    """The plans of one Region's VPCs, then its other checks."""
    settings, observer = region.judging.settings, region.observer()
    say(description=f"{settings.region}: listing VPCs")
    ids = sorted(id_ for id_ in observer.vpc_ids() if not region.vpc_ids or id_ in region.vpc_ids)
    vpcs: dict[str, Vpc] = {}
    plans: dict[str, Plan] = {}
    rotating = region.rotating()
    for some in batched(ids, _AT_ONCE, strict=False):
        say(description=f"{settings.region}: {len(vpcs)} of {len(ids)} VPCs")
        for vpc in observer.vpcs(some).values():
            plan, left = _plan(vpc, region.judging, rotating)
            vpcs[vpc.id], plans[vpc.id] = vpc, plan
            place = (settings.account_id, settings.region)
            row = row_of(vpc, plan, *place, region.judging.price)
            row = replace(row, healthy=row.healthy and not left)
            found.rows.append((row, plans[vpc.id]))
            yield row
    say(description=f"{settings.region}: policies, rotation, trail")
    for check in _checks(region, observer, vpcs, plans):
        found.checks.append(check)
        yield check


def _checks(
    region: _Region, observer: Observer, vpcs: Mapping[str, Vpc], plans: Mapping[str, Plan]
) -> Iterator[Check]:
    place = Place(region.session, region.judging.settings.region)
    checks = Checks(region.judging, place, observer, vpcs, plans)
    yield from checks.policies(region.vpc_ids or None)
    if not region.vpc_ids:
        yield from checks.rotation()
        yield from checks.trail()


def _plan(vpc: Vpc, by: Judging, rotating: RotatingVpcs) -> tuple[Plan, str]:
    """The plan, and what is unhealthy in a VPC that is opted out, in words."""
    if why := by.scope.why_excluded(vpc, lambda: vpc.id in rotating):
        return Plan(vpc.id, Verdict.EXEMPT, (why,)), ""
    desired = _desired(vpc, by)
    plan, left = decide(vpc, desired), left_alone(vpc, desired)
    if left is None:
        return plan, ""
    value = vpc.tags[desired.opt_out_tag]
    note = f"opted out{f': {value}' if value else ''}; {left or 'healthy without the tag'}"
    return replace(plan, notes=(*plan.notes, note)), left


def _desired(vpc: Vpc, by: Judging) -> Desired:
    """What the deployed guard desires; which stack that is, the VPC's own tags say."""
    tagged = [group.tags for group in vpc.groups.values()] + [one.tags for one in vpc.endpoints]
    stacks = sorted({t.get(STACK_TAG, "") for t in tagged if t.get(MANAGED_TAG) == "true"})
    chosen = by.approved.choose(vpc=vpc.tags)
    return Desired(
        account_id=by.settings.account_id,
        stack_id=by.settings.stack_id or (stacks[0] if stacks else ""),
        service_name=by.settings.service_name,
        opt_out_tag=by.settings.opt_out_tag,
        policy=chosen.text,
        policy_problem=chosen.problem,
        maximum_zones=by.maximum_zones,
        approved_endpoints=by.approved_endpoints,
        approved_accounts=by.approved_accounts,
    )


def _report(found: Found, format_: Format) -> None:
    match format_:
        case Format.TABLE:
            out = console()
            for region, source in found.sources.items():
                out.print(Text(printable(f"{region}: judged by {source}")))
            for line in listing(found.rows, found.checks):
                out.print(Text(line.text, line.style))
        case Format.JSON:
            price = sum(Decimal(str(row.monthly_price_usd)) for row, _ in found.rows)
            document = {
                "healthy": found.healthy,
                "monthly_price_usd": float(price),
                "judged_by": found.sources,
                "vpcs": [asdict(row) for row, _ in found.rows],
                "checks": [asdict(one) for one in found.checks],
            }
            say_json(document, indent=2)
        case Format.JSONL:
            pass  # each was printed when it was known


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise typer.BadParameter(f"{text!r} is not an amount of money", param_hint="--price")
    return amount
