"""Play the story: each chapter is acted, the account comes to rest, the checks are made."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from emulator import Call
from guardctl.drill.stage import Stage
from guardctl.drill.story import Chapter

READS = ("Describe", "Get", "List")


@dataclass(frozen=True, slots=True)
class Check:
    """One claim about the state a chapter ended in, and whether it held."""

    claim: str
    holds: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class Played:
    """What happened in a chapter. `aws_seconds` are virtual: the waiting AWS would have imposed."""

    number: int
    title: str
    people: Sequence[str]
    guard: Sequence[str]
    alerts: Sequence[dict[str, str]]
    slack_posts: int
    slack_accepted: int
    checks: Sequence[Check]
    seconds: float
    aws_seconds: float

    @property
    def holds(self) -> bool:
        return all(check.holds for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "holds": self.holds}


def play(stage: Stage, story: Sequence[Chapter]) -> Iterator[Played]:
    """Play chapter after chapter; each begins where the one before it ended.

    What deploys is left out where the stage's layer cannot be changed.
    """
    story = [one for one in story if stage.layer or not one.deploys]
    stage.cloud.settle()  # the deployment's own sweep, of an account without VPCs
    for number, chapter in enumerate(story, start=1):
        yield _play(stage, number, chapter)


def _play(stage: Stage, number: int, chapter: Chapter) -> Played:
    cloud = stage.cloud
    calls, findings = len(cloud.calls), len(cloud.findings)
    posts, accepted = cloud.slack.posts, len(cloud.slack.messages)
    stage.props |= {"calls_before": calls, "findings_before": findings, "slack_before": accepted}
    began, clock = time.perf_counter(), cloud.clock.now()
    checks = _acted(stage, chapter)
    seconds, aws = time.perf_counter() - began, (cloud.clock.now() - clock).total_seconds()
    checks += _checked(stage, chapter)
    made = cloud.calls[calls:]
    return Played(
        number=number,
        title=chapter.title,
        people=_summary(call for call in made if call.function is None and _is_said(call)),
        guard=_summary(call for call in made if call.function and _is_write(call)),
        alerts=[
            {"kind": one["kind"], "severity": one["severity"], "title": one["title"]}
            for one in cloud.findings[findings:]
        ],
        slack_posts=cloud.slack.posts - posts,
        slack_accepted=len(cloud.slack.messages) - accepted,
        checks=checks,
        seconds=round(seconds, 3),
        aws_seconds=round(aws, 1),
    )


REGULAR = ("digest", "daily-report")  # what comes by the clock, whatever happens


def _acted(stage: Stage, chapter: Chapter) -> list[Check]:
    """Do what the chapter does and let the account come to rest; a check only if that fails."""
    try:
        chapter.act(stage)
        stage.cloud.settle()
    except Exception as error:  # noqa: BLE001 - an earlier chapter's failure may have left no stage
        return [Check("it could be done, and the account came to rest", False, repr(error))]
    return []


def _checked(stage: Stage, chapter: Chapter) -> list[Check]:
    """The chapter's checks. One that cannot even be made has failed, and ends the list."""
    checks: list[Check] = []
    try:
        checks += [Check(claim, bool(holds)) for claim, holds in chapter.checks(stage)]
        if chapter.quiet:
            published = stage.cloud.findings[stage.props["findings_before"] :]
            alerts = [one for one in published if one["kind"] not in REGULAR]
            checks.append(Check("nobody was bothered", not alerts))
    except Exception as error:  # noqa: BLE001 - whatever broke, the drill must say so and go on
        checks.append(Check("the state could be read", holds=False, error=repr(error)))
    return checks


def _is_write(call: Call) -> bool:
    return call.service in (
        "ec2",
        "events",
        "lambda",
        "secretsmanager",
    ) and not call.action.startswith(READS)


def _is_said(call: Call) -> bool:
    reads_secret = call.service == "secretsmanager" and call.action.startswith("Get")
    return (_is_write(call) or reads_secret) and not call.principal.endswith("/audience")


def _summary(calls: Iterator[Call]) -> list[str]:
    """Calls in words, equal neighbours as one with a count."""
    texts: list[str] = []
    counts: list[int] = []
    for call in calls:
        text = f"{_who(call)}: {call.action}{f' ({call.error})' if call.error else ''}"
        if texts and texts[-1] == text:
            counts[-1] += 1
        else:
            texts.append(text)
            counts.append(1)
    return [
        f"{text} x {count}" if count > 1 else text
        for text, count in zip(texts, counts, strict=True)
    ]


def _who(call: Call) -> str:
    names = {
        "EnsureEndpointFunction": "ensure_endpoint",
        "RestorePolicyFunction": "restore_policy",
        "DetectBypassFunction": "detect_bypass",
        "SweepFunction": "sweep",
        "NotifySlackFunction": "notify_slack",
    }
    return names.get(call.function or "", call.principal.rsplit("/", 1)[-1])
