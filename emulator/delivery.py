"""From an event to the functions: rules to targets, queues to functions, retries and dead letters.

One thread, one thing at a time, in a fixed order, on virtual time: what waits (a batch window, a
delay, a visibility timeout, a retry) is reached by skipping the clock.
"""

import json
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.events.models import Rule, events_backends
from moto.sqs.models import Message, Queue, sqs_backends

from emulator import keys, lineage, logs, metrics
from emulator.alarms import Alarms
from emulator.clock import Clock
from emulator.deploy import Deployment, FunctionSpec, QueueMapping
from emulator.eventbridge import matches, state_admits
from emulator.insights import count_event
from emulator.runtime import Invocation, Runtime

MAX_ROUNDS = 2000
MAX_INVOCATIONS = 250

# "Lambda waits one minute before the first retry, and two minutes before the second"
# (invocation-async).
ASYNC_BACKOFF = (60, 120)


class NotQuiescent(AssertionError):
    """The account does not come to rest: the guard's own actions keep waking it."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened while the account came to rest. `seconds` are real ones."""

    what: str
    when: datetime
    seconds: float = 0.0
    subject: str = ""

    def __str__(self) -> str:
        took = f" ({self.seconds:.2f} s)" if self.seconds else ""
        return f"{self.when:%H:%M:%S} {self.what}{took}"


@dataclass(slots=True)
class _Async:
    """An asynchronous invocation that waits for its (next) attempt."""

    function: FunctionSpec
    event: dict[str, Any]
    due: datetime
    attempt: int = 1
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(slots=True)
class Pump:
    """Moves everything that is due."""

    deployment: Deployment
    runtime: Runtime
    clock: Clock
    check: Callable[[], None]
    happenings: list[Happening] = field(default_factory=list[Happening])
    invocations: list[Invocation] = field(default_factory=list[Invocation])
    alarms: Alarms = field(default_factory=Alarms)
    _bus: deque[dict[str, Any]] = field(default_factory=deque[dict[str, Any]])
    _async: list[_Async] = field(default_factory=list[_Async])
    _schedules: dict[str, datetime] = field(default_factory=dict[str, datetime])
    _skipped: set[str] = field(default_factory=set[str])
    """The scheduled rules that somebody skips, by name."""
    _polls: dict[str, int] = field(default_factory=dict[str, int])
    """When each queue was polled last, by a running number."""

    # --- what others do ---------------------------------------------------------------------------

    def put(self, envelopes: Iterable[Mapping[str, Any]]) -> None:
        """Envelopes on the default bus; they are matched when the account is pumped."""
        self._bus.extend(json.loads(json.dumps(envelope)) for envelope in envelopes)

    def forget(self) -> None:
        """Drop what is under way, and start the schedules anew."""
        for under_way in (
            self._bus,
            self._async,
            self._schedules,
            self._skipped,
            self.happenings,
            self.invocations,
            self.alarms,
        ):
            under_way.clear()

    def lose(self) -> None:
        """Drop the envelopes on the bus that no rule has seen."""
        self._bus.clear()

    def route(self) -> None:
        """Only match the envelopes on the bus and hand them to targets; run nothing."""
        while self._bus:
            self._deliver(self._bus.popleft())

    def settle(self, until: datetime | None = None, *, stop: bool = False) -> list[Happening]:
        """Do all that is due, skipping over waits, until nothing is; then go on to `until`.

        With `stop`, only what is due until then is done. Schedules fire when their time comes by
        `until`, or has come already. Raises NotQuiescent.
        """
        seen, runs = len(self.happenings), len(self.invocations)
        for _ in range(MAX_ROUNDS):
            self.check()
            if len(self.invocations) - runs > MAX_INVOCATIONS:
                break
            if self._step():
                continue
            due = self._next_due(until)
            if due is None or (stop and until and due > until):
                if until:
                    self.clock.skip_to(until)
                return self.happenings[seen:]
            # SQS compares in whole milliseconds, and strictly.
            self.clock.skip_to(due + timedelta(milliseconds=2))
        last = "\n".join(map(str, self.happenings[-12:]))
        raise NotQuiescent(f"still busy after {len(self.happenings) - seen} happenings:\n{last}")

    def fire(self, logical_id: str) -> None:
        """Fire a scheduled rule now, whatever its expression says."""
        self._fire(self._rule(self.deployment.resource(logical_id)))

    def skip(self, logical_id: str) -> None:
        """Do not fire a scheduled rule when its time comes, until `forget`."""
        self._skipped.add(self.deployment.resource(logical_id))

    # --- one step ---------------------------------------------------------------------------------

    def _step(self) -> bool:
        """Do the first thing that is due; False when nothing is."""
        now = self.clock.now()
        if self._bus:
            self._deliver(self._bus.popleft())
            return True
        for name, due in self._schedule_times().items():
            if due <= now:
                self._schedules[name] = now
                self._fire(self._rule(name))
                return True
        for waiting in self._async:
            if waiting.due <= now:
                self._async.remove(waiting)
                self._run_async(waiting)
                return True
        ready = [
            mapping
            for mapping in self.deployment.mappings
            if (due := self._mapping_due(mapping)) is not None and due <= now
        ]
        if not ready:
            return False
        # Lambda polls each queue by itself: those of one function alternate here.
        rivals = [one for one in ready if one.function == ready[0].function]
        mapping = min(rivals, key=lambda one: self._polls.get(one.queue, 0))
        self._polls[mapping.queue] = max(self._polls.values(), default=0) + 1
        self._poll(mapping)
        return True

    def _next_due(self, until: datetime | None) -> datetime | None:
        waits = [waiting.due for waiting in self._async]
        waits += [due for due in map(self._mapping_due, self.deployment.mappings) if due]
        waits += [due for due in self._schedule_times().values() if until and due <= until]
        return min(waits, default=None)

    def _report(self, what: str, subject: str = "", seconds: float = 0.0) -> None:
        self.happenings.append(Happening(what, self.clock.now(), seconds, subject))

    # --- rules ------------------------------------------------------------------------------------

    def _rules(self) -> dict[str, Rule]:
        backend = events_backends[self.deployment.account][self.deployment.region]
        return backend.event_buses["default"].rules

    def _rule(self, name: str) -> Rule:
        return self._rules()[name]

    def matching(self, envelope: Mapping[str, Any]) -> list[str]:
        """The logical ids of the deployed rules that would see this envelope."""
        return [
            self.deployment.logical(name)
            for name, rule in self._rules().items()
            if self._sees(rule, envelope)
        ]

    @staticmethod
    def _sees(rule: Rule, envelope: Mapping[str, Any]) -> bool:
        pattern = rule.event_pattern.get_pattern()
        return bool(pattern) and state_admits(rule.state, envelope) and matches(pattern, envelope)

    def _deliver(self, envelope: dict[str, Any]) -> None:
        detail = envelope.get("detail", {})
        name = detail.get("eventName") or envelope["detail-type"]
        rules = [rule for rule in self._rules().values() if self._sees(rule, envelope)]
        logical = [self.deployment.logical(rule.name) for rule in rules]
        self._report(f"event {name} → {', '.join(logical) or 'no rule'}", name)
        for rule in rules:
            for target in rule.targets:
                self._send(rule, target, envelope)

    def _send(self, rule: Rule, target: Mapping[str, Any], event: dict[str, Any]) -> None:
        """One event to one target, or to the target's dead-letter queue if that cannot be."""
        payload = json.loads(target["Input"]) if "Input" in target else event
        arn, service = target["Arn"], target["Arn"].split(":")[2]
        if service == "sqs":
            queue = self._queue(arn)
            if queue is None:
                problem = ("NO_RESOURCE", f"The queue does not exist: {arn}")
            elif not self._may_send(rule, arn):
                problem = ("NO_PERMISSIONS", f"Not authorized to perform sqs:SendMessage on {arn}")
            else:
                self._enqueue(arn, json.dumps(payload))
                return
        elif service == "lambda":
            function = next((f for f in self.deployment.functions.values() if f.arn == arn), None)
            if function is None:
                problem = ("NO_RESOURCE", f"The function does not exist: {arn}")
            elif not self.deployment.may_invoke("events.amazonaws.com", rule.arn, function):
                problem = (
                    "NO_PERMISSIONS",
                    f"Not authorized to perform lambda:InvokeFunction on {arn}",
                )
            else:
                self._async.append(_Async(function, payload, self.clock.now()))
                return
        else:
            raise NotImplementedError(
                f"target {arn} of rule {rule.name}: the pump knows SQS and Lambda"
            )
        self._undeliverable(rule, target, event, *problem)

    def _undeliverable(
        self, rule: Rule, target: Mapping[str, Any], event: dict[str, Any], code: str, message: str
    ) -> None:
        """Straight to the rule's dead-letter queue, as when retrying cannot help (eb-rule-dlq)."""
        self._report(f"event undeliverable: {message}", self.deployment.logical(rule.name))
        self._count(rule, "FailedInvocations")
        dead_letters = target.get("DeadLetterConfig", {}).get("Arn")
        if dead_letters is None:
            return
        attributes = {
            "RULE_ARN": rule.arn,
            "TARGET_ARN": target["Arn"],
            "ERROR_CODE": code,
            "ERROR_MESSAGE": message,
        }
        if self._queue(dead_letters) and self._may_send(rule, dead_letters):
            self._enqueue(dead_letters, json.dumps(event), attributes)
            self._count(rule, "InvocationsSentToDlq")
        else:
            self._report(f"event lost: the rule may not send to {dead_letters}", rule.name)
            self._count(rule, "InvocationsFailedToBeSentToDlq")

    def _may_send(self, rule: Rule, queue_arn: str) -> bool:
        """The queue's policy must let the rule, and the policy of the queue's key EventBridge."""
        service = "events.amazonaws.com"
        return self.deployment.may_send(service, rule.arn, queue_arn) and keys.opens_queue(
            self.deployment, queue_arn, service, source=None, account=None
        )

    def _count(self, rule: Rule, metric: str) -> None:
        where = (self.deployment.account, self.deployment.region)
        count_event(*where, rule.name, metric, self.clock.now())

    # --- schedules --------------------------------------------------------------------------------

    def _schedule_times(self) -> dict[str, datetime]:
        """When each enabled rate schedule is due next. Cron schedules are only fired by hand."""
        times: dict[str, datetime] = {}
        for name, rule in self._rules().items():
            expression = rule.scheduled_expression
            if (
                name not in self._skipped
                and expression
                and expression.startswith("rate(")
                and rule.state != "DISABLED"
            ):
                last = self._schedules.setdefault(name, self.clock.now())
                times[name] = last + _rate(expression)
        return times

    def _fire(self, rule: Rule) -> None:
        logical_id = self.deployment.logical(rule.name)
        self._report(f"schedule {logical_id}", logical_id)
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": self.deployment.account,
            "time": self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self.deployment.region,
            "resources": [rule.arn],
            "detail": {},
        }
        for target in rule.targets:
            self._send(rule, target, event)

    # --- functions --------------------------------------------------------------------------------

    def run(
        self, function: FunctionSpec, event: Mapping[str, Any], headers: Iterable[str] = ()
    ) -> Invocation:
        """Run a function once, and write it down. `headers` are the trace headers of its cause.

        Raises Recursive where Lambda drops the invocation.
        """
        when = self.clock.now()
        try:
            trace = lineage.enter(function.arn, headers, allowed=function.may_recur)
        except lineage.Recursive:
            self._report(f"{function.logical_id} not invoked: {lineage.ERROR}", function.logical_id)
            self.alarms.note_dropped(self.deployment, function, when)
            raise
        began = time.perf_counter()
        variables = {**function.environment, lineage.VARIABLE: trace}
        outcome = self.runtime.invoke(replace(function, environment=variables), event)
        seconds = time.perf_counter() - began
        invocation = Invocation(
            function.logical_id,
            json.loads(json.dumps(event)),
            outcome.result,
            outcome.error,
            outcome.error_type,
            outcome.trace,
            outcome.output,
            when,
            seconds,
        )
        self.invocations.append(invocation)
        logs.write(self.deployment, invocation, when)
        failed = (
            f" failed: {outcome.error_type}: {outcome.error}" if outcome.error is not None else ""
        )
        self._report(f"{function.logical_id}{failed}", function.logical_id, seconds)
        metrics.require_accepted(outcome.output)
        return invocation

    def invoke_later(self, function: FunctionSpec, event: dict[str, Any]) -> None:
        """An asynchronous invocation, with Lambda's retries and the function's destination."""
        self._async.append(_Async(function, event, self.clock.now()))

    def _run_async(self, waiting: _Async) -> None:
        invocation = self.run(waiting.function, waiting.event)
        if invocation.error is None:
            return
        if waiting.attempt <= waiting.function.max_retries:
            pause = ASYNC_BACKOFF[min(waiting.attempt, len(ASYNC_BACKOFF)) - 1]
            waiting.due = self.clock.now() + timedelta(seconds=pause)
            waiting.attempt += 1
            self._async.append(waiting)
        elif waiting.function.on_failure:
            self._enqueue(
                waiting.function.on_failure, json.dumps(self._failure(waiting, invocation))
            )
            self._report(f"{waiting.function.logical_id} given up", waiting.function.logical_id)

    def _failure(self, waiting: _Async, invocation: Invocation) -> dict[str, Any]:
        """The record of an on-failure destination (invocation-async-retain-records)."""
        return {
            "version": "1.0",
            "timestamp": self.clock.now().strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "requestContext": {
                "requestId": waiting.request_id,
                "functionArn": f"{waiting.function.arn}:$LATEST",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": waiting.attempt,
            },
            "requestPayload": waiting.event,
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "responsePayload": {
                "errorMessage": invocation.error,
                "errorType": invocation.error_type,
            },
        }

    # --- queues -----------------------------------------------------------------------------------

    def _queue(self, arn_or_name: str) -> Queue | None:
        queues = sqs_backends[self.deployment.account][self.deployment.region].queues
        return queues.get(arn_or_name.rsplit(":", 1)[-1])

    def _enqueue(self, arn: str, body: str, attributes: Mapping[str, str] | None = None) -> None:
        sqs_backends[self.deployment.account][self.deployment.region].send_message(
            arn.rsplit(":", 1)[-1],
            body,
            {
                name: {"DataType": "String", "StringValue": value}
                for name, value in (attributes or {}).items()
            },
        )

    def _mapping_due(self, mapping: QueueMapping) -> datetime | None:
        """When the next batch is handed over: once full, or a window after its first message."""
        queue = self._queue(mapping.queue)
        if queue is None or not mapping.enabled:
            return None
        times = sorted(_visible_from(message) for message in queue._messages)
        if not times:
            return None
        if len(times) >= mapping.batch_size:
            return min(times[mapping.batch_size - 1], times[0] + timedelta(seconds=mapping.window))
        return times[0] + timedelta(seconds=mapping.window)

    def _poll(self, mapping: QueueMapping) -> None:
        """Receive a batch, run the function, delete what succeeded; the rest comes back."""
        backend = sqs_backends[self.deployment.account][self.deployment.region]
        queue = backend.get_queue(mapping.queue)
        before = len(queue._messages)
        batch = backend.receive_message(
            mapping.queue,
            mapping.batch_size,
            0,
            int(queue.visibility_timeout),  # type: ignore[attr-defined]
            ["All"],
        )
        logical_id = self.deployment.logical(mapping.queue)
        if dead := before - len(queue._messages):
            self._report(f"{dead} message(s) of {logical_id} given up", logical_id)
        expected = [message for message in batch if _passes(mapping, message)]
        for message in batch:
            if message not in expected:  # a mapping's filter deletes what it leaves out
                queue.delete_message(str(message.receipt_handle))
        if not expected:
            return
        function = self.deployment.functions[mapping.function]
        event = {"Records": [_sqs_record(message, queue) for message in expected]}
        try:
            invocation = self.run(function, event, map(lineage.header_of, expected))
        except lineage.Recursive:
            return  # they come back, until the queue gives them up
        failed = failed_ids(
            invocation, [message.id for message in expected], partial=mapping.partial
        )
        for message in expected:
            if message.id not in failed:
                queue.delete_message(str(message.receipt_handle))


def failed_ids(invocation: Invocation, ids: Sequence[str], *, partial: bool) -> set[str]:
    """Which messages of a batch go back (services-sqs-errorhandling).

    A run that failed, a response that is malformed or that names an unknown message: all of them.
    No response, an empty one, or no partial responses asked for: none.
    """
    if invocation.error is not None:
        return set(ids)
    if not partial or not invocation.result:
        return set()
    if not isinstance(invocation.result, Mapping):
        return set(ids)
    failures = invocation.result.get("batchItemFailures")
    if failures is None:
        return set()
    if not isinstance(failures, list):
        return set(ids)
    named = {one.get("itemIdentifier") if isinstance(one, Mapping) else None for one in failures}
    return {str(one) for one in named} if named <= set(ids) else set(ids)


def _passes(mapping: QueueMapping, message: Message) -> bool:
    if not mapping.filters:
        return True
    try:
        body = json.loads(message.body)
    except ValueError:
        body = message.body
    return any(matches(pattern, {"body": body}) for pattern in mapping.filters)


def _visible_from(message: Message) -> datetime:
    moments = (message.sent_timestamp or 0, message.visible_at, message.delayed_until)
    return datetime.fromtimestamp(max(moments) / 1000, UTC)


def _sqs_record(message: Message, queue: Queue) -> dict[str, Any]:
    """One record of an SQS event ("Using Lambda with Amazon SQS", example event)."""
    attributes = {
        "ApproximateReceiveCount": str(message.approximate_receive_count),
        "SentTimestamp": str(message.sent_timestamp),
        "SenderId": message.sender_id,
        "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
    }
    if trace := lineage.header_of(message):
        attributes[lineage.ATTRIBUTE] = trace
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {
            name: {
                "stringValue": value.get("StringValue"),
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": value["DataType"],
            }
            for name, value in message.message_attributes.items()
        },
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.queue_arn,
        "awsRegion": queue.region,
    }


_UNITS = {"minute": 60, "hour": 3600, "day": 86400}


def _rate(expression: str) -> timedelta:
    number, unit = expression.removeprefix("rate(").removesuffix(")").split()
    return timedelta(seconds=int(number) * _UNITS[unit.removesuffix("s")])
