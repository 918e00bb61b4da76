"""Watch secrets' resource policies: what is bound to the perimeter can be read from inside alone.

Undoes: a resource policy that no longer denies reading the secret's value from outside, where the
parameter SecretPerimeter says so. Otherwise it tells, with the corrected policy.

Triggered by rules, without a queue: PutResourcePolicy and DeleteResourcePolicy, what makes or
unmakes a bound secret, the schedule and the stack's own deployment, which look at all of them. It
reads the secret anew each time, so its own write coming back as an event changes nothing.

IAM: secretsmanager:ListSecrets, secretsmanager:DescribeSecret, secretsmanager:GetResourcePolicy,
secretsmanager:PutResourcePolicy (if SecretPerimeter says restore), ec2:DescribeVpcEndpoints,
ec2:DescribeVpcs, ssm:GetParameter, dynamodb:GetItem, dynamodb:UpdateItem, sns:Publish,
sqs:SendMessage (for Lambda, which keeps what failed).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from guard.approved.lists import ApprovedLists
from guard.aws.clients import client
from guard.aws.errors import code_of, refused, throttled
from guard.aws.parameters import Parameters
from guard.cloudtrail.record import FROM_CLOUDTRAIL, Record, from_envelope, secret_id
from guard.endpoint.observe import Observer
from guard.findings.finding import Finding
from guard.publishing.publish import report
from guard.reconcile.mode import Mode, read_mode, unreadable
from guard.redact import log_line, sealed
from guard.settings import PERIMETER_TAG, Settings
from guard.table.memory import Memory, late
from guard.table.state import State, StateError
from guard.variables import required, whole_number
from secret_policy import findings as findings_of
from secret_policy.findings import About
from secret_policy.observe import read_perimeter, read_secret, tags_of
from secret_policy.perimeter import Bound, NotCorrectable, Perimeter, Secret, corrected, gaps

BUDGET_WINDOW_SECONDS = 3600

settings = Settings.from_env(os.environ)
SECRET_PERIMETER = required(os.environ, "SECRET_PERIMETER")  # watch-tagged ... restore-all
RESTORES = SECRET_PERIMETER.startswith("restore-")
# One deployment rarely sets a policy five times within an hour; a loop does.
CHANGE_BUDGET = whole_number(os.environ, "CHANGE_BUDGET", default=5)
lists = ApprovedLists.from_env(os.environ)
bound = Bound(
    tag=required(os.environ, "PERIMETER_TAG", PERIMETER_TAG),
    everything=SECRET_PERIMETER.endswith("-all"),
    opt_out_tag=settings.opt_out_tag,
)

config = Config(retries={"mode": "standard"}, connect_timeout=3, read_timeout=10)
secretsmanager = client("secretsmanager", config=config)
sns = client("sns", config=config)
parameters = Parameters(client("ssm", config=config))
dynamodb = client("dynamodb", config=config)
state = State(dynamodb, settings.table_name)
memory = Memory(dynamodb, settings.table_name)
observer = Observer(client("ec2", config=config), settings.service_name)
logger = Logger(json_serializer=log_line)
metrics = Metrics()


class NotWritten(RuntimeError):
    """The policy read back does not keep the perimeter: Lambda tries again."""


class NotLookedAt(RuntimeError):
    """Some secrets could not be looked at: Lambda tries again, and then keeps the event."""


@dataclass(slots=True)
class Round:
    """One event's work: what it is about, and what came of it."""

    event_id: str
    now: datetime
    record: Record | None
    inside: Perimeter
    findings: list[Finding] = field(default_factory=list[Finding])
    told: list[str] = field(default_factory=list[str])
    failures: dict[str, str] = field(default_factory=dict[str, str])

    def about(self, secret: Secret, open_ways: Sequence[str] = ()) -> About:
        return About(settings, self.now, secret, open_ways, record=self.record)


@sealed
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """Look at the secret of a record, or at all that are bound; returns how many, and findings.

    Raises UnreadableRecord or NotLookedAt, upon which Lambda's own retries and then the dead-letter
    queue take over. A second look at the others changes nothing.
    """
    of_cloudtrail = str(event.get("detail-type", "")).endswith(FROM_CLOUDTRAIL)
    record = from_envelope(event) if of_cloudtrail else None
    named = own_secret(record) if record else list(bound_secrets())
    round_ = Round(str(event.get("id", "")), datetime.now(UTC), record, inside(named))
    for one in named:
        try:
            look(one, round_)
        except (ClientError, BotoCoreError, StateError, NotWritten) as error:
            round_.failures[one] = repr(error)
            logger.exception("a secret was not looked at", extra={"secret": one})
    tell(round_)
    metrics.add_metric("SecretsLookedAt", MetricUnit.Count, len(named))
    if round_.failures:
        raise NotLookedAt(f"{len(round_.failures)} of {len(named)} secrets: {round_.failures}")
    return {"secrets": len(named), "findings": len(round_.findings)}


def own_secret(record: Record) -> list[str]:
    """The secret that the record names, if it is one of this account and Region.

    None for a call that failed: it changed nothing. If it is the guard's own that AWS refused, to
    look again would only have it refused again, without end.
    """
    if record.failed:
        logger.info("a call that failed", extra={"call": record.event_name})
        return []
    named = secret_id(record) or ""
    elsewhere = named.startswith("arn:") and (
        named.split(":")[3:5] != [settings.region, settings.account_id]
    )
    if not named or elsewhere:
        logger.info("names no secret of ours", extra={"secret": named, "call": record.event_name})
        return []
    return [named]


def bound_secrets() -> Iterator[str]:
    """The ARNs of all secrets that are bound."""
    only = [] if bound.everything else [{"Key": "tag-key", "Values": [bound.tag]}]
    pages: Any = secretsmanager.get_paginator("list_secrets").paginate(Filters=only)  # type: ignore[arg-type]
    for page in pages:
        for secret in page["SecretList"]:
            if bound.holds(tags_of(secret)):
                yield secret["ARN"]


def inside(named: Sequence[str]) -> Perimeter:
    """What is inside the perimeter; not asked where there is no secret to look at."""
    if not named:
        return Perimeter(settings.account_id, settings.partition)
    return read_perimeter(
        observer, settings.account_id, settings.partition, lists.vpcs, lists.endpoints
    )


def look(named: str, round_: Round) -> None:
    """Compare one secret's policy with what keeps the perimeter, and act or tell."""
    try:
        secret = read_secret(secretsmanager, named)
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return
        if not refused(error):
            raise
        round_.findings.append(findings_of.unseen(round_.about(Secret(named, named, {})), error))
        return
    if not bound.holds(secret.tags):
        round_.findings += unbound(secret, round_)
        return
    open_ways = gaps(secret.policy, secret.arn, round_.inside)
    logger.info("looked at", extra={"secret": secret.arn, "gaps": open_ways})
    intent = f"secret#{secret.arn}#{round_.event_id}"
    if open_ways:
        round_.findings += mend(correction(secret, open_ways, round_), intent, round_)
        return
    metrics.add_metric("SecretPoliciesWhole", MetricUnit.Count, 1)
    for one in memory.begun([intent]):  # by a try that was cut short before it could tell
        round_.findings.append(late(one.finding, one.finding.done, round_.now))
        round_.told.append(intent)


def unbound(secret: Secret, round_: Round) -> list[Finding]:
    """Nothing, unless the record says that just now it was bound."""
    if round_.record is None or not bound.loosened_by(round_.record.request):
        return []
    return [findings_of.released(round_.about(secret))]


def correction(secret: Secret, open_ways: Sequence[str], round_: Round) -> About:
    """The secret with its corrected policy, or with why there is none."""
    about = round_.about(secret, open_ways)
    if secret.is_replica:
        return replace(about, hindrance=f"its policy comes from {secret.primary_region}")
    try:
        return replace(about, correction=corrected(secret.policy, secret.arn, round_.inside))
    except NotCorrectable as error:
        return replace(about, hindrance=str(error))


def mend(about: About, intent: str, round_: Round) -> list[Finding]:
    """Put the corrected policy if the parameters and the mode allow it; what to tell."""
    if not (RESTORES and about.correction):
        return [findings_of.lost(about)]
    mode = read_mode(parameters, settings.mode_parameter)
    problems = [unreadable(settings, round_.now, mode)] if mode.problem else []
    if mode.mode is Mode.OBSERVE:
        return [*problems, findings_of.lost(about)]
    key = f"secret-policy#{about.secret.arn}"
    if not state.spend(key, CHANGE_BUDGET, BUDGET_WINDOW_SECONDS, round_.now).allowed:
        return [*problems, findings_of.budget_spent(about, CHANGE_BUDGET)]
    finding = findings_of.restored(about)
    try:
        memory.declare(intent, finding, round_.now)
        refusal = put(about)
    except (ClientError, BotoCoreError) as error:
        state.give_back(key, round_.now)
        # What was throttled was not done, and somebody else may do it before the next try.
        memory.settle_all([intent] * throttled(error), round_.now, logger)
        raise
    if refusal:
        round_.told.append(intent)
        state.give_back(key, round_.now)
        metrics.add_metric("SecretPoliciesNotRestorable", MetricUnit.Count, 1)
        return [*problems, findings_of.refused(about, refusal)]
    finding = read_back(finding, about, round_.inside)
    round_.told.append(intent)
    metrics.add_metric("SecretPoliciesRestored", MetricUnit.Count, 1)
    return [*problems, finding]


def put(about: About) -> ClientError | None:
    """Put the corrected policy, unless it lets the public in; AWS's error if it refused.

    Raises ClientError or BotoCoreError for what may pass.
    """
    try:
        secretsmanager.put_resource_policy(
            SecretId=about.secret.arn, ResourcePolicy=about.correction, BlockPublicPolicy=True
        )
    except ClientError as error:
        if not refused(error):
            raise
        return error
    return None


def read_back(finding: Finding, about: About, perimeter: Perimeter) -> Finding:
    """The finding of a policy that was put, once AWS shows it; or that it does not let us look.

    Raises NotWritten if AWS shows another one, ClientError or BotoCoreError for what may pass.
    """
    arn = about.secret.arn
    try:
        shown = read_secret(secretsmanager, arn)
    except ClientError as error:
        if not refused(error):
            raise
        return findings_of.restored(about, unread=error)
    if left := gaps(shown.policy, arn, perimeter):
        raise NotWritten(f"{arn} does not show the policy that was put: {left[0]}")
    return finding


def tell(round_: Round) -> None:
    """Report what was found, and note that it was told."""
    report(
        round_.findings,
        sns=sns,
        state=state,
        topic_arn=settings.topic_arn,
        now=round_.now,
        way=settings.way,
    )
    memory.settle_all(round_.told, round_.now, logger)
