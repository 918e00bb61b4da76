"""What AWS does with a function's role by itself, and what services do in their own names.

The embedded cloud asks IAM for none of it, so it is derived from the deployed resources:
what an event source mapping, a log group, a failure destination, a rule's target, a subscription or
an alarm makes AWS do, by the guides of Lambda, EventBridge, SNS, SQS, CloudWatch and KMS.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from emulator import Cloud
from emulator.deploy import FunctionSpec
from tools.rights.access import Need

# "Giving Lambda functions access to resources in an Amazon VPC", Lambda's developer guide.
INTERFACES = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for what. `principal` is a function's logical id, or the name of a service."""

    principal: str
    need: Need
    why: str


def for_functions(cloud: Cloud, function: FunctionSpec) -> Iterator[Asked]:
    """All that AWS does with the function's role, but for what follows from its code's calls."""
    own = f"{cloud.region}:{cloud.account}"
    properties = cloud.deployment.resources[function.logical_id][1]
    group = properties["LoggingConfig"]["LogGroup"]
    # Of what Lambda does outside of the code, these two alone carry the function's ARN.
    code = {**_by_role(cloud, function), "lambda:SourceFunctionArn": function.arn}

    def ask(action: str, resource: str, keys: dict[str, str], why: str) -> Asked:
        return Asked(function.logical_id, Need(action, resource, keys), why)

    for action in ("CreateLogStream", "PutLogEvents"):
        stream = f"arn:aws:logs:{own}:log-group:{group}:log-stream:2026/11/29/1"
        yield ask(f"logs:{action}", stream, code, "Lambda writes the log")
    for action in ("PutTraceSegments", "PutTelemetryRecords"):
        yield ask(f"xray:{action}", "*", code, "Lambda sends the traces")
    role = _by_role(cloud, function)
    for mapping in cloud.deployment.mappings:
        if mapping.function == function.logical_id:
            queue = f"arn:aws:sqs:{own}:{mapping.queue}"
            for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
                why = "the event source mapping polls the queue"
                yield ask(f"sqs:{action}", queue, role, why)
    if function.on_failure:
        why = "Lambda sends what failed for good to the destination"
        yield ask("sqs:SendMessage", function.on_failure, role, why)
    if "VpcConfig" in properties:
        for action in INTERFACES:
            interface = f"arn:aws:ec2:{own}:network-interface/eni-0a"
            resource = "*" if action.startswith("ec2:Describe") else interface
            yield ask(action, resource, role, "Lambda makes the function's interfaces")


def _by_role(cloud: Cloud, function: FunctionSpec) -> dict[str, str]:
    return {
        "aws:PrincipalArn": function.role_arn,
        "aws:PrincipalAccount": cloud.account,
        "aws:RequestedRegion": cloud.region,
        "aws:SecureTransport": "true",
    }


def following(cloud: Cloud, asked: Asked) -> Iterator[Asked]:
    """What a request makes another service ask for on behalf of the same role."""
    action, keys = asked.need.action, asked.need.keys
    if action in ("ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint"):
        creates = action == "ec2:CreateVpcEndpoint" and ":vpc-endpoint/" in asked.need.resource
        if creates or keys.get("ec2:Attribute/PrivateDnsEnabled") == "true":
            why = "EC2 asks Route 53 on behalf of whoever switches private DNS on"
            zone = Need(
                "route53:AssociateVPCWithHostedZone", "arn:aws:route53:::hostedzone/Z1", keys
            )
            yield Asked(asked.principal, _without(zone, "lambda:", "ec2:", "aws:R"), why)
        return
    for key, operations, extra in _keys_of(cloud, asked.need):
        service = action.partition(":")[0]
        via = {"kms:ViaService": f"{service}.{cloud.region}.amazonaws.com", **extra}
        for operation in operations:
            need = Need(operation, key, {**keys, **via})
            why = f"{service} asks KMS on behalf of whoever calls it"
            yield Asked(asked.principal, _without(need, "s3:"), why)


def _without(need: Need, *prefixes: str) -> Need:
    keys = {key: value for key, value in need.keys.items() if not key.startswith(prefixes)}
    return Need(need.action, need.resource, keys)


def _keys_of(cloud: Cloud, need: Need) -> Iterator[tuple[str, tuple[str, ...], dict[str, str]]]:
    """The key that a request needs, how it is used, and the condition keys that come with it."""
    parameters = cloud.deployment.parameters
    both = ("kms:Decrypt", "kms:GenerateDataKey")
    if key := parameters.get("EncryptionKeyArn"):
        match need.action:
            case "sqs:SendMessage" | "sns:Publish":
                yield key, both, {}
            case "sqs:ReceiveMessage":
                yield key, both[:1], {}
            case action if action.startswith("dynamodb:"):
                # What AWS's key policy for tables lets whoever uses the table do.
                yield key, both, {}
            case _:
                pass
    own = f"arn:aws:kms:{cloud.region}:{cloud.account}:key"
    if need.action == "s3:GetObject":
        yield f"{own}/of-the-trail", both[:1], {}
    secure = parameters.get("SlackWebhookParameter")
    if secure and need.resource.endswith(f":parameter{secure}"):
        context = {"kms:EncryptionContext:PARAMETER_ARN": need.resource}
        yield f"{own}/of-the-parameter", both[:1], context


def by_services(cloud: Cloud) -> Iterator[Asked]:
    """What services do in their own names: rules, topics and alarms, and the logs' encryption."""
    yield from _rules(cloud)
    for subscription in cloud.deployment.of_type("AWS::SNS::Subscription").values():
        if subscription["Protocol"] == "sqs":
            source = {"aws:SourceArn": subscription["TopicArn"], "aws:SourceAccount": cloud.account}
            dead = subscription["RedrivePolicy"]["deadLetterTargetArn"]
            for queue in (subscription["Endpoint"], dead):
                yield from _send(cloud, "sns", "sqs:SendMessage", queue, source)
    for name, alarm in cloud.deployment.of_type("AWS::CloudWatch::Alarm").items():
        arn = f"arn:aws:cloudwatch:{cloud.region}:{cloud.account}:alarm:vpce-guard-{name}"
        source = {"aws:SourceArn": arn, "aws:SourceAccount": cloud.account}
        for topic in alarm["AlarmActions"]:
            yield from _send(cloud, "cloudwatch", "sns:Publish", topic, source)
    if key := cloud.deployment.parameters.get("EncryptionKeyArn"):
        for name in cloud.deployment.of_type("AWS::Logs::LogGroup"):
            group = f"arn:aws:logs:{cloud.region}:{cloud.account}:log-group:{cloud.resource(name)}"
            keys = {"kms:EncryptionContext:aws:logs:arn": group, "aws:SecureTransport": "true"}
            for action in ("Decrypt", "Encrypt", "GenerateDataKey"):
                need = Need(f"kms:{action}", key, keys)
                yield Asked(f"logs.{cloud.region}.amazonaws.com", need, "the log is encrypted")


def _rules(cloud: Cloud) -> Iterator[Asked]:
    for name, rule in cloud.deployment.of_type("AWS::Events::Rule").items():
        arn = f"arn:aws:events:{cloud.region}:{cloud.account}:rule/{cloud.resource(name)}"
        source = {"aws:SourceArn": arn, "aws:SourceAccount": cloud.account}
        for target in rule["Targets"]:
            call = "sqs:SendMessage" if ":sqs:" in target["Arn"] else "lambda:InvokeFunction"
            yield from _send(cloud, "events", call, target["Arn"], source)
            dead = target["DeadLetterConfig"]["Arn"]
            yield from _send(cloud, "events", "sqs:SendMessage", dead, source)


def _send(
    cloud: Cloud, service: str, action: str, resource: str, source: dict[str, str]
) -> Iterator[Asked]:
    """A service hands something on. To KMS, EventBridge gives no source: AWS's statement for it in
    "Configuring AWS KMS permissions" has no condition.
    """
    principal = f"{service}.amazonaws.com"
    tls = {"aws:SecureTransport": "true"}
    yield Asked(principal, Need(action, resource, {**source, **tls}), f"{service} sends")
    key = cloud.deployment.parameters.get("EncryptionKeyArn")
    if key and not action.startswith("lambda:"):
        known = {} if service == "events" else source
        for operation in ("kms:Decrypt", "kms:GenerateDataKey"):
            need = Need(operation, key, {**known, **tls})
            yield Asked(principal, need, f"{service} sends to what the key encrypts")
