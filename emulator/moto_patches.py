"""What moto does on its own that the embedded cloud does itself: switched off, once per process.

moto delivers events and polls queues at the moment of the call and without regard to states,
windows and failures; it runs functions in Docker. The pump does all of that on virtual time
instead.
"""

import json
import logging
from collections.abc import Callable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any

from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.cloudformation import parsing
from moto.cloudformation.models import Stack
from moto.core.exceptions import JsonRESTError
from moto.ec2.models import EC2Backend
from moto.events.models import EventsBackend, Rule
from moto.sns.models import Subscription
from moto.sqs.models import sqs_backends
from moto.sts.models import STSBackend

from emulator import eventbridge, lineage, quick, templates

type Invoker = Callable[[str, Any], tuple[Any, bool]]
type Whose = Callable[[str], Mapping[str, Any]]


class _Hooks:
    """The cloud that is running, if any: who runs a function when somebody calls Invoke, whether
    SNS may deliver to a subscription, whose an access key is (CloudTrail's `userIdentity`), and the
    records of CloudTrail.
    """

    invoke: Invoker | None = None
    invoke_later: Callable[[str, Any], bool] | None = None
    delivers: Callable[[Subscription], bool] | None = None
    whose: Whose | None = None
    records: Callable[[], list[dict[str, Any]]] | None = None


hooks = _Hooks()


@cache
def install() -> None:
    """Patch moto's classes. Calling it again does nothing."""
    Rule.send_to_targets = lambda self, original_event, transform_input=True: None
    # Two warnings for each resource that moto skips; the deployment lists them itself.
    logging.getLogger("moto").setLevel(logging.ERROR)
    setattr(parsing, "warnings", SimpleNamespace(warn=lambda *args, **kwargs: None))  # noqa: B010
    # ListStacks answers with the description, too.
    Stack.template_description = property(lambda self: self.description)
    templates.install()
    quick.install()
    _validate_rules()
    _refuse_aws_sources()
    _leave_queues_alone()
    _run_functions_here()
    _own_subnets_are_no_default_ones()
    lineage.install()
    _ask_keys_before_delivery()
    _name_callers()


def _validate_rules() -> None:
    original = EventsBackend.put_rule

    def put_rule(self: Any, name: str, **settings: Any) -> Rule:
        pattern, state = settings.get("event_pattern"), settings.get("state")
        if pattern:
            try:
                eventbridge.validate(pattern)
            except eventbridge.InvalidPattern as error:
                raise JsonRESTError(
                    "InvalidEventPatternException", f"Event pattern is not valid. Reason: {error}"
                ) from error
        if state and state not in eventbridge.STATES:
            raise JsonRESTError("ValidationException", f"Invalid rule state: {state}")
        return original(self, name, **settings)

    backend: Any = EventsBackend
    backend.put_rule = put_rule


def _refuse_aws_sources() -> None:
    original = EventsBackend.put_events

    def put_events(self: EventsBackend, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        refused = [str(event.get("Source", "")).startswith("aws.") for event in events]
        accepted = iter(
            original(self, [e for e, no in zip(events, refused, strict=True) if not no])
        )
        error = {
            "ErrorCode": "NotAuthorizedForSourceException",
            "ErrorMessage": "Not authorized for the source.",
        }
        return [error if no else next(accepted) for no in refused]

    EventsBackend.put_events = put_events


def _leave_queues_alone() -> None:
    original = LambdaBackend.create_event_source_mapping

    def create_event_source_mapping(self: LambdaBackend, spec: dict[str, Any]) -> Any:
        mapping = original(self, spec)
        for queue in sqs_backends[self.account_id][self.region_name].queues.values():
            queue.lambda_event_source_mappings.clear()
        return mapping

    LambdaBackend.create_event_source_mapping = create_event_source_mapping


def _run_functions_here() -> None:
    def invoke(self: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
        if hooks.invoke is None:
            raise RuntimeError("no embedded cloud is running")
        payload = json.loads(event) if isinstance(event, str) else event
        result, failed = hooks.invoke(self.function_arn, payload)
        return json.dumps(result), failed, ""

    original = LambdaFunction.invoke

    def asked(self: LambdaFunction, body: Any, request_headers: Any, answer: Any) -> Any:
        later = request_headers.get("X-Amz-Invocation-Type") == "Event" and hooks.invoke_later
        if later and later(self.function_arn, json.loads(body or "{}")):
            return ""
        return original(self, body, request_headers, answer)

    LambdaFunction._invoke_lambda = invoke  # pyright: ignore[reportPrivateUsage]
    LambdaFunction.invoke = asked


def _own_subnets_are_no_default_ones() -> None:
    """Moto takes the first subnet of a zone for the default one; without a default VPC, that is
    ours.
    """
    original = EC2Backend.create_subnet

    def create_subnet(self: EC2Backend, vpc_id: str, *args: Any, **settings: Any) -> Any:
        subnet = original(self, vpc_id, *args, **settings)
        if not self.get_vpc(vpc_id).is_default:
            subnet.default_for_az = False
            subnet.map_public_ip_on_launch = False
        return subnet

    EC2Backend.create_subnet = create_subnet


def _ask_keys_before_delivery() -> None:
    original = Subscription.publish

    def publish(self: Subscription, *args: Any, **settings: Any) -> None:
        if hooks.delivers is None or hooks.delivers(self):
            original(self, *args, **settings)

    Subscription.publish = publish


def _name_callers() -> None:
    """GetCallerIdentity names the caller as CloudTrail does, and not moto's own user for all."""
    original = STSBackend.get_caller_identity

    def get_caller_identity(self: STSBackend, access_key_id: str, region: str) -> Any:
        if hooks.whose is None:
            return original(self, access_key_id, region)
        identity = hooks.whose(access_key_id)
        return identity["principalId"], identity["arn"], identity["accountId"]

    STSBackend.get_caller_identity = get_caller_identity
