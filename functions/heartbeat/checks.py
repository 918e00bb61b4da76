"""The checks of a heartbeat: each reads from AWS, and leaves the judgement to `heartbeat.findings`.

IAM actions: see `heartbeat.app`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from guard.aws.denials import reading_refused
from guard.aws.errors import code_of
from guard.cloudtrail.heartbeat_mark import REFUSALS, Mark
from guard.settings import items, required
from heartbeat import findings as findings_of
from heartbeat import neighbours
from heartbeat.redrive import Homes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

    from guard.findings.finding import Finding
    from guard.settings import Settings
    from guard.table.neighbours import Neighbours
    from heartbeat.drift import Drift
    from heartbeat.neighbours import OtherGuards
    from heartbeat.redrive import Redrive
    from heartbeat.trails import Trails

logger = Logger(child=True)


AGAIN = "the next heartbeat checks again, within an hour"
LAST_TRY = timedelta(minutes=2)
"""After an event; Lambda tries again a minute after the first try and two after the second
("Asynchronous invocation", Lambda developer guide)."""


def is_last_try(event: Mapping[str, Any], now: datetime) -> bool:
    """Whether an EventBridge event is so old that Lambda tries it no more."""
    try:
        return now - datetime.fromisoformat(event["time"]) >= LAST_TRY
    except (LookupError, TypeError, ValueError):
        return False


class Answered(RuntimeError):
    """AWS knows a secret of a heartbeat's name, which nobody can have made by chance."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What the stack was deployed with: rules with their states, and by the URLs of dead-letter
    queues where their messages belong.
    """

    mark: Mark
    mode: str
    rules: Mapping[str, str]
    homes: Mapping[str, Homes]

    @classmethod
    def from_env(cls, env: Mapping[str, str], settings: Settings) -> Self:
        """Read the function's variables; SettingsError names a bad one."""
        return cls(
            Mark(settings.stack_id, required(env, "HEARTBEAT_ROLE")),
            required(env, "DEPLOYED_MODE"),
            {
                **dict.fromkeys(items(env, "RULES"), "ENABLED"),
                **dict.fromkeys(items(env, "RULES_OF_READS"), findings_of.SEES_READS),
            },
            dict(_homes(one) for one in sorted(items(env, "DEAD_LETTER_QUEUES"))),
        )


def _homes(urls: str) -> tuple[str, Homes]:
    """A dead-letter queue and where its messages belong, separated by spaces."""
    queue, *homes = urls.split()
    return queue, Homes(*homes)


@dataclass(frozen=True, slots=True)
class Checks:
    """Each check returns findings, and raises ClientError or BotoCoreError."""

    settings: Settings
    deployed: Deployed
    secrets: SecretsManagerClient
    events: EventBridgeClient
    ssm: SSMClient
    sqs: SQSClient
    trails: Trails
    wired: Drift
    redrive: Redrive
    others: OtherGuards
    neighbours: Neighbours

    def run(self, now: datetime, *, last_try: bool) -> tuple[list[Finding], list[str]]:
        """What is wrong, and the checks that AWS did not answer, each with its words.

        What it still refuses at the `last_try` is a finding: it refuses it for good.
        """
        found: list[Finding] = []
        unanswered: list[str] = []
        checks = (
            *(self.heartbeat, self.rules, self.mode, self.dead_letters, self.trail, self.drift),
            self.other_guards,
        )
        for check in checks:
            try:
                found += check(now)
            except (ClientError, BotoCoreError) as error:
                logger.error("a check failed", extra={"check": check.__name__, "why": repr(error)})
                refusal = reading_refused(self.settings, now, error, then=AGAIN)
                found += refusal if last_try else ()
                if not (refusal and last_try):
                    unanswered.append(f"{check.__name__}: {error}")
        return found, unanswered

    def heartbeat(self, now: datetime) -> list[Finding]:
        """Ask for a secret that does not exist: the proof comes from the end of the chain.

        Raises Answered.
        """
        name = self.deployed.mark.secret_name(now)
        try:
            self.secrets.describe_secret(SecretId=name)
        except ClientError as refusal:
            if code_of(refusal) not in REFUSALS:
                raise
            logger.info("heartbeat sent", extra={"secret": name, "answer": code_of(refusal)})
            return []
        raise Answered(name)

    def rules(self, now: datetime) -> list[Finding]:
        pages = self.events.get_paginator("list_rules").paginate()
        states = {
            rule.get("Name", ""): str(rule.get("State", ""))
            for page in pages
            for rule in page["Rules"]
        }
        return findings_of.blind_rules(states, self.deployed.rules, self.settings, now)

    def mode(self, now: datetime) -> list[Finding]:
        try:
            answer = self.ssm.get_parameter(Name=self.settings.mode_parameter)
            value = answer["Parameter"].get("Value", "").strip().lower()
        except self.ssm.exceptions.ParameterNotFound:
            value = None
        return findings_of.changed_mode(value, self.deployed.mode, self.settings, now)

    def dead_letters(self, now: datetime) -> list[Finding]:
        depths: dict[str, int] = {}
        put_back: dict[str, int] = {}
        for url in self.deployed.homes:
            answer = self.sqs.get_queue_attributes(
                QueueUrl=url,
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesNotVisible",  # after a run that was cut short
                ],
            )
            name, depth = (
                url.rsplit("/", 1)[-1],
                answer["Attributes"]["ApproximateNumberOfMessages"],
            )
            put_back[name] = self.redrive.put_back(url, now) if int(depth) else 0
            depths[name] = max(int(depth) - put_back[name], 0)
        return [
            *findings_of.put_back(put_back, self.settings, now),
            *findings_of.dead_letters(depths, self.settings, now),
        ]

    def trail(self, now: datetime) -> list[Finding]:
        seen = self.trails.observe(now)
        for one in seen:
            if one.reads is None:
                logger.info("not known", extra={"trail": one.arn, "why": one.hindrance})
        return findings_of.blind_trails(seen, self.settings, now)

    def drift(self, now: datetime) -> list[Finding]:
        differences = self.wired.compare(self.deployed.rules.keys())
        return findings_of.drift(differences, self.settings, now)

    def other_guards(self, now: datetime) -> list[Finding]:
        own, found = self.others.find()
        self.neighbours.write(found, now)
        return neighbours.findings(own, found, self.settings, now)
