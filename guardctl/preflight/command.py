"""`guardctl preflight`: who would have been refused, had this been the policy.

Nothing is asked of AWS. A request is decided by the same evaluator as the guard's own
(guard.policy.evaluate), with what CloudTrail says of it; where the answer hangs on something else
it is reported as unknown, with the names of what would have to be known.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from detect_bypass.judge.spelling import name_of_secret
from guard.cloudtrail.evidence import principal
from guard.cloudtrail.policy_request import NO_SECRET
from guard.cloudtrail.record import Record, UnreadableRecord, parse
from guard.cloudtrail.resource_ids import secret_id
from guard.policy.evaluate import Decision, Outcome, evaluate
from guardctl.errors import Failed
from guardctl.formats import LintFormat, LintFormatOption
from guardctl.preflight.request import Known, Way, request_of
from guardctl.preflight.sarif import print_refusals
from guardctl.preflight.source import PolicySource, PolicySourceError
from guardctl.preflight.tally import REFUSED_CODES, Tally
from guardctl.screen import printable, say, say_json
from guardctl.terminal import console
from guardctl.trail.files import Missing, Source, sources
from guardctl.trail.records import Complaints, Found, Passed, records

REFUSED, BAD_INPUT = 1, 2
_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of every record: the policy, and which requests it is asked about."""

    source: PolicySource
    assume: bool = False
    endpoints: frozenset[str] = frozenset()
    known: Known = field(default_factory=lambda: Known({}, {}))
    of_secret: bool = False
    secrets: frozenset[str] = frozenset()

    def ask(self, record: Record, tally: Tally) -> None:
        """Decide about one Secrets Manager record and count it. Raises PolicySourceError."""
        way = Way.of(record)
        if record.event_type not in ("", "AwsApiCall", "AwsConsoleAction"):
            tally.no_requests += 1  # a service's report, or the endpoint's own record of a request
        elif self.of_secret:
            self._ask_secret(record, tally)
        elif not (through := self._came_through(record, way)) and not self.assume:
            tally.not_through_endpoint += 1
        elif way.by_service:
            tally.by_services += 1
        elif record.error_code.startswith(REFUSED_CODES):
            tally.refused_already += 1
        else:
            decision = self._decide(record, assumed=not through)
            tally.add(record, principal(record), _secret(record), decision)

    def _ask_secret(self, record: Record, tally: Tally) -> None:
        """A secret's own policy: it decides of each request for the secret, however it comes."""
        secret = _secret(record)
        if not secret or (self.secrets and _bare(secret) not in self.secrets):
            tally.other_secrets += 1
        elif record.error_code.startswith(REFUSED_CODES):
            tally.refused_already += 1
        else:
            tally.add(record, principal(record), secret, self._decide_secret(record))

    def _decide_secret(self, record: Record) -> Decision:
        request = request_of(record, self.known, assumed=False, through=False)
        owner = (request.resource or "").split(":")[4:5]
        if not owner:
            return Decision(Outcome.UNKNOWN, None, frozenset({"resource"}))
        own = owner == [record.identity.account_id] or record.identity.type == "AWSService"
        find = self.source.denials_for if own else self.source.policy_for
        return evaluate(find(record.account or owner[0], record.region), request)

    def _came_through(self, record: Record, way: Way) -> bool:
        if self.endpoints:
            return record.vpc_endpoint_id in self.endpoints
        return way.through_endpoint

    def _decide(self, record: Record, *, assumed: bool) -> Decision:
        if not (record.account and record.region) and self.source.asks:
            return Decision(Outcome.UNKNOWN, None, frozenset({"account", "region"}))
        policy = self.source.policy_for(record.account, record.region)
        return evaluate(policy, request_of(record, self.known, assumed=assumed))


def _secret(record: Record) -> str:
    return "" if record.event_name in NO_SECRET else secret_id(record) or ""


def _bare(secret: str) -> str:
    """A secret's name, without the hyphen and six characters that AWS adds to it in an ARN."""
    name = name_of_secret(secret)
    return name[:-7] if secret.startswith("arn:") and _SUFFIX.search(name) else name


def ask_all(files: Iterable[Source | Missing], question: Question) -> Tally:
    """Ask of every record in the files; what cannot be read is said on standard error."""
    tally, complaints = Tally(), Complaints()
    for one in records(files, complaints):
        match one:
            case Passed(count):
                tally.other_services += count
            case Found(record, file, place):
                try:
                    question.ask(record, tally)
                except PolicySourceError as error:
                    complaints.add(file, f"{place}: {error}")
    tally.complaints = complaints.total
    return tally


def ask_groups(file: Path, question: Question) -> Tally:
    """Ask of one request for each group that Athena counted. Raises Failed for no such file."""
    from guardctl.athena.parquet import read_groups  # for whoever has groups
    from guardctl.athena.projection import record_of

    tally = Tally()
    for group in read_groups(file):
        one = Tally()
        try:
            question.ask(parse(record_of(group)), one)
            tally.add_group(one, group["requests"], parse(record_of(group, "last_seen")))
        except (UnreadableRecord, PolicySourceError) as error:
            tally.complaints += 1
            say(printable(f"group of {group['example']}: {error}"), err=True)
    return tally


def preflight(
    policy: Annotated[
        str,
        typer.Argument(metavar="POLICY", help="A policy file, or the name of an approved policy."),
    ],
    logs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="LOGS...",
            help="Log files, folders or patterns; - is standard input.",
            show_default=False,
        ),
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Ask of what `guardctl athena run` counted instead."),
    ] = None,
    assume_endpoint: Annotated[
        bool,
        typer.Option(
            "--assume-endpoint", help="Evaluate all requests, as if they came through the endpoint."
        ),
    ] = False,
    endpoint: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Evaluate requests through this endpoint. Repeatable."),
    ] = None,
    org_id: Annotated[
        str,
        typer.Option(metavar="ID", help="Your organization, the value of ${OrgId} in the policy."),
    ] = "",
    account: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="An account of the organization --org-id. Repeatable."),
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SECRET", help="The policy belongs to this secret (name or ARN). Repeatable."
        ),
    ] = None,
    endpoint_vpc: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID=VPC", help="The VPC of an endpoint, which logs do not contain. Repeatable."
        ),
    ] = None,
    form: LintFormatOption = LintFormat.TABLE,
) -> None:
    """List the requests in CloudTrail logs that a policy would have denied.

    An endpoint policy is evaluated for the Secrets Manager requests that came through a VPC
    endpoint and that AWS allowed. Requests by AWS services themselves are left out, because they
    do not come through your endpoint.

    The policy of a secret is evaluated for all requests for the secret, through an endpoint or not.
    A policy is one of a secret with --secret, if `guardctl suggest-secret-policy` printed it, or if
    it has no Allow statement.

    If a decision depends on something that CloudTrail does not record, it is reported as unknown.
    Placeholders such as ${AccountId} get the account and Region of each record.

    JSON lines, and results of SARIF, are one per principal, action and secret.

    Examples:
      guardctl preflight own-account logs/ --assume-endpoint
      guardctl preflight proposed.json s3://trail-bucket/AWSLogs/111122223333/ --secret db
      guardctl preflight own-account --groups groups.parquet

    Exit codes: 0 no request would have been denied, 1 some would, 2 bad usage, or input that could
    not be read.
    """
    if bool(logs) == bool(groups):
        raise Failed("Missing argument 'LOGS...'." if not logs else "--groups stands alone")
    if account and not org_id:
        raise typer.BadParameter("--account says of which --org-id an account is; give both")
    try:
        source = PolicySource.find(policy, org_id)
        question = Question(
            source=source,
            assume=assume_endpoint,
            endpoints=frozenset(endpoint or ()),
            known=Known(dict.fromkeys(account or (), org_id), pairs(endpoint_vpc or [])),
            of_secret=bool(secret) or (source.is_of_a_secret and not (assume_endpoint or endpoint)),
            secrets=frozenset(map(_bare, secret or ())),
        )
    except PolicySourceError as error:
        raise Failed(str(error)) from error
    if question.of_secret and not secret:
        say("Read as the policy of every secret in the logs; --secret names one.", err=True)
    tally = ask_groups(groups, question) if groups else ask_all(sources(logs or ()), question)
    if form is LintFormat.SARIF:
        print_refusals(tally, source)
    else:
        _PRINT[form](tally)
    _print_summary(tally, question)
    if tally.complaints:
        raise typer.Exit(BAD_INPUT)
    raise typer.Exit(REFUSED if tally.refused else 0)


def pairs(given: list[str]) -> dict[str, str]:
    """The VPC of each endpoint, of texts such as vpce-0a=vpc-0b."""
    split = [pair.partition("=") for pair in given]
    if wrong := [endpoint for endpoint, _, vpc in split if not vpc.startswith("vpc-")]:
        raise typer.BadParameter(f"{wrong[0]}: give it as vpce-...=vpc-...")
    return {endpoint: vpc for endpoint, _, vpc in split}


def _print_jsonl(tally: Tally) -> None:
    for row in tally.rows():
        say_json(row)


def _print_json(tally: Tally) -> None:
    rows = list(tally.rows())
    of = {name: [row for row in rows if row["verdict"] == name] for name in ("refused", "unknown")}
    say_json({**of, "summary": tally.summary()}, indent=2)


def _print_table(tally: Tally) -> None:
    """Nothing where nothing is refused or unknown."""
    if not tally.cases:
        return
    table = Table("Verdict", "Count", "Who asked for what", box=None)
    table.add_column("Why, and the latest", overflow="fold", width=36)  # an event id is whole
    for row in tally.rows():
        colour = "bold red" if row["verdict"] == "refused" else "yellow"
        example = f"{row['example']['event_id']} {row['example']['event_time']}"
        asked = row["action"].partition(":")[2]
        if row["secret"]:
            asked += f" of {name_of_secret(row['secret'])}"
        table.add_row(
            Text(row["verdict"], colour),
            f"{row['count']:,}",
            printable(row["principal"].split(":", 5)[-1]) + "\n" + printable(asked),
            printable(_why(row)) + "\n" + printable(example),
        )
    console().print(table, soft_wrap=False)


def _why(row: dict[str, Any]) -> str:
    if row["needs"]:
        return f"not known: {', '.join(row['needs'])}"
    if row["statement"]:
        return f"denied by {row['statement']}"
    return "no statement allows it"


_PRINT = {
    LintFormat.TABLE: _print_table,
    LintFormat.JSON: _print_json,
    LintFormat.JSONL: _print_jsonl,
}


def _print_summary(tally: Tally, question: Question) -> None:
    errors = console(stderr=True)
    counts = tally.summary()
    errors.print(
        f"{counts['requests']:,} requests: {tally.allowed:,} would have been let pass, "
        f"{tally.refused:,} refused, {tally.unknown:,} unknown"
    )
    if tally.unknown:
        errors.print(f"Could not be judged: {_needs(tally)}")
    left_out = {
        "not through an endpoint": tally.not_through_endpoint,
        "refused by AWS already": tally.refused_already,
        "made by AWS services": tally.by_services,
        "that are no requests": tally.no_requests,
        "of no secret, or another one": tally.other_secrets,
        "of other services": tally.other_services,
    }
    if listed := ", ".join(f"{count:,} {name}" for name, count in left_out.items() if count):
        errors.print(f"Left out: {listed}")
    if not counts["requests"]:
        errors.print(
            f"No request was judged, so this says nothing of the policy.{_hint(tally, question)}"
        )
    if tally.complaints:
        errors.print(f"Places that could not be read: {tally.complaints:,}")


def _needs(tally: Tally) -> str:
    """How many requests hang on what, the most frequent first."""
    needs: Counter[str] = Counter()
    for case, count in tally.cases.items():
        if case.verdict == Outcome.UNKNOWN:
            needs[" and ".join(case.needs)] += count.count
    said = (f"{count:,} without knowing {what}" for what, count in needs.most_common())
    known = "; --endpoint-vpc ID=VPC gives aws:SourceVpc" * any("sourcevpc" in one for one in needs)
    return printable(", ".join(said)) + known


def _hint(tally: Tally, question: Question) -> str:
    if tally.not_through_endpoint and not question.of_secret:
        return " Add --assume-endpoint to ask of those that did not come through an endpoint."
    return ""
