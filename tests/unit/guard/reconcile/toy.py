"""A toy reaction on the kernel, with a world that can fail at each call that the kernel makes."""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from guard.aws.errors import refused
from guard.findings.finding import Finding, Kind, Severity
from guard.publishing.publish import Published
from guard.reconcile.kernel import Kernel
from guard.reconcile.messages import from_message
from guard.reconcile.mode import Mode, ModeRead
from guard.reconcile.outbox import Outbox
from guard.reconcile.request import Key, Request, Trigger
from guard.reconcile.requeue import Requeue
from guard.reconcile.result import Change, Outcome, Result
from tests.builders import SETTINGS

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
GOOD = "good"
MOST_RECEIVES = 5
CODES = {"throttled": "RequestLimitExceeded", "refused": "UnauthorizedOperation"}


class Killed(BaseException):
    """The process dies."""


@dataclass(frozen=True)
class Fault:
    """At the call with this number: `how` it goes wrong, and how often from there on."""

    number: int
    how: str
    times: int = 1


@dataclass
class World:
    """AWS, the table, the queue and SNS, with every call counted."""

    resources: dict[str, str]
    faults: tuple[Fault, ...] = ()
    mode: Mode = Mode.REMEDIATE
    now: datetime = START
    calls: list[str] = field(default_factory=list)
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    queue: list[dict[str, Any]] = field(default_factory=list)
    dead: list[dict[str, Any]] = field(default_factory=list)
    published: list[Finding] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    slots: int = 0
    check_after: int = 0
    always: dict[str, str] = field(default_factory=dict)
    broken: Callable[[str], None] = lambda id_: None
    reaction: Any = None  # a Toy, unless stated otherwise
    _ids: Any = field(default_factory=itertools.count)

    def call(self, name: str, does: Callable[[], Any]) -> Any:
        """One call, or how it goes wrong."""
        number = len(self.calls)
        self.calls.append(name)
        fault = next((f for f in self.faults if 0 <= number - f.number < f.times), None)
        match fault.how if fault else self.always.get(name, ""):
            case "throttled" | "refused" as how:
                raise ClientError({"Error": {"Code": CODES[how], "Message": how}}, name)
            case "failed":
                raise ReadTimeoutError(endpoint_url="")
            case "lost":
                does()
                raise ReadTimeoutError(endpoint_url="")
            case "ignored":
                return None
            case "killed before":
                raise Killed
            case "killed after":
                does()
                raise Killed
            case _:
                return does()

    # The table.
    def get(self, key: str, now: datetime) -> dict[str, Any]:
        return self.call("GetItem", lambda: dict(self.items.get(key, {})))

    def parsed(self, key: str, item: dict[str, Any], parse: Callable[[Any], Any]) -> Any:
        return parse(item) if item else None

    def put(self, key: str, values: dict[str, Any], *, expires: datetime) -> None:
        self.call("UpdateItem", lambda: self.items.setdefault(key, {}).update(values))

    def next(self, key: str, gap_ms: int, now: datetime) -> int:
        def take() -> int:
            self.slots += 1
            return int(now.timestamp() * 1000) + self.slots * gap_ms

        return self.call("next_slot", take)

    # The queue.
    def send_message(self, **asked: Any) -> None:
        body, delay = json.loads(asked["MessageBody"]), asked["DelaySeconds"]
        self.call("SendMessage", lambda: self.arrive(body, delay))

    def send_message_batch(self, **asked: Any) -> dict[str, Any]:
        def send() -> dict[str, Any]:
            for one in asked["Entries"]:
                self.arrive(json.loads(one["MessageBody"]), one["DelaySeconds"])
            return {}

        return self.call("SendMessageBatch", send)

    def change_message_visibility(self, **asked: Any) -> None:
        def keep() -> None:
            one = next(it for it in self.queue if it["id"] == asked["ReceiptHandle"])
            one["due"] = self.now + timedelta(seconds=asked["VisibilityTimeout"])

        self.call("ChangeMessageVisibility", keep)

    def arrive(self, body: Any, delay: float = 0) -> str:
        id_ = f"m{next(self._ids)}"
        due, sent = self.now + timedelta(seconds=delay), self.now
        self.queue.append({"id": id_, "body": body, "due": due, "sent": sent, "receives": 0})
        return id_

    # SNS and SSM.
    def publish(self, findings: Any, now: datetime) -> Published:
        if findings:
            self.call("Publish", lambda: self.published.extend(findings))
        return Published(published=len(findings), suppressed=0)

    def read_mode(self) -> ModeRead:
        return ModeRead(self.mode)

    # Lambda.
    def settle(self, *, batch: int = 10) -> None:
        """Deliver all there is, in batches, until nothing is left or due."""
        for _ in range(300):
            if not self.queue:
                return
            self.now = max(self.now, min(one["due"] for one in self.queue))
            due = [one for one in self.queue if one["due"] <= self.now][:batch]
            self.deliver(due)
        raise AssertionError(f"never ends: {self.queue}")

    def deliver(self, messages: list[dict[str, Any]]) -> None:
        before = {one["id"]: one["due"] for one in messages}
        for one in messages:
            one["receives"] += 1
        try:
            answer = kernel(self).run({"Records": [sqs_record(one) for one in messages]})
            back = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        except Killed:
            back = set(before)
        for one in messages:
            if one["id"] not in back:
                self.queue.remove(one)
            elif one["due"] == before[one["id"]]:  # not kept for later
                one["due"] = self.now + timedelta(minutes=6)
                if one["receives"] >= MOST_RECEIVES:
                    self.queue.remove(one)
                    self.dead.append(one)


def sqs_record(one: dict[str, Any]) -> dict[str, Any]:
    body = one["body"] if isinstance(one["body"], str) else json.dumps(one["body"])
    return {
        "messageId": one["id"],
        "receiptHandle": one["id"],
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": str(one["receives"]),
            "SentTimestamp": str(int(one["sent"].timestamp() * 1000)),
        },
    }


def key(id_: str) -> Key:
    return Key(SETTINGS.account_id, SETTINGS.region, "vpc", id_)


def event(*ids: str, who: str = "somebody") -> dict[str, Any]:
    """An event that concerns these resources."""
    return {"source": "toy", "detail-type": "event", "detail": {"ids": ids, "who": who}}


def finding(id_: str, title: str, *, done: tuple[str, ...] = (), who: str = "") -> Finding:
    return Finding(
        kind=Kind.ENDPOINT_REPAIRED,
        severity=Severity.MEDIUM,
        account=SETTINGS.account_id,
        region=SETTINGS.region,
        resource=id_,
        title=title,
        cause=f"By {who}.",
        done=done,
        first_seen=START,
        last_seen=START,
    )


@dataclass(frozen=True, kw_only=True)
class Repair(Change):
    id: str
    who: str


@dataclass(frozen=True)
class Toy:
    """Makes resources good, and checks after a minute whether they are."""

    world: World

    def triggers(self, message: Any, now: datetime) -> list[Request]:
        if message.envelope.get("source") == "vpce-guard":
            return [from_message(message, "vpc", SETTINGS)]
        return [
            Request(key=key(id_), triggers=(self._trigger(message),), hops=message.hops)
            for id_ in message.detail["ids"]
        ]

    def _trigger(self, message: Any) -> Trigger:
        return Trigger(
            name="Event",
            source=message.key,
            at=START.timestamp(),
            is_event=True,
            who=message.detail["who"],
            receives=message.receives,
            redelivered=message.redelivered,
        )

    def observe(self, requests: Any, now: datetime) -> dict[Key, Any]:
        def describe() -> dict[Key, Any]:
            ids = {one.key.id: one.key for one in requests}
            return {k: self.world.resources[i] for i, k in ids.items() if i in self.world.resources}

        return self.world.call("Describe", describe)

    def reconcile(self, request: Request, state: Any, entries: Any, now: datetime) -> Result:
        id_, who = request.key.id, ", ".join(one.who for one in request.triggers)
        self.world.broken(id_)
        if state == GOOD:
            return Result(late=tuple(entries))
        due = int(now.timestamp()) + self.world.check_after
        check = replace(request, reason="check", not_before=due, entries=())
        return Result(
            changes=(
                Repair(
                    kind="repair",
                    announcement=finding(id_, "repaired", done=("made good",), who=who),
                    drift=(finding(id_, "would be repaired", who=who),),
                    requests=(check,) if self.world.check_after else (),
                    writes_endpoint=True,
                    earlier=tuple(entries),
                    id=id_,
                    who=who,
                ),
            )
        )

    def act(self, change: Any, now: datetime) -> Outcome:
        def modify() -> None:
            self.world.resources[change.id] = GOOD
            self.world.changed.append(change.id)

        try:
            self.world.call("Modify", modify)
        except ClientError as error:
            if not refused(error):
                raise
            return Outcome(refused=error)
        return Outcome(done=("made good",))

    def complete(self, request: Request, change: Any, outcome: Outcome, now: datetime) -> Result:
        if outcome.refused:
            return Result(findings=(finding(change.id, "not repairable"),))
        done = finding(change.id, "repaired", done=outcome.done, who=change.who)
        return Result(findings=(done,), requeue_after=timedelta(minutes=1))

    def complete_late(self, request: Request, entry: Any, now: datetime) -> Result:
        return Result(findings=(entry.late(now),))


def kernel(world: World) -> Kernel:
    return Kernel(
        reconciler=(world.reaction or Toy)(world),
        settings=SETTINGS,
        slots=world,  # pyright: ignore[reportArgumentType]
        outbox=Outbox(world, ("#old",)),  # pyright: ignore[reportArgumentType]
        requeue=Requeue(world, "queue"),  # pyright: ignore[reportArgumentType]
        publish=world.publish,
        mode=world.read_mode,
        clock=lambda: world.now,
    )
