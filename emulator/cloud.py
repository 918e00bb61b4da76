"""An AWS account in this process, with this repository's stack deployed in it.

    with Cloud.start(parameters={"Mode": "remediate"}) as cloud:
        cloud.session("alice").client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
        cloud.settle()

Only one cloud can run at a time: moto's state and the clock belong to the process.
"""

import importlib.util
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import boto3
import botocore.session
from moto.awslambda import lambda_backends
from moto.cloudwatch import cloudwatch_backends
from moto.dynamodb import dynamodb_backends
from moto.ec2 import ec2_backends
from moto.events import events_backends
from moto.moto_api._internal.models import moto_api_backend
from moto.secretsmanager import secretsmanager_backends
from moto.sns import sns_backends
from moto.sqs import sqs_backends
from moto.sqs.models import Queue
from moto.ssm import ssm_backends

from emulator import cloudtrail, moto_patches
from emulator.callers import Caller, Callers, Identity
from emulator.clock import Clock
from emulator.delivery import Happening, Pump
from emulator.deploy import STACK_NAME, Deployment, FunctionSpec, deploy
from emulator.faults import Fault, Faults, When
from emulator.partition import LOADER
from emulator.runtime import Invocation, Runtime
from emulator.runtime_inprocess import InProcess
from emulator.server import Call, Gate, Ledger, Server
from emulator.slack import Slack
from emulator.wire import ApiRequest

ROOT = Path(__file__).resolve().parent.parent
ACCOUNT = "123456789012"
REGION = "us-east-1"
SLACK_PARAMETER = "/vpce-guard/slack-webhook"

_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAEMBEDDEDCLOUD000",
    "AWS_SECRET_ACCESS_KEY": "embedded",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
_NOT_OURS = ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "MOTO_ACCOUNT_ID")


class Cloud:
    """See the module. Made by `start`; a context manager that ends everything it started."""

    _running: "Cloud | None" = None

    def __init__(self, region: str) -> None:
        self.account = ACCOUNT
        self.region = region
        self.clock = Clock()
        self.slack = Slack()
        self.callers = Callers(self.account, region)
        self._faults = Faults()
        self._ledger = Ledger()
        self._findings: list[dict[str, Any]] = []
        self._saved_environment: dict[str, str | None] = {}
        self._server = Server(
            Gate(
                self.callers,
                self._faults,
                self._ledger,
                self.clock.now,
                self._on_records,
                self._on_answer,
            )
        )
        self._credentials: dict[str, dict[str, str]] = {}
        self._pump: Pump
        self._runtime: Runtime
        self.deployment: Deployment

    # --- life -----------------------------------------------------------------------------------------

    @classmethod
    def start(
        cls,
        parameters: Mapping[str, str] | None = None,
        runtime: Literal["inprocess", "lambda"] = "inprocess",
        *,
        template: Path = ROOT / "template.yaml",
        region: str = REGION,
    ) -> Self:
        """Start the account and deploy the stack; the deployment's own event is left to be settled.

        `parameters` are the template's. `SlackWebhookParameter` is set to a parameter that holds the
        URL of the loopback Slack unless given. The account has no default VPC. Raises RuntimeError
        when a cloud runs already, DeploymentFailed.
        """
        if Cloud._running is not None:
            raise RuntimeError("an embedded cloud is running already: stop it first")
        cloud = cls(region)
        Cloud._running = cloud
        try:
            cloud._start(dict(parameters or {}), runtime, template)
        except BaseException:
            cloud.stop()
            cloud._ledger.raise_bugs()
            raise
        return cloud

    def _start(self, parameters: dict[str, str], runtime: str, template: Path) -> None:
        self.clock.start()
        moto_patches.install()
        _install_strict()
        moto_api_backend.reset()
        self._server.start()
        self.slack.start()
        self._set_environment()
        operator = self._boto3(
            self.callers.register("deployer", Caller(kind="role"), self.clock.now())
        )
        housekeeper = self._boto3(
            self.callers.register("emulator", Caller(), self.clock.now(), unrecorded=True)
        )
        self._without_default_vpc()
        if "SlackWebhookParameter" in _parameters_of(template):
            parameters.setdefault("SlackWebhookParameter", SLACK_PARAMETER)
            if parameters["SlackWebhookParameter"]:
                housekeeper.client("ssm").put_parameter(
                    Name=parameters["SlackWebhookParameter"],
                    Value=self.slack.url,
                    Type="SecureString",
                )
        moto_patches.hooks.invoke = self._invoke
        self.deployment = deploy(template, parameters, operator, self.account, self.region)
        self._ledger.raise_bugs()
        self._assume_roles(housekeeper)
        self._runtime = self._make_runtime(runtime)
        self._pump = Pump(self.deployment, self._runtime, self.clock, self._ledger.raise_bugs)
        self._remember_deployed_state()
        self._ledger.calls.clear()
        self._ledger.records.clear()
        self._pump.put([self.stack_event("CREATE_COMPLETE")])

    def stop(self) -> None:
        """End the server, Slack, the functions' processes and virtual time; restore the environment."""
        if Cloud._running is not self:
            return
        if hasattr(self, "_runtime"):
            self._runtime.close()
        if self._saved_environment:
            self._server.stop()
            self.slack.stop()
        moto_patches.hooks.invoke = None
        for name, value in self._saved_environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self.clock.stop()
        Cloud._running = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if error is None:
            self._ledger.raise_bugs()

    def reset(self) -> None:
        """Back to the state just after the deployment, without its event; time goes on.

        Raises EmulatorBug if moto failed since the last look.
        """
        self._ledger.raise_bugs()
        for backends in (ec2_backends, secretsmanager_backends, cloudwatch_backends):
            for account in list(backends):
                for backend in list(backends[account].values()):
                    if backends is not cloudwatch_backends:
                        backend.reset()
        self._without_default_vpc()
        self._restore_deployed_state()
        self.callers.forget_users()
        self._faults.clear()
        self.slack.reset()
        self._pump.forget()
        self._runtime.reset()
        self._ledger.calls.clear()
        self._ledger.records.clear()
        self._findings.clear()

    # --- what a test or the drill does ----------------------------------------------------------------

    def session(self, name: str, caller: Caller | None = None) -> boto3.Session:
        """A boto3 session of a named caller; an IAM user unless `caller` says otherwise."""
        identity = self.callers.register(name, caller or Caller(), self.clock.now())
        return self._boto3(identity)

    def settle(self, until: datetime | timedelta | None = None) -> list[Happening]:
        """Pump until nothing is due, skipping virtual time; with `until`, at least that far.

        Returns what happened. Raises NotQuiescent, EmulatorBug.
        """
        end = self.clock.now() + until if isinstance(until, timedelta) else until
        return self._pump.settle(end)

    def lose_events(self) -> None:
        """Lose the events of what was done since the last look: AWS delivers on a best-effort basis."""
        self._pump.lose()

    def route(self) -> None:
        """Hand the events on the bus to the rules' targets, and run nothing."""
        self._pump.route()

    def inject(self, *envelopes: Mapping[str, Any]) -> None:
        """Put envelopes on the default bus, as AWS itself would."""
        self._pump.put(envelopes)

    def invoke(self, logical_id: str, event: Mapping[str, Any]) -> Invocation:
        """Run a deployed function once, right now."""
        return self._pump.run(self.deployment.functions[logical_id], event)

    def fire_schedule(self, logical_id: str = "ScheduleRule") -> None:
        """Let a scheduled rule fire now; `settle` does the rest."""
        self._pump.fire(logical_id)

    def fault(
        self,
        service: str,
        action: str,
        error: str,
        *,
        times: int = 1,
        when: When = "before",
        function: str | None = None,
        message: str | None = None,
    ) -> Fault:
        """Plan a failure; see `emulator.faults.Fault`. Returns it: `times` counts down to 0."""
        fault = Fault(
            service=service,
            action=action,
            error=error,
            times=times,
            when=when,
            function=function,
            message=message,
        )
        self._faults.plan(fault)
        return fault

    def service_event(self, name: str, secret_arn: str) -> dict[str, Any]:
        """Envelope of a Secrets Manager service event such as RotationSucceeded; to be injected."""
        record = cloudtrail.service_event(
            name, secret_arn, self.region, self.account, self.clock.now()
        )
        return cloudtrail.envelope(record)

    def denied_at_endpoint(
        self,
        name: str,
        endpoint_id: str,
        *,
        event_name: str = "GetSecretValue",
        caller: Caller | None = None,
    ) -> dict[str, Any]:
        """Envelope of the network activity event of a request that an endpoint policy refused."""
        caller = caller or Caller(kind="role")
        identity = self.callers.register(name, caller, self.clock.now())
        owner = caller.vpc_endpoint_account_id or self.account
        record = cloudtrail.network_activity(
            identity, event_name, endpoint_id, self.clock.now(), owner=owner
        )
        return cloudtrail.envelope(record)

    def stack_event(self, status: str) -> dict[str, Any]:
        """Envelope of a change of the stack's status, as CloudFormation sends it."""
        return {
            "version": "0",
            "id": f"{STACK_NAME}-{status.lower()}",
            "detail-type": "CloudFormation Stack Status Change",
            "source": "aws.cloudformation",
            "account": self.account,
            "time": self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self.region,
            "resources": [self.deployment.stack_id],
            "detail": {
                "stack-id": self.deployment.stack_id,
                "status-details": {"status": status, "status-reason": ""},
            },
        }

    # --- what can be looked at ------------------------------------------------------------------------

    @property
    def records(self) -> list[dict[str, Any]]:
        """CloudTrail records so far, oldest first."""
        return self._ledger.records

    @property
    def calls(self) -> list[Call]:
        """Every API call so far, reads included, oldest first."""
        return self._ledger.calls

    @property
    def invocations(self) -> list[Invocation]:
        return self._pump.invocations

    @property
    def findings(self) -> list[dict[str, Any]]:
        """The JSON findings published on the topic so far."""
        return self._findings

    @property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        return self.deployment.outputs

    def resource(self, logical_id: str) -> str:
        """A physical id. Raises KeyError."""
        return self.deployment.resource(logical_id)

    def matching_rules(self, envelope: Mapping[str, Any]) -> list[str]:
        """Logical ids of the deployed rules, in their present state, that would see this envelope."""
        return self._pump.matching(envelope)

    def queue_depth(self, logical_id: str) -> int:
        """Messages in a queue: visible, delayed and in flight."""
        return len(self._queue(logical_id)._messages)  # noqa: SLF001

    def dead_letters(self, logical_id: str) -> list[dict[str, Any]]:
        """The messages in a queue's dead-letter queue; of a queue without one, its own."""
        queue = self._queue(logical_id)
        return [
            {
                "body": message.body,
                "receive_count": message.approximate_receive_count,
                "attributes": {
                    name: value.get("StringValue")
                    for name, value in message.message_attributes.items()
                },
            }
            for message in (queue.dead_letter_queue or queue)._messages  # noqa: SLF001
        ]

    # --- inside -----------------------------------------------------------------------------------------

    def _queue(self, logical_id: str) -> Queue:
        name = self.resource(logical_id).rsplit("/", 1)[-1]
        return sqs_backends[self.account][self.region].get_queue(name)

    def _set_environment(self) -> None:
        wanted = {
            **_ENVIRONMENT,
            "AWS_ENDPOINT_URL": self._server.url,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
        }
        for name in (*wanted, *_NOT_OURS):
            self._saved_environment[name] = os.environ.get(name)
            os.environ.pop(name, None)
        os.environ.update(wanted)

    def _boto3(self, identity: Identity) -> boto3.Session:
        core = botocore.session.Session()
        core.register_component("data_loader", LOADER)
        return boto3.Session(
            identity.access_key,
            "embedded",
            region_name=self.region,
            botocore_session=core,
        )

    def _assume_roles(self, session: boto3.Session) -> None:
        """Credentials of each function's role, through STS, as Lambda gets them."""
        sts = session.client("sts")
        for function in self.deployment.functions.values():
            answer = sts.assume_role(RoleArn=function.role_arn, RoleSessionName=function.name)
            keys = answer["Credentials"]
            self._credentials[function.logical_id] = {
                name: keys[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")
            }
            self.callers.register(
                function.name,
                Caller(kind="role"),
                self.clock.now(),
                access_key=keys["AccessKeyId"],
                role_arn=function.role_arn,
                function=function.logical_id,
                function_arn=function.arn,
            )

    def _make_runtime(self, name: str) -> Runtime:
        if name == "inprocess":
            return InProcess(ROOT, self.region, self.clock, self._credentials_of)
        if name == "lambda":
            from emulator.runtime_lambda import LambdaRuntime

            return LambdaRuntime(ROOT, self.region, self._credentials_of)
        raise ValueError(f"no such runtime: {name}")

    def _credentials_of(self, function: FunctionSpec) -> dict[str, str]:
        return self._credentials[function.logical_id]

    def _invoke(self, arn: str, event: Any) -> tuple[Any, bool]:
        """Somebody called Lambda's Invoke. Functions of users do nothing, successfully."""
        for function in self.deployment.functions.values():
            if function.arn == arn:
                run = self._pump.run(function, event or {})
                if run.error is not None:
                    return {"errorMessage": run.error, "errorType": run.error_type}, True
                return run.result, False
        return None, False

    def _on_records(self, records: Iterable[dict[str, Any]]) -> None:
        if hasattr(self, "_pump"):
            self._pump.put(map(cloudtrail.envelope, records))

    def _on_answer(self, request: ApiRequest, answer: Mapping[str, Any]) -> None:
        if request.service == "sns" and request.action in ("Publish", "PublishBatch"):
            self._note_findings(request.params)
        elif (request.service, request.action) == ("events", "PutEvents"):
            self._put_events(request.params["Entries"], answer["Entries"])

    def _note_findings(self, params: Mapping[str, Any]) -> None:
        """Keep what is published on the stack's topic, as its machine-readable subscribers get it."""
        if params.get("TopicArn") != self.deployment.physical.get("FindingsTopic"):
            return
        for entry in params.get("PublishBatchRequestEntries", [params]):
            text = entry["Message"]
            if entry.get("MessageStructure") == "json":
                by_protocol = json.loads(text)
                text = by_protocol.get("sqs", by_protocol["default"])
            self._findings.append(json.loads(text))

    def _put_events(
        self, entries: Iterable[Mapping[str, Any]], results: Iterable[Mapping[str, Any]]
    ) -> None:
        """What users put on the default bus; what was refused is left out."""
        envelopes = [
            {
                "version": "0",
                "id": result["EventId"],
                "detail-type": entry["DetailType"],
                "source": entry["Source"],
                "account": self.account,
                "time": self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
                "region": self.region,
                "resources": entry.get("Resources", []),
                "detail": json.loads(entry["Detail"]),
            }
            for entry, result in zip(entries, results, strict=True)
            if "EventId" in result and entry.get("EventBusName", "default").endswith("default")
        ]
        self._pump.put(envelopes)

    def _without_default_vpc(self) -> None:
        """moto gives every account a default VPC with six subnets; ours starts empty."""
        backend = ec2_backends[self.account][self.region]
        for per_zone in backend.subnets.values():
            per_zone.clear()
        for vpc_id in list(backend.vpcs):
            backend.groups.pop(vpc_id, None)
            del backend.vpcs[vpc_id]

    # --- the state just after deployment ----------------------------------------------------------------

    def _remember_deployed_state(self) -> None:
        ssm = ssm_backends[self.account][self.region]
        rules = events_backends[self.account][self.region].event_buses["default"].rules
        self._deployed_parameters = dict(ssm._parameters)  # noqa: SLF001
        self._deployed_versions = {
            name: list(versions) for name, versions in self._deployed_parameters.items()
        }
        self._deployed_rules = {
            name: (rule.state, [dict(target) for target in rule.targets])
            for name, rule in rules.items()
        }
        self._deployed_queues = set(sqs_backends[self.account][self.region].queues)
        self._deployed_mappings = [replace(one) for one in self.deployment.mappings]

    def _restore_deployed_state(self) -> None:
        sqs = sqs_backends[self.account][self.region]
        for name, queue in list(sqs.queues.items()):
            if name not in self._deployed_queues:
                del sqs.queues[name]
                continue
            queue._messages.clear()  # noqa: SLF001
            queue._pending_messages.clear()  # noqa: SLF001
            queue.deleted_messages.clear()
        for table in dynamodb_backends[self.account][self.region].tables.values():
            table.items.clear()
        for topic in sns_backends[self.account][self.region].topics.values():
            topic.sent_notifications.clear()
        ssm = ssm_backends[self.account][self.region]
        for name in list(ssm._parameters):  # noqa: SLF001
            if name not in self._deployed_versions:
                del ssm._parameters[name]  # noqa: SLF001
            else:
                ssm._parameters[name][:] = self._deployed_versions[name]  # noqa: SLF001
        self._restore_rules()
        functions = lambda_backends[self.account][self.region]
        ours = {function.name for function in self.deployment.functions.values()}
        for function in list(functions.list_functions()):
            if function.function_name not in ours:
                functions.delete_function(function.function_name, None)
        self.deployment.mappings[:] = self._deployed_mappings

    def _restore_rules(self) -> None:
        rules = events_backends[self.account][self.region].event_buses["default"].rules
        for name in list(rules):
            if name not in self._deployed_rules:
                del rules[name]
                continue
            state, targets = self._deployed_rules[name]
            rules[name].state = state
            rules[name].targets = [dict(target) for target in targets]


def _install_strict() -> None:
    """The services made as strict as AWS, where that part of the package is there."""
    if importlib.util.find_spec("emulator.strict") is not None:
        strict = importlib.import_module("emulator.strict")
        strict.install()


_parameters: dict[Path, set[str]] = {}


def _parameters_of(template: Path) -> set[str]:
    from samtranslator.yaml_helper import yaml_parse

    if template not in _parameters:
        _parameters[template] = set(yaml_parse(template.read_text()).get("Parameters", {}))
    return _parameters[template]
