"""The repository's own template, deployed into moto through CloudFormation.

aws-sam-translator turns the SAM template into CloudFormation, offline, as the service does; moto
creates the stack. moto skips resource types that it does not know, silently: what the project needs
of them (subscriptions, policies) is read from the transformed template, with every `Ref` and
`GetAtt` resolved against the deployed stack, and put there or honoured by the pump.
"""

import base64
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3
from moto.cloudformation.models import cloudformation_backends
from moto.cloudformation.parsing import ResourceMap, clean_json, get_model_map
from moto.dynamodb.models import dynamodb_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform

from emulator.partition import partition_of
from emulator.templates import parse as parse_template

STACK_NAME = "vpce-guard"
ARTIFACTS = "s3://artifacts/code.zip"  # where `sam package` would put what it uploads

SKIPPED = "arn:aws:skipped:::"
"""How the ARN begins that stands for a resource that moto does not make; then its logical id."""

_EMPTY_ZIP = b"PK\x05\x06" + bytes(18)

type Json = dict[str, Any]

# It counts what a template uses, and warns on standard error that nobody publishes it.
logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)


class DeploymentFailed(AssertionError):
    """CloudFormation did not bring the stack to CREATE_COMPLETE; the reason is in the message."""


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """A deployed function, as Lambda would run it."""

    logical_id: str
    name: str
    arn: str
    handler: str
    role_arn: str
    timeout: int
    memory: int
    environment: Mapping[str, str]
    max_retries: int  # of asynchronous invocations
    on_failure: str | None  # ARN of the queue that gets what failed
    may_recur: bool = False  # its `RecursiveLoop` is Allow


@dataclass(frozen=True, slots=True)
class QueueMapping:
    """An event source mapping from a queue to a function."""

    queue: str
    function: str
    batch_size: int
    window: int
    partial: bool
    enabled: bool
    filters: tuple[Json, ...]


@dataclass(slots=True)
class Deployment:
    """The stack as deployed. `resources` maps logical ids to (type, resolved properties)."""

    account: str
    region: str
    stack_id: str
    template: Json
    resources: dict[str, tuple[str, Json]]
    physical: dict[str, str]
    outputs: dict[str, str]
    functions: dict[str, FunctionSpec] = field(default_factory=dict[str, FunctionSpec])
    mappings: list[QueueMapping] = field(default_factory=list[QueueMapping])
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])  # as given

    def of_type(self, resource_type: str) -> dict[str, Json]:
        return {
            logical_id: properties
            for logical_id, (its_type, properties) in self.resources.items()
            if its_type == resource_type
        }

    def resource(self, logical_id: str) -> str:
        """The physical id. Raises KeyError for what the stack does not hold."""
        return self.physical[logical_id]

    def logical(self, name: str) -> str:
        """The logical id of a queue, function, rule or topic by its name; the name if not ours."""
        for logical_id, physical in self.physical.items():
            if physical == name or physical.rsplit("/", 1)[-1].rsplit(":", 1)[-1] == name:
                return logical_id
        return name

    @property
    def skipped(self) -> set[str]:
        """Resource types that moto does not create: nothing run here proves them."""
        return {kind for kind, _ in self.resources.values()} - set(get_model_map())

    def queue_policies(self, queue_name: str) -> list[Json]:
        """The statements that hold for a queue."""
        return [
            statement
            for properties in self.of_type("AWS::SQS::QueuePolicy").values()
            if any(url.rsplit("/", 1)[-1] == queue_name for url in properties["Queues"])
            for statement in properties["PolicyDocument"]["Statement"]
        ]

    def may_send(self, service: str, source_arn: str, queue_arn: str) -> bool:
        """Whether the queue's policy lets an AWS service send for this source."""
        statements = self.queue_policies(queue_arn.rsplit(":", 1)[-1])
        return permits(statements, service, "sqs:SendMessage", queue_arn, source_arn, self.account)

    def may_invoke(self, service: str, source_arn: str, function: FunctionSpec) -> bool:
        """Whether a Lambda permission lets an AWS service invoke the function for this source."""
        statements = [
            {
                "Effect": "Allow",
                "Principal": {"Service": properties["Principal"]},
                "Action": properties["Action"],
                "Resource": "*",
                "Condition": {"ArnLike": {"aws:SourceArn": properties.get("SourceArn", "*")}},
            }
            for properties in self.of_type("AWS::Lambda::Permission").values()
            if properties["FunctionName"] in (function.name, function.arn)
        ]
        action = "lambda:InvokeFunction"
        return permits(statements, service, action, function.arn, source_arn, self.account)


def permits(
    statements: Sequence[Json],
    service: str,
    action: str,
    resource: str,
    source: str | None,
    account: str | None,
) -> bool:
    """Whether a resource policy allows an AWS service an action on behalf of a source.

    `source` and `account` are None where the service's request does not carry them.
    Only what such policies use is understood: Allow statements with service principals, and
    conditions on `aws:SourceArn` and `aws:SourceAccount`. Any other condition counts as not met.
    """
    return any(
        statement["Effect"] == "Allow"
        and service in _listed(_services(statement.get("Principal")))
        and any(
            fnmatchcase(action.lower(), expected.lower())
            for expected in _listed(statement["Action"])
        )
        and any(fnmatchcase(resource, expected) for expected in _listed(statement["Resource"]))
        and _conditions_met(statement.get("Condition", {}), source, account)
        for statement in statements
    )


def _services(principal: Any) -> Any:
    return principal.get("Service", []) if isinstance(principal, dict) else []


def _conditions_met(conditions: Json, source: str | None, account: str | None) -> bool:
    values = {"aws:sourcearn": source, "aws:sourceaccount": account}
    for operator, tests in conditions.items():
        if operator not in ("ArnEquals", "ArnLike", "StringEquals", "StringLike"):
            return False
        for key, expected in tests.items():
            value = values.get(key.lower())
            exact = operator == "StringEquals"
            if value is None or not any(
                value == one if exact else fnmatchcase(value, one) for one in _listed(expected)
            ):
                return False
    return True


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# --- transform ------------------------------------------------------------------------------------


class _ManagedPolicies(ManagedPolicyLoader):
    """Names of AWS's managed policies, which the translator would ask IAM for."""

    def __init__(self, partition: str) -> None:
        """The parent's wants a client."""
        self.partition = partition

    def load(self) -> dict[str, str]:
        names = ("service-role/AWSLambdaBasicExecutionRole", "AWSXRayDaemonWriteAccess")
        own = f"arn:{self.partition}:iam::aws:policy"
        return {name.rsplit("/", 1)[-1]: f"{own}/{name}" for name in names}


_transformed: dict[tuple[str, str, str, str], Json] = {}


def transformed(template: Path, parameters: Mapping[str, str], region: str) -> Json:
    """The CloudFormation template that CloudFormation's SAM transform would make of it.

    Raises samtranslator's InvalidDocumentException for a template that SAM refuses.
    """
    text = template.read_text()
    key = (str(template), text, json.dumps(dict(parameters), sort_keys=True), region)
    if key not in _transformed:
        document = parse_template(text)
        _point_at_artifacts(document)
        _transformed[key] = processed(document, parameters, region)
    return deepcopy(_transformed[key])


def processed(document: Json, parameters: Mapping[str, str], region: str) -> Json:
    """A packaged template after CloudFormation's SAM transform.

    Raises samtranslator's InvalidDocumentException for a template that SAM refuses.
    """
    policies = _ManagedPolicies(partition_of(region))
    return transform(document, dict(parameters), policies)


def _point_at_artifacts(document: Json) -> None:
    """Local paths as `sam package` would leave them. Functions are run from the folder, not S3."""
    function = document.get("Globals", {}).get("Function", {})
    if "CodeUri" in function:
        function["CodeUri"] = ARTIFACTS
    for resource in document["Resources"].values():
        properties = resource.get("Properties", {})
        for name in ("CodeUri", "ContentUri"):
            if isinstance(properties.get(name), str):
                properties[name] = ARTIFACTS


# --- create ---------------------------------------------------------------------------------------


def deploy(
    template: Path,
    parameters: Mapping[str, str],
    session: boto3.Session,
    account: str,
    region: str,
    variables: Mapping[str, str] | None = None,
    name: str = STACK_NAME,
) -> Deployment:
    """Create the stack and complete what moto leaves out. Raises DeploymentFailed.

    `variables` are set in each function beside the template's, as an operator may do.
    """
    document = transformed(template, parameters, region)
    document["Resources"] = _with_arns(document["Resources"], _skipped_by_moto(document))
    cloudformation = session.client("cloudformation")
    stack_id = cloudformation.create_stack(
        StackName=name,
        TemplateBody=json.dumps(_as_moto_needs_it(document)),
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
        Capabilities=["CAPABILITY_IAM"],
    )["StackId"]
    (stack,) = cloudformation.describe_stacks(StackName=stack_id)["Stacks"]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise DeploymentFailed(f"{stack['StackStatus']}: {stack.get('StackStatusReason', '')}")
    deployment = _read_back(document, stack, account, region, variables or {})
    deployment.parameters = dict(parameters)
    _complete(deployment)
    return deployment


def _skipped_by_moto(document: Json) -> set[str]:
    known = get_model_map()
    return {name for name, one in document["Resources"].items() if one["Type"] not in known}


def _with_arns(value: Any, skipped: set[str]) -> Any:
    """The value with an ARN wherever it asks for that of a resource that moto does not make."""
    if isinstance(value, list):
        return [_with_arns(one, skipped) for one in value]
    if not isinstance(value, dict):
        return value
    asked = value.get("Fn::GetAtt")
    if isinstance(asked, list) and asked[0] in skipped and asked[1] == "Arn":
        return f"{SKIPPED}{asked[0]}"
    return {key: _with_arns(one, skipped) for key, one in value.items()}


def name_parameters(document: Json) -> None:
    """A name for each SSM parameter without: CloudFormation gives it one, and moto's fails."""
    for logical_id, resource in document["Resources"].items():
        if resource["Type"] == "AWS::SSM::Parameter":
            suffix = hashlib.sha256(logical_id.encode()).hexdigest()[:12].upper()
            resource["Properties"].setdefault("Name", f"CFN-{logical_id}-{suffix}")


def _as_moto_needs_it(document: Json) -> Json:
    """A copy with code in it, so that no bucket is needed, and a name for each parameter."""
    document = deepcopy(document)
    name_parameters(document)
    for resource in document["Resources"].values():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::Lambda::Function":
                properties["Code"] = {"ZipFile": "# run from the folder"}
            case "AWS::Lambda::LayerVersion":
                properties["Content"] = {"ZipFile": base64.b64encode(_EMPTY_ZIP).decode()}
            case _:
                pass
    return document


def _read_back(
    document: Json, stack: Any, account: str, region: str, further: Mapping[str, str]
) -> Deployment:
    backend = cloudformation_backends[account][region]
    resource_map = backend.stacks[stack["StackId"]].resource_map
    conditions = resource_map.lazy_condition_map
    resources: dict[str, tuple[str, Json]] = {}
    physical: dict[str, str] = {}
    for logical_id, resource in document["Resources"].items():
        if "Condition" in resource and not conditions[resource["Condition"]]:
            continue
        properties = _joining_what_is_there(resource.get("Properties", {}), conditions)
        resources[logical_id] = (resource["Type"], _resolved(properties, resource_map))
        deployed = resource_map[logical_id] if resource["Type"] in get_model_map() else None
        if deployed is not None:
            physical[logical_id] = getattr(deployed, "physical_resource_id", logical_id)
        elif resource["Type"] in get_model_map():
            raise DeploymentFailed(f"moto created no {logical_id}")
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
    deployment = Deployment(
        account, region, stack["StackId"], document, resources, physical, outputs
    )
    _read_functions(deployment, further)
    return deployment


def _joining_what_is_there(value: Any, conditions: Mapping[str, bool]) -> Any:
    """A copy in which no list that is joined has AWS::NoValue: moto would write it as "None"."""
    if isinstance(value, list):
        return [_joining_what_is_there(one, conditions) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: _joining_what_is_there(one, conditions) for key, one in value.items()}
    if isinstance(parts := found.get("Fn::Join"), list) and isinstance(parts[1], list):
        kept = [one for one in parts[1] if not _is_nothing(one, conditions)]
        found["Fn::Join"] = [parts[0], kept]
    return found


def _is_nothing(value: Any, conditions: Mapping[str, bool]) -> bool:
    if not (isinstance(value, dict) and "Fn::If" in value):
        return value == {"Ref": "AWS::NoValue"}
    condition, yes, no = value["Fn::If"]
    return _is_nothing(yes if conditions[condition] else no, conditions)


def _resolved(value: Any, resource_map: ResourceMap) -> Any:
    """The value with every intrinsic function carried out; `AWS::NoValue` leaves lists, too."""
    cleaned = clean_json(value, resource_map)
    if isinstance(cleaned, dict):
        return {key: _without_nothing(inner) for key, inner in cleaned.items()}
    return _without_nothing(cleaned)


def _without_nothing(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nothing(element) for element in value if element is not None]
    if isinstance(value, dict):
        return {key: _without_nothing(element) for key, element in value.items()}
    return value


def _read_functions(deployment: Deployment, further: Mapping[str, str]) -> None:
    destinations = deployment.of_type("AWS::Lambda::EventInvokeConfig").values()
    for logical_id, properties in deployment.of_type("AWS::Lambda::Function").items():
        name = deployment.physical[logical_id]
        place = f"{partition_of(deployment.region)}:lambda:{deployment.region}"
        arn = f"arn:{place}:{deployment.account}:function:{name}"
        config = next((one for one in destinations if one["FunctionName"] in (name, arn)), {})
        failure = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        variables = properties.get("Environment", {}).get("Variables", {})
        deployment.functions[logical_id] = FunctionSpec(
            logical_id,
            name,
            arn,
            properties["Handler"],
            properties["Role"],
            int(properties.get("Timeout", 3)),
            int(properties.get("MemorySize", 128)),
            {**{key: _environment_text(value) for key, value in variables.items()}, **further},
            int(config.get("MaximumRetryAttempts", 2)),
            failure or properties.get("DeadLetterConfig", {}).get("TargetArn"),
            properties.get("RecursiveLoop", "Terminate") == "Allow",
        )
    by_name = {function.name: function for function in deployment.functions.values()}
    for properties in deployment.of_type("AWS::Lambda::EventSourceMapping").values():
        function = by_name[str(properties["FunctionName"]).rsplit(":", 1)[-1]]
        filters = properties.get("FilterCriteria", {}).get("Filters", [])
        deployment.mappings.append(
            QueueMapping(
                properties["EventSourceArn"].rsplit(":", 1)[-1],
                function.logical_id,
                int(properties.get("BatchSize", 10)),
                int(properties.get("MaximumBatchingWindowInSeconds", 0)),
                "ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
                str(properties.get("Enabled", True)).lower() == "true",
                tuple(json.loads(one["Pattern"]) for one in filters),
            )
        )


def _environment_text(value: Any) -> str:
    """CloudFormation hands numbers and booleans on as text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _complete(deployment: Deployment) -> None:
    """Put what moto's CloudFormation leaves out: subscriptions, topic and queue policies, TTL."""
    region, account = deployment.region, deployment.account
    for logical_id, properties in deployment.of_type("AWS::SNS::Subscription").items():
        _subscribe(deployment, logical_id, properties)
    for properties in deployment.of_type("AWS::SQS::QueuePolicy").values():
        for url in properties["Queues"]:
            queue = sqs_backends[account][region].get_queue(url.rsplit("/", 1)[-1])
            queue.policy = json.dumps(properties["PolicyDocument"])
    for properties in deployment.of_type("AWS::SNS::TopicPolicy").values():
        for topic in properties["Topics"]:
            policy = json.dumps(properties["PolicyDocument"])
            sns_backends[account][region].topics[topic].policy = policy
    for logical_id, properties in deployment.of_type("AWS::DynamoDB::Table").items():
        if ttl := properties.get("TimeToLiveSpecification"):
            name = deployment.physical[logical_id]
            dynamodb_backends[account][region].update_time_to_live(name, ttl)


def _subscribe(deployment: Deployment, logical_id: str, properties: Json) -> None:
    """Raises DeploymentFailed where messages would never arrive: AWS would only lose them."""
    topic, endpoint, protocol = (properties[key] for key in ("TopicArn", "Endpoint", "Protocol"))
    if protocol == "sqs" and not deployment.may_send("sns.amazonaws.com", topic, endpoint):
        raise DeploymentFailed(f"{logical_id}: the queue's policy does not let the topic send")
    sns = sns_backends[deployment.account][deployment.region]
    subscription = sns.subscribe(topic, endpoint, protocol)
    deployment.physical[logical_id] = subscription.arn
    for name in ("FilterPolicy", "FilterPolicyScope", "RedrivePolicy"):
        if name in properties:
            value = properties[name]
            text = value if isinstance(value, str) else json.dumps(value)
            sns.set_subscription_attributes(subscription.arn, name, text)
    if str(properties.get("RawMessageDelivery", False)).lower() == "true":
        sns.set_subscription_attributes(subscription.arn, "RawMessageDelivery", "true")
