"""What the options of `guardctl twin propose` and approved.json come to: a scope."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

import typer

from guard.approved.lists import FORMS, ApprovedLists, ApprovedListsError
from guard.partitions import partition_of
from guardctl.errors import Failed
from guardctl.lists import SHIPPED as LISTS
from guardctl.twin.reading import endpoints_in
from guardctl.twin.scope import Kind, Scope

_TAG_KEY = re.compile(r"[\w:/.+@-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The options as they were given. `endpoint_vpcs` are pairs `ENDPOINT=VPC`."""

    kind: Kind
    endpoints: Iterable[Path] = ()
    endpoint_vpcs: Mapping[str, str] = field(default_factory=dict[str, str])
    accounts: Iterable[str] = ()
    approved_accounts: Iterable[str] = ()
    passes: Iterable[str] = ()
    networks: Iterable[str] = ()
    stops: Iterable[str] = ()
    forwarded: Iterable[str] = ()
    own_addresses: Iterable[str] = ()
    only_tagged: str = ""
    region: str = "us-east-1"


def scope_of(given: Given) -> Scope:
    """The scope before anything is read. Raises Failed, and typer's BadParameter."""
    try:
        lists = ApprovedLists.load(LISTS) if LISTS.exists() else ApprovedLists()
    except ApprovedListsError as error:
        raise Failed(str(error), "guardctl policies lint") from error
    if given.only_tagged and given.kind is not Kind.RCP:
        raise typer.BadParameter("--only-tagged is for --kind rcp")
    if given.only_tagged and not _TAG_KEY.fullmatch(given.only_tagged):
        raise typer.BadParameter(f"--only-tagged: {given.only_tagged!r} is no key of a tag")
    known = {id_: place for file in given.endpoints for id_, place in endpoints_in(file).items()}
    vpcs: dict[str, frozenset[str]] = {}
    for region, vpc in known.values():
        vpcs[region] = vpcs.get(region, lists.vpcs) | {vpc}
    return Scope(
        kind=given.kind,
        vpcs=vpcs,
        vpc_of={id_: vpc for id_, (_, vpc) in known.items()} | dict(given.endpoint_vpcs),
        other_vpcs=lists.vpcs,
        accounts=frozenset(given.accounts),
        approved_accounts=frozenset(given.approved_accounts),
        networks=lists.networks | _networks(given.networks, "--network"),
        principals=lists.principals | _principals(given.passes),
        tags=lists.principal_tags,
        stops=frozenset(given.stops),
        forwarded=frozenset(given.forwarded),
        own_addresses=_networks(given.own_addresses, "--own-address"),
        only_tagged=given.only_tagged,
    )


def partition_in(regions: Iterable[str]) -> str:
    """The partition of Regions, which are all of one."""
    return next((partition_of(one) for one in sorted(regions)), "aws")


def _networks(texts: Iterable[str], option: str) -> frozenset[str]:
    try:
        return frozenset(str(ip_network(text)) for text in texts)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _principals(arns: Iterable[str]) -> frozenset[str]:
    """Patterns that a policy can name."""
    found = frozenset(arns)
    if wrong := [one for one in sorted(found) if not FORMS["principals"].fullmatch(one)]:
        raise typer.BadParameter(
            f"{wrong[0]!r} is no ARN of a role or user, such as arn:aws:iam::ID:role/NAME",
            param_hint="--pass",
        )
    return found
