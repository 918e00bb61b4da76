"""An AWS account in this process, with this repository's stack deployed in it.

    with Cloud.start(parameters={"Mode": "remediate"}) as cloud:
        cloud.session("alice").client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
        cloud.settle()

moto's state and the clock belong to the process: a cloud that is started while another runs puts
that one aside, unusable, until it stops itself.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import boto3
from moto.awslambda.models import lambda_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.dynamodb.models import dynamodb_backends
from moto.ec2.models import ec2_backends
from moto.moto_api._internal import mock_random
from moto.ram.models import ram_backends
from moto.route53.models import route53_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import Subscription, sns_backends
from moto.sqs.models import Queue, sqs_backends
from moto.ssm.models import ssm_backends

from emulator import (
    cloudtrail,
    keys,
    lineage,
    moto_patches,
    moto_state,
    partition,
    stack_tags,
    strict,
    trails,
)
from emulator.alarms import breaching, publish_alarm
from emulator.callers import Caller, Callers, Identity
from emulator.clock import Clock
from emulator.delivery import Happening, Pump
from emulator.deploy import STACK_NAME, Deployment, FunctionSpec, QueueMapping, deploy
from emulator.faults import Fault, Faults, When
from emulator.kept import Kept
from emulator.runtime import Invocation, Runtime
from emulator.runtime_inprocess import InProcess
from emulator.runtime_lambda import LambdaRuntime
from emulator.server import Call, Gate, Ledger, Server
from emulator.sessions import make_session
from emulator.slack import TOKEN, Slack
from emulator.strict.endpoint_services import services_of
from emulator.templates import parse as parse_template
from emulator.wire import ApiRequest

ROOT = Path(__file__).resolve().parent.parent
ACCOUNT = "123456789012"
REGION = "us-east-1"
DEFERRED = "shelf#digest#"  # how the guard's table names what the digest will publish
SLACK_PARAMETER = "/vpce-guard/slack-webhook"

_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAEMBEDDEDCLOUD000",
    "AWS_SECRET_ACCESS_KEY": "embedded",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",  # 1,300 machine images, for nothing
}
# What the stack has nothing of: all in it was made since the deployment.
_LIVED_IN = (ec2_backends, ram_backends, route53_backends, s3_backends, secretsmanager_backends)
_NOT_OURS = ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "MOTO_ACCOUNT_ID")


class Cloud:
    """See the module. Made by `start`; a context manager that ends everything it started."""

    _running: "Cloud | None" = None

    def __init__(self, region: str, at: datetime | None = None) -> None:
        self.account = ACCOUNT
        self.region = region
        self.clock = Clock(at)
        self._repeats = at is not None
        self.slack = Slack()
        self.callers = Callers(self.account, region)
        self._faults = Faults()
        self._ledger = Ledger()
        self._findings: list[dict[str, Any]] = []
        self._collected: list[dict[str, Any]] = []
        self._saved_environment: dict[str, str | None] = {}
        self._gate = Gate(
            self.callers,
            self._faults,
            self._ledger,
            self.clock.now,
            self._on_records,
            self._on_answer,
        )
        self._server = Server(self._gate)
        self._credentials: dict[str, dict[str, str]] = {}
        self._sessions: dict[str, boto3.Session] = {}
        self._stopped = False
        self._pump: Pump
        self._runtime: Runtime
        self.deployment: Deployment

    # --- life -------------------------------------------------------------------------------------

    @classmethod
    def start(
        cls,
        parameters: Mapping[str, str] | None = None,
        runtime: Literal["inprocess", "lambda"] | Runtime = "inprocess",
        *,
        root: Path = ROOT,
        template: Path | None = None,
        region: str = REGION,
        tags: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        prepare: "Callable[[boto3.Session], Mapping[str, str]] | None" = None,
        at: datetime | None = None,
    ) -> Self:
        """Start the account and deploy the stack; the deployment's own event is left to be settled.

        `parameters` are the template's, `tags` the stack's, `variables` further ones of each
        function. `SlackWebhookParameter` is set to a parameter unless given; it holds the URL of
        the loopback Slack, or its bot's token if there is a `SlackChannel`. The code is run from
        `root`/functions ("inprocess") or from its build ("lambda"); a Runtime of one's own can be
        given instead. `prepare` makes what the stack needs to be there before it, such as its
        subnets, and returns parameters that name it. The account has no default VPC. A cloud that
        is started `at` a moment gives the same ids and times whenever it is played again. Raises
        DeploymentFailed, and NotBuilt where there is no build to run.
        """
        cloud = cls(region, at)
        try:
            cloud._start(
                dict(parameters or {}),
                runtime,
                root,
                template or root / "template.yaml",
                dict(tags or {}),
                dict(variables or {}),
                prepare,
            )
        except BaseException:
            cloud.stop()
            cloud._ledger.raise_bugs()
            raise
        return cloud

    def _start(
        self,
        parameters: dict[str, str],
        runtime: str | Runtime,
        root: Path,
        template: Path,
        tags: dict[str, str],
        variables: dict[str, str],
        prepare: Callable[[boto3.Session], Mapping[str, str]] | None,
    ) -> None:
        self._take_the_process()
        self._server.start()
        self.slack.start()
        operator = self._boto3(
            self.callers.register("deployer", Caller(kind="role"), self.clock.now())
        )
        housekeeper = self._boto3(
            self.callers.register("emulator", Caller(), self.clock.now(), unrecorded=True)
        )
        self._without_default_vpc()
        trails.begin(self.account, self.region)
        if "SlackWebhookParameter" in _parameters_of(template):
            parameters.setdefault("SlackWebhookParameter", SLACK_PARAMETER)
            if parameters["SlackWebhookParameter"]:
                housekeeper.client("ssm").put_parameter(
                    Name=parameters["SlackWebhookParameter"],
                    Value=TOKEN if parameters.get("SlackChannel") else self.slack.url,
                    Type="SecureString",
                )
        variables.setdefault("SLACK_API", self.slack.api)
        if prepare:
            parameters.update(prepare(housekeeper))
        self.deployment = deploy(
            template, parameters, operator, self.account, self.region, variables
        )
        self._deployed_tags = tags
        stack_tags.put(self.deployment, tags)
        self._ledger.raise_bugs()
        self._assume_roles(housekeeper)
        self._runtime = self._make_runtime(runtime, root)
        self._pump = Pump(self.deployment, self._runtime, self.clock, self._ledger.raise_bugs)
        self._remember_deployed_state()
        self._ledger.calls.clear()
        self._ledger.records.clear()
        self._pump.put([self.stack_event("CREATE_COMPLETE")])

    def stop(self) -> None:
        """End the server, Slack, the functions' processes, virtual time; restore the environment.

        The cloud that was put aside, if any, goes on. Raises RuntimeError for one that is put
        aside.
        """
        if self._stopped:
            return
        self._require_to_be_in_use()
        self._stopped = True
        if hasattr(self, "_runtime"):
            self._runtime.close()
        self._server.stop()
        self.slack.stop()
        self._give_the_process_back()

    def _require_to_be_in_use(self) -> None:
        if self._stopped:
            raise RuntimeError("this embedded cloud was stopped")
        if Cloud._running is not self:
            raise RuntimeError("another embedded cloud was started since: stop that one first")

    def _take_the_process(self) -> None:
        """From here on, moto, the clock and the environment are this cloud's."""
        self.clock.start()
        self._outer = Cloud._running
        self._outer_state = moto_state.put_aside()
        if self._repeats:
            mock_random.seed(0)
        Cloud._running = self
        moto_patches.install()
        partition.install()
        strict.install()
        moto_patches.hooks.invoke = self._invoke
        moto_patches.hooks.invoke_later = self._invoke_later
        moto_patches.hooks.delivers = self._delivers
        moto_patches.hooks.whose = self._whose
        moto_patches.hooks.records = lambda: self.records
        self._set_environment()

    def _give_the_process_back(self) -> None:
        for name, value in self._saved_environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        moto_state.put_back(self._outer_state)
        moto_patches.hooks.invoke = self._outer._invoke if self._outer else None
        moto_patches.hooks.invoke_later = self._outer._invoke_later if self._outer else None
        moto_patches.hooks.delivers = self._outer._delivers if self._outer else None
        moto_patches.hooks.whose = self._outer._whose if self._outer else None
        outer = self._outer
        moto_patches.hooks.records = (lambda: outer.records) if outer else None
        Cloud._running = self._outer
        self.clock.stop()

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

        Raises EmulatorBug if moto failed since the last call.
        """
        self._require_to_be_in_use()
        self._ledger.raise_bugs()
        strict.install()  # a test of that layer may have taken it away
        strict.options.assume(strict.Options())
        for backends in _LIVED_IN:
            for account in list(backends):
                for backend in list(backends[account].values()):
                    backend.reset()
        self._without_default_vpc()
        trails.begin(self.account, self.region)
        self._restore_deployed_state()
        self.callers.forget_users()
        self._faults.clear()
        self.slack.reset()
        self._pump.forget()
        self._runtime.reset()
        self._ledger.calls.clear()
        self._ledger.records.clear()
        self._findings.clear()
        self._collected.clear()

    # --- what a test or the drill does ------------------------------------------------------------

    def session(self, name: str, caller: Caller | None = None) -> boto3.Session:
        """A boto3 session of a named caller; an IAM user unless `caller` says otherwise."""
        self._require_to_be_in_use()
        identity = self.callers.register(name, caller or Caller(), self.clock.now())
        return self._boto3(identity)

    def settle(self, until: datetime | timedelta | None = None) -> list[Happening]:
        """Pump until nothing is due, skipping virtual time; with `until`, at least that far.

        Returns what happened. Raises NotQuiescent, EmulatorBug.
        """
        self._require_to_be_in_use()
        end = self.clock.now() + until if isinstance(until, timedelta) else until
        return self._pump.settle(end)

    def pass_time(self, span: timedelta) -> list[Happening]:
        """Let so much time pass and no more, and do what comes due in it."""
        self._require_to_be_in_use()
        return self._pump.settle(self.clock.now() + span, stop=True)

    def lose_events(self) -> None:
        """Lose the events of what was done since the last call: delivery is best effort."""
        self._pump.lose()

    def route(self) -> None:
        """Hand the events on the bus to the rules' targets, and run nothing."""
        self._pump.route()

    def inject(self, *envelopes: Mapping[str, Any]) -> None:
        """Put envelopes on the default bus, as AWS itself would."""
        self._pump.put(envelopes)

    def invoke(self, logical_id: str, event: Mapping[str, Any]) -> Invocation:
        """Run a deployed function once, right now."""
        self._require_to_be_in_use()
        return self._pump.run(self.deployment.functions[logical_id], event)

    def redeploy(self) -> None:
        """A deployment of changed code: every function starts cold, and CloudFormation says so."""
        self._runtime.reset()
        self._pump.put([self.stack_event("UPDATE_COMPLETE")])

    def tag_stack(self, tags: Mapping[str, str]) -> None:
        """A deployment of the same code with these tags of the stack, and no others."""
        stack_tags.put(self.deployment, tags)
        self._pump.put([self.stack_event("UPDATE_COMPLETE")])

    def fire_schedule(self, logical_id: str = "ScheduleRule") -> None:
        """Let a scheduled rule fire now; `settle` does the rest."""
        self._pump.fire(logical_id)

    def skip_schedule(self, logical_id: str) -> None:
        """Let a scheduled rule not fire when its time comes, until `reset`; by hand it still does.

        For a test that waits for days: heartbeats of each hour are four fifths of what it costs.
        Raises KeyError for a rule that the stack does not hold.
        """
        self._pump.skip(logical_id)

    def ring_alarm(self, logical_id: str, state: str = "ALARM") -> None:
        """Let CloudWatch publish an alarm's new state; few change it by themselves.

        Raises KeyError for an alarm that the stack does not hold, PermissionError when the topic's
        or the key's policy does not let CloudWatch publish.
        """
        publish_alarm(self.deployment, logical_id, state, self.clock.now())

    def watch_metrics(self) -> list[str]:
        """Let CloudWatch publish every alarm that AWS's own metrics, as far as they are kept here,
        set off now. Returns their logical ids. Raises PermissionError like `ring_alarm`.
        """
        found = breaching(self.deployment, self.clock.now())
        for logical_id in found:
            self.ring_alarm(logical_id)
        return found

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

    # --- what can be read ------------------------------------------------------------------------

    @property
    def service_name(self) -> str:
        """Secrets Manager's endpoint service in this Region, as EC2 names it."""
        names = [one["ServiceName"] for one in services_of(self.region)]
        return next(name for name in names if name.endswith(".secretsmanager"))

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
    def dropped(self) -> list[str]:
        """The functions that Lambda did not invoke for a recursive loop, once for each time."""
        return [self.deployment.logical(name) for name, _ in self._pump.alarms.dropped]

    @property
    def findings(self) -> list[dict[str, Any]]:
        """The JSON findings so far, published on the topic or deferred for the digest."""
        return self._findings

    @property
    def collected(self) -> list[dict[str, Any]]:
        """Those of the findings that were deferred for the digest, and not published one by one."""
        return self._collected

    @property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        return self.deployment.outputs

    def resource(self, logical_id: str) -> str:
        """A physical id. Raises KeyError."""
        return self.deployment.resource(logical_id)

    def matching_rules(self, envelope: Mapping[str, Any]) -> list[str]:
        """Logical ids of the deployed rules that, in their present state, would see this."""
        return self._pump.matching(envelope)

    def queue_depth(self, logical_id: str) -> int:
        """Messages in a queue: visible, delayed and in flight."""
        return len(self._queue(logical_id)._messages)

    def dead_letters(self, logical_id: str) -> list[dict[str, Any]]:
        """The messages in a queue's dead-letter queue; of a queue without one, its own."""
        queue = self._queue(logical_id)
        return _shown(queue.dead_letter_queue or queue)

    def messages(self, logical_id: str) -> list[dict[str, Any]]:
        """The messages in a queue: visible, delayed and in flight."""
        return _shown(self._queue(logical_id))

    @property
    def deployed_mappings(self) -> Sequence[QueueMapping]:
        """The event source mappings as deployed, whatever `deployment.mappings` holds by now."""
        return self._deployed_mappings

    # --- inside -----------------------------------------------------------------------------------

    def _queue(self, logical_id: str) -> Queue:
        name = self.resource(logical_id).rsplit("/", 1)[-1]
        return sqs_backends[self.account][self.region].get_queue(name)

    def _set_environment(self) -> None:
        expected = {
            **_ENVIRONMENT,
            "AWS_ENDPOINT_URL": self._server.url,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
        }
        for name in (*expected, *_NOT_OURS):
            self._saved_environment[name] = os.environ.get(name)
            os.environ.pop(name, None)
        os.environ.update(expected)

    def _boto3(self, identity: Identity) -> boto3.Session:
        if identity.access_key not in self._sessions:
            self._sessions[identity.access_key] = make_session(
                self._gate.answer, identity.access_key, self.region
            )
        return self._sessions[identity.access_key]

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

    def _make_runtime(self, name: str | Runtime, root: Path) -> Runtime:
        if not isinstance(name, str):
            return name
        if name == "inprocess":
            return InProcess(root, self.region, self.clock, self._credentials_of, self._gate.answer)
        if name == "lambda":
            return LambdaRuntime(root, self.region, self._credentials_of)
        raise ValueError(f"no such runtime: {name}")

    def _credentials_of(self, function: FunctionSpec) -> dict[str, str]:
        return self._credentials[function.logical_id]

    def _invoke(self, arn: str, event: Any) -> tuple[Any, bool]:
        """Somebody called Lambda's Invoke. Functions of users do nothing, successfully."""
        for function in self.deployment.functions.values():
            if function.arn == arn:
                try:
                    run = self._pump.run(function, event or {}, lineage.served())
                except lineage.Recursive as error:
                    return {"errorMessage": str(error), "errorType": lineage.ERROR}, True
                if run.error is not None:
                    return {"errorMessage": run.error, "errorType": run.error_type}, True
                return run.result, False
        return None, False

    def _invoke_later(self, arn: str, event: Any) -> bool:
        """Somebody called Lambda's Invoke for an event; whether the function is the stack's."""
        ours = [one for one in self.deployment.functions.values() if one.arn == arn]
        for function in ours:
            self._pump.invoke_later(function, event)
        return bool(ours)

    def _delivers(self, subscription: Subscription) -> bool:
        return keys.opens_to_topic(self.deployment, subscription)

    def _whose(self, access_key: str) -> dict[str, Any]:
        return self.callers.of(access_key, self.clock.now()).user_identity()

    def _on_records(self, records: Iterable[dict[str, Any]]) -> None:
        if hasattr(self, "_pump"):
            here = (one for one in records if one["awsRegion"] == self.region)
            heard = [one for one in here if trails.logged(self.account, self.region, one)]
            self._pump.put(map(cloudtrail.envelope, heard))

    def _on_answer(self, request: ApiRequest, answer: Mapping[str, Any]) -> None:
        if request.service == "sns" and request.action in ("Publish", "PublishBatch"):
            self._note_findings(request.params)
        elif (request.service, request.action) == ("dynamodb", "UpdateItem"):
            self._note_collected(request.params)
        elif (request.service, request.action) == ("events", "PutEvents"):
            self._put_events(request.params["Entries"], answer["Entries"])
        elif (request.service, request.action) == ("sts", "AssumeRole"):
            self._know_session(request.params, answer["Credentials"]["AccessKeyId"])

    def _know_session(self, params: Mapping[str, Any], access_key: str) -> None:
        """Whoever calls with the keys that STS gave is the role's session."""
        role = params["RoleArn"]
        self.callers.register(
            role.rsplit("/", 1)[-1],
            Caller(kind="role", session=params["RoleSessionName"], account=role.split(":")[4]),
            self.clock.now(),
            access_key=access_key,
            role_arn=role,
        )

    def _note_findings(self, params: Mapping[str, Any]) -> None:
        """Keep what is published on the stack's topic, as a queue that subscribes gets it."""
        if params.get("TopicArn") != self.deployment.physical.get("FindingsTopic"):
            return
        for entry in params.get("PublishBatchRequestEntries", [params]):
            text = entry["Message"]
            if entry.get("MessageStructure") == "json":
                by_protocol = json.loads(text)
                text = by_protocol.get("sqs", by_protocol["default"])
            self._findings.append(json.loads(text))

    def _note_collected(self, params: Mapping[str, Any]) -> None:
        """Keep what is deferred for the digest: it will be published, only later."""
        body = params.get("ExpressionAttributeValues", {}).get(":body", {}).get("S")
        if body and params["Key"].get("pk", {}).get("S", "").startswith(DEFERRED):
            self._findings.append(json.loads(body))
            self._collected.append(self._findings[-1])

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
        """Moto gives every account a default VPC with six subnets; ours starts empty."""
        backend = ec2_backends[self.account][self.region]
        for per_zone in backend.subnets.values():
            per_zone.clear()
        for vpc_id in list(backend.vpcs):
            backend.groups.pop(vpc_id, None)
            del backend.vpcs[vpc_id]

    # --- the state just after deployment ----------------------------------------------------------

    def _remember_deployed_state(self) -> None:
        ssm = ssm_backends[self.account][self.region]
        self._deployed_parameters = dict(ssm._parameters)
        self._deployed_versions = {
            name: list(versions) for name, versions in self._deployed_parameters.items()
        }
        self._kept = Kept(self.account, self.region)
        self._deployed_mappings = list(self.deployment.mappings)

    def _restore_deployed_state(self) -> None:
        self._kept.put_back()
        for queue in sqs_backends[self.account][self.region].queues.values():
            queue._messages.clear()
            queue._pending_messages.clear()
            queue.deleted_messages.clear()
        for table in dynamodb_backends[self.account][self.region].tables.values():
            table.items.clear()
        for topic in sns_backends[self.account][self.region].topics.values():
            topic.sent_notifications.clear()
        cloudwatch_backends[self.account][self.region].metric_data.clear()
        ssm = ssm_backends[self.account][self.region]
        ssm._parameters.clear()
        for name, versions in self._deployed_versions.items():
            ssm._parameters[name] = list(versions)
        stack_tags.put(self.deployment, self._deployed_tags)
        functions = lambda_backends[self.account][self.region]
        ours = {function.name for function in self.deployment.functions.values()}
        for function in list(functions.list_functions()):
            if function.function_name not in ours:
                functions.delete_function(function.function_name, None)
        self.deployment.mappings[:] = self._deployed_mappings


def _shown(queue: Queue) -> list[dict[str, Any]]:
    return [
        {
            "body": message.body,
            "receive_count": message.approximate_receive_count,
            "attributes": {
                name: value.get("StringValue") for name, value in message.message_attributes.items()
            },
        }
        for message in queue._messages
    ]


@cache
def _parameters_of(template: Path) -> frozenset[str]:
    return frozenset(parse_template(template.read_text()).get("Parameters", {}))
