"""Findings through SNS, SQS and notify_slack to a Slack that has a bad day: who arrives, and when.

    python -m benchmarks.slack [--findings 10000] [--seed 1]

The topic, the queue and the function are the embedded cloud's, Slack is a real HTTP server on
loopback, time is virtual. Of Slack's answers some say 429 with Retry-After, some 5xx, some refuse
the blocks, some connections are cut, before the message was taken or after it. Exits with 1 unless
every finding arrived or is in the dead-letter queue, none arrived twice but where an answer was
lost, each such one marked, and any ten posts in a row were a second apart on the mean.
"""

import argparse
import itertools
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from emulator import Cloud
from emulator.delivery import NotQuiescent
from emulator.slack import Answer
from guard.findings.finding import Finding, Kind, Severity
from guard.publishing.message import entry
from guard.settings import Publishing

AT_ONCE = 300  # findings in the queue at a time
ROW = 10  # posts in a row, of which the mean is taken: how long one is under way is chance
# Seen from the server, where the first of a row may have been longer under way than the last.
A_SECOND = 0.9


@dataclass(slots=True)
class BadDay:
    """Slack's answers by chance; counts what it did."""

    chance: random.Random
    did: Counter[str] = field(default_factory=Counter[str])

    def answer(self) -> Answer | None:
        dice = self.chance.random()
        if dice < 0.02:
            self.did["429"] += 1
            return Answer(429, {"Retry-After": str(self.chance.randint(1, 30))})
        if dice < 0.04:
            self.did["5xx"] += 1
            return Answer(self.chance.choice([500, 502, 503]))
        if dice < 0.05:
            self.did["refused blocks"] += 1
            return Answer(400, body="invalid_blocks")
        if dice < 0.06:
            self.did["cut"] += 1
            return Answer(200, cut=True)
        if dice < 0.07:
            self.did["answer lost"] += 1
            return Answer(200, cut=True, taken=True)
        return None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the findings, by their numbers."""

    findings: int
    arrived: Counter[int]
    marked: Counter[int]
    dead: Counter[int]
    closest: float
    hours: float
    did: Counter[str]

    @property
    def lost(self) -> set[int]:
        return set(range(self.findings)) - set(self.arrived) - set(self.dead)

    @property
    def repeated(self) -> int:
        return sum(n - 1 for n in self.arrived.values())

    @property
    def unmarked_repeats(self) -> list[int]:
        """Findings that came more than once with more than one that does not say so."""
        return [n for n, times in self.arrived.items() if times - self.marked[n] > 1]

    @property
    def good(self) -> bool:
        return (
            not self.lost
            and not self.unmarked_repeats
            and self.repeated <= self.did["answer lost"]
            and self.closest >= A_SECOND
        )


def run(cloud: Cloud, findings: int, seed: int) -> Outcome:
    """Publish so many findings while Slack has a bad day, until nothing moves any more."""
    day = BadDay(random.Random(seed))  # noqa: S311 - a test's dice
    cloud.slack.trouble = day.answer
    began = cloud.clock.now()
    for some in itertools.batched(range(findings), AT_ONCE, strict=False):
        publish(cloud, some)
        settle(cloud)
    arrived, marked = Counter[int](), Counter[int]()
    for message in cloud.slack.messages:
        number = int(message["text"].split("finding ")[1].split()[0])
        arrived[number] += 1
        marked[number] += "a repeat if" in json.dumps(message)
    dead = Counter(
        int(json.loads(one["body"])["resource"]) for one in cloud.dead_letters("NotifyQueue")
    )
    times = cloud.slack.times
    gaps = [(later - one) / ROW for one, later in zip(times, times[ROW:], strict=False)]
    hours = (cloud.clock.now() - began).total_seconds() / 3600
    return Outcome(findings, arrived, marked, dead, min(gaps, default=1.0), hours, day.did)


def settle(cloud: Cloud) -> None:
    """Go on until nothing moves: after a pause of Slack's, messages come one by one."""
    while True:
        try:
            cloud.settle()
        except NotQuiescent:
            continue
        return


def publish(cloud: Cloud, numbers: tuple[int, ...]) -> None:
    sns = cloud.session("publisher").client("sns")
    for some in itertools.batched(numbers, 10, strict=False):
        sns.publish_batch(
            TopicArn=cloud.resource("FindingsTopic"),
            PublishBatchRequestEntries=[entry(str(n), finding(n), Publishing()) for n in some],
        )


def finding(number: int) -> Finding:
    seen = datetime(2026, 5, 4, 12, tzinfo=UTC)
    return replace(_ONE, resource=str(number), title=f"finding {number} of many", first_seen=seen)


_ONE = Finding(
    kind=Kind.BYPASS,
    severity=Severity.HIGH,
    account="111122223333",
    region="eu-west-1",
    resource="",
    title="",
    cause="GetSecretValue came from 198.51.100.7 and not through a VPC endpoint.",
    first_seen=datetime(2026, 5, 4, 12, tzinfo=UTC),
    last_seen=datetime(2026, 5, 4, 12, tzinfo=UTC),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--findings", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with Cloud.start() as cloud:
        cloud.settle()
        cloud.slack.reset()
        outcome = run(cloud, options.findings, options.seed)
    print(f"findings published               {outcome.findings:>8,}")
    print(f"arrived in Slack                 {len(outcome.arrived):>8,}")
    print(f"in the dead-letter queue         {len(outcome.dead):>8,}")
    print(f"neither                          {len(outcome.lost):>8,}")
    print(f"messages that came once more     {outcome.repeated:>8,}")
    print(f"of those, not marked as such     {len(outcome.unmarked_repeats):>8,}")
    for what, times in sorted(outcome.did.items()):
        print(f"Slack's answer: {what:16} {times:>8,}")
    print(f"seconds between posts, least   {outcome.closest:>8.3f}")
    print(f"virtual hours                    {outcome.hours:>8.1f}")
    print(f"real minutes                     {(time.monotonic() - began) / 60:>8.1f}")
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
