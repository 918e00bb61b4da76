"""What `guardctl twin` does: read, propose, prove, and say what came of it."""

from collections.abc import Sequence
from pathlib import Path

from detect_bypass.judge import Inventory
from detect_bypass.judge.exceptions import ExceptionsError, Exemption, load
from guard.approved.lists import ApprovedLists
from guard.policy import PolicyError
from guardctl.errors import Failed
from guardctl.formats import Format, LintFormat
from guardctl.lists import SHIPPED as LISTS
from guardctl.policies import SHIPPED as ENDPOINT_POLICIES
from guardctl.screen import printable, say
from guardctl.twin import files
from guardctl.twin.exhaustive import TooMany
from guardctl.twin.family import Candidate, NotProposable, fill
from guardctl.twin.flows import KEYS, Flows, rows_of
from guardctl.twin.intent import Intent
from guardctl.twin.logged import Policies
from guardctl.twin.proposal import Proofs, filled_scope, proofs
from guardctl.twin.reading import read_groups, read_logs
from guardctl.twin.sarif import print_proofs
from guardctl.twin.scope import Scope
from guardctl.twin.show import print_flows, say_proofs, say_read, say_what_aws_says

FOUND, BAD_INPUT = 1, 2
FAMILY = "own-account"  # the approved policy that an endpoint's is filled from

type Input = Sequence[str] | Path


def one_input(logs: Sequence[str] | None, groups: Path | None) -> None:
    """Raises Failed unless there is either."""
    if bool(logs) == bool(groups):
        raise Failed("Missing argument 'LOGS...'." if not logs else "--groups stands alone")


def propose(scope: Scope, given: Input, exceptions: Path | None, into: Path, form: Format) -> int:
    """Write a proposal, or print what it waits for; returns the exit code. Raises Failed."""
    flows, unread = _read(scope, given, _exceptions(exceptions), KEYS)
    say_read(flows)
    if undecided := rows_of(flows.of(Intent.UNDECIDED)):
        print_flows(undecided, form)
        say("Nothing is proposed while these are undecided", err=True)
        return BAD_INPUT if unread else FOUND
    scope = filled_scope(flows)
    try:
        candidates = fill(scope, (ENDPOINT_POLICIES / f"{FAMILY}.json").read_text())
    except NotProposable as error:
        raise Failed(f"there is no policy to propose: {error}") from error
    found = _proven(scope, candidates, flows)
    if not found.hold:
        print_flows(list(found.logged.rows()), form)
        say("Nothing is written: it is not proven", err=True)
        return FOUND
    if unread:
        say("Nothing is written: not all of the logs could be read", err=True)
        return BAD_INPUT
    _write(scope, candidates, flows, into)
    return 0


def _write(scope: Scope, candidates: Sequence[Candidate], flows: Flows, into: Path) -> None:
    written = files.write(into, scope, candidates)
    for path, one in zip(written, candidates, strict=True):
        say(f"# {path}: {len(one.text):,} characters")
    regions = [one.region for one in candidates]
    for line in files.how_to_attach(scope, list(zip(written, regions, strict=True))):
        say(line)
    for name, ends in flows.ends.items():
        say(printable(f"Exception {name} ends {ends:%Y-%m-%d}: propose anew then"), err=True)


def prove(
    folder: Path, given: Input, aws: tuple[str | None, str | None] | None, form: LintFormat
) -> int:
    """Prove a proposal in a folder; returns the exit code. Raises Failed."""
    scope, candidates = files.read(folder)
    try:
        keys = KEYS | Policies.of(scope.kind, candidates).keys
    except PolicyError as error:
        raise Failed(f"{folder}: {error}") from error
    flows, unread = _read(scope, given, (), keys)
    say_read(flows)
    found = _proven(scope, candidates, flows)
    if form is LintFormat.SARIF:
        paths: dict[str, Path] = {}
        for one in candidates:
            paths.setdefault(one.region, folder / f"{one.name}.json")
        print_proofs(found, paths, whole=not unread)
    else:
        print_flows(list(found.logged.rows()), Format(form))
    refused = False
    if aws:
        texts = [(one.name, one.text) for one in candidates]
        refused = say_what_aws_says(texts, scope.kind, *aws)
    if unread:
        return BAD_INPUT
    return 0 if found.hold and not refused else FOUND


def _proven(scope: Scope, candidates: Sequence[Candidate], flows: Flows) -> Proofs:
    try:
        found = proofs(scope, candidates, flows)
    except (PolicyError, TooMany) as error:
        raise Failed(f"cannot be proven: {error}") from error
    say_proofs(found)
    return found


def _read(
    scope: Scope, given: Input, exceptions: Sequence[Exemption], keys: frozenset[str]
) -> tuple[Flows, int]:
    approved = ApprovedLists.load(LISTS).endpoints if LISTS.exists() else frozenset[str]()
    inventory = Inventory(
        accounts=scope.accounts,
        own_endpoints=frozenset(scope.vpc_of),
        approved_endpoints=approved,
        approved_accounts=scope.approved_accounts,
    )
    flows = Flows(scope, inventory, exceptions, keys)
    if isinstance(given, Path):
        return flows, read_groups(given, flows)
    return flows, read_logs(given, flows)


def _exceptions(path: Path | None) -> tuple[Exemption, ...]:
    try:
        return load(path) if path else ()
    except (ExceptionsError, OSError) as error:
        raise Failed(f"{path}: {error}") from error
