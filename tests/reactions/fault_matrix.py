"""Every call that a function makes, gone wrong in every way.

Neither is picked by hand: the calls are read off a run of each story without faults, and each is
played with each fault. What came of it is one of OUTCOMES.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from emulator import Cloud
from emulator.faults import Fault, When
from tests.reactions.account import kinds
from tests.reactions.stories import STORIES, begin
from tools.rights.needs import needs

THROTTLED = {
    "dynamodb": "ProvisionedThroughputExceededException",
    "ec2": "RequestLimitExceeded",
    "lambda": "TooManyRequestsException",
    "route53": "Throttling",
    "s3": "SlowDown",
    "secretsmanager": "ThrottlingException",
    "sns": "Throttling",
    "sqs": "RequestThrottled",
    "ssm": "ThrottlingException",
}
DENIED = {"ec2": "UnauthorizedOperation", "s3": "AccessDenied", "sns": "AuthorizationError"}
BROKEN = {"s3": "InternalError"}
READS = ("Describe", "Get", "List")
FOR_GOOD = 10_000

# Published where the guard can do no more: ops know why the state is not the desired one.
EXPLAINS = {
    "endpoint-not-repairable",
    "endpoint-yielded",
    "mode-unreadable",
    "policy-not-restorable",
    "secret-perimeter-lost",
    "stood-down",
}
OUTCOMES = {
    "R": "the end state is right, and all is published",
    "K": "the message is kept in a dead-letter queue with an alarm",
    "T": "ops are notified what could not be done",
    "s": "right after the next sweep: the mode could not be read, or the state seemed right",
    "X": "WRONG: neither right, nor kept, nor published",
    "-": "cannot happen: no such answer, or always the same one",
    ".": "not played here: `make nightly` plays all",
}


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One way to go wrong. Two HTTP requests make one call, for boto3 repeats each once."""

    name: str
    when: When
    times: int
    errors: Mapping[str, str]
    otherwise: str = ""
    accepted: str = "Rs"


FAULTS = (
    FaultKind("throttled", "before", 4, THROTTLED, "ThrottlingException"),
    FaultKind("5xx", "before", 4, BROKEN, "InternalFailure"),
    FaultKind("timed out before", "unserved", 4, {}),
    FaultKind("timed out after", "lost", 2, {}),
    FaultKind("denied", "before", FOR_GOOD, DENIED, "AccessDeniedException", accepted="RKTs"),
    FaultKind("stale read", "stale", 3, {}),
    FaultKind("killed after", "killed", 1, {}),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One call of one function, and a story in which it is made."""

    function: str
    service: str
    action: str
    story: str
    needs: frozenset[str] = frozenset()  # the IAM actions that allow it
    again: bool = False  # another story plays the same call

    @property
    def call(self) -> str:
        return f"{self.service}:{self.action}"

    @property
    def line(self) -> str:
        """What the matrix calls it."""
        name = f"{self.function.removesuffix('Function')} {self.call}"
        return f"{name} ({self.story})" if self.again else name


def record(cloud: Cloud, names: Iterable[str]) -> list[Row]:
    """Play the stories without faults. Raises AssertionError for one that does not end well."""
    needed: dict[tuple[str, ...], set[str]] = {}
    rows: dict[tuple[str, ...], Row] = {}
    for name in names:
        story = STORIES[name]
        account, subject = begin(cloud, story)
        began = len(cloud.calls)
        story.act(account, subject)
        cloud.settle()
        assert story.ends_well(account, subject), f"{name}: {kinds(cloud)}"
        for call in cloud.calls[began:]:
            if call.function == story.function:
                what = (call.service, call.action)
                again = ":".join(what) in story.anew
                key = (*what, name) if again else what
                rows.setdefault(key, Row(story.function, *what, name, again=again))
                needed.setdefault(key, set()).update(need.action for need in needs(call, cloud))
    return [replace(row, needs=frozenset(needed[key])) for key, row in rows.items()]


def cells(rows: Sequence[Row], *, everything: bool) -> list[tuple[Row, FaultKind]]:
    """What to play: all, or of each call one fault, each call with another one."""
    played: list[tuple[Row, FaultKind]] = []
    for number, row in enumerate(rows):
        start = number % len(FAULTS)
        faults = [one for one in (*FAULTS[start:], *FAULTS[:start]) if possible(row, one)]
        played += [(row, fault) for fault in (faults if everything else faults[:1])]
    return played


def possible(row: Row, fault: FaultKind) -> bool:
    return fault.when != "stale" or row.action.startswith(READS)


def outcome(cloud: Cloud, row: Row, fault: FaultKind) -> str:
    """Play the row's story with its call gone wrong, and all that follows from it."""
    story = STORIES[row.story]
    account, subject = begin(cloud, story)
    planned = cloud.fault(
        row.service,
        row.action,
        fault.errors.get(row.service, fault.otherwise),
        times=fault.times,
        when=fault.when,
        function=story.function,
    )
    story.act(account, subject)
    cloud.settle()
    if planned.times == fault.times:
        assert fault.when == "stale", "the call was not made at all"
        return "-"
    if story.ends_well(account, subject):
        return "R"
    waits = fault.when == "stale" or "mode-unreadable" in kinds(cloud)
    if waits and fault.times != FOR_GOOD:
        return "s" if swept(cloud, planned, lambda: story.ends_well(account, subject)) else "X"
    if kept(cloud, story.kept_in):
        return "K"
    return "T" if EXPLAINS & set(kinds(cloud)) else "X"


def swept(cloud: Cloud, planned: Fault, well: Callable[[], bool]) -> bool:
    """Whether all is well after the first sweep in which the fault does not happen any more."""
    for _ in range(3):
        left = planned.times
        cloud.clock.skip(61)
        cloud.fire_schedule()
        cloud.settle()
        if not left:
            break
    return well()


def kept(cloud: Cloud, queue: str) -> bool:
    """Whether the message is in the dead-letter queue, and an alarm watches that."""
    watched = {
        dimension["Value"]
        for alarm in cloud.deployment.of_type("AWS::CloudWatch::Alarm").values()
        for dimension in alarm.get("Dimensions", [])
        if alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible"
    }
    working = cloud._queue(queue)
    dead = working.dead_letter_queue or working
    return bool(cloud.dead_letters(queue)) and dead.name in watched


def table(found: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The matrix as lines of text: `found` maps "function service:action" to fault and outcome."""
    wide = max(len(name) for name in found) if found else 0
    heads = [fault.name for fault in FAULTS]
    lines = [" " * wide + "  " + "  ".join(heads)]
    for name, outcomes in sorted(found.items()):
        marks = [outcomes.get(head, ".").center(len(head)) for head in heads]
        lines.append(f"{name:{wide}}  {'  '.join(marks)}")
    seen: Any = {mark for outcomes in found.values() for mark in outcomes.values()}
    seen |= {"."} if any(len(outcomes) < len(FAULTS) for outcomes in found.values()) else set()
    return lines + [f"{mark} {meaning}" for mark, meaning in OUTCOMES.items() if mark in seen]
