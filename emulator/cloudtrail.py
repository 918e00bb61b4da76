"""CloudTrail records of the calls that the embedded cloud serves, in the shapes of real ones.

Three shapes of `requestParameters` and `responseElements` occur, all made from the request and the
answer through the service's own model:

* *flat*: EC2's old calls (CreateVpc, DeleteSubnet ...): lowerCamel keys, lists as `{"items":
  [...]}`;
* *wrapped*: EC2's later calls: `{"<Op>Request": {...}}` as the query form spells it, repeated
  members `{"tag": n, "content": ...}`, one an object and several a list, values typed by their form
  (so that an owner id becomes a number), empty sets an empty string;
* JSON services (Secrets Manager, Lambda ...): the API's members with a small first letter,
  secrets left out.

The fields are those of the CloudTrail user guide, "CloudTrail record contents", eventVersion 1.11.
"""

import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from moto.core.utils import get_service_model

from emulator.callers import Identity
from emulator.partition import dns_suffix, partition_of
from emulator.wire import ApiRequest

EVENT_VERSION = "1.11"

API_CALL = "AWS API Call via CloudTrail"
SERVICE_EVENT = "AWS Service Event via CloudTrail"
NETWORK_ACTIVITY = "AWS Network Activity Event via CloudTrail"

# Services whose changes are recorded. Secrets Manager's reads are, too: they are what the guard
# judges.
RECORDED = {
    "cloudformation",
    "cloudtrail",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "events",
    "iam",
    "kms",
    "lambda",
    "logs",
    "route53",
    "route53profiles",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
}
READS_RECORDED = {"secretsmanager"}

# Data-plane calls: no management event.
DATA_CALLS = {
    ("cloudwatch", "PutMetricData"),
    ("dynamodb", "BatchWriteItem"),
    ("dynamodb", "DeleteItem"),
    ("dynamodb", "PutItem"),
    ("dynamodb", "Query"),
    ("dynamodb", "Scan"),
    ("dynamodb", "TransactWriteItems"),
    ("dynamodb", "UpdateItem"),
    ("events", "PutEvents"),
    ("lambda", "Invoke"),
    ("lambda", "InvokeAsync"),
    ("logs", "PutLogEvents"),
    ("sns", "Publish"),
    ("sns", "PublishBatch"),
    ("sqs", "ChangeMessageVisibility"),
    ("sqs", "ChangeMessageVisibilityBatch"),
    ("sqs", "DeleteMessage"),
    ("sqs", "DeleteMessageBatch"),
    ("sqs", "ReceiveMessage"),
    ("sqs", "SendMessage"),
    ("sqs", "SendMessageBatch"),
}

_READ = re.compile(r"^(Get|List|Describe|BatchGet|Search|Lookup|Check|Validate)")

# EC2 calls old enough to be recorded flat (attested, or of the same age as attested ones).
FLAT_EC2 = {
    "AllocateAddress",
    "AssociateAddress",
    "AssociateDhcpOptions",
    "AssociateRouteTable",
    "AttachInternetGateway",
    "AttachNetworkInterface",
    "AuthorizeSecurityGroupEgress",
    "AuthorizeSecurityGroupIngress",
    "CreateDhcpOptions",
    "CreateInternetGateway",
    "CreateNetworkAcl",
    "CreateNetworkAclEntry",
    "CreateNetworkInterface",
    "CreateRoute",
    "CreateRouteTable",
    "CreateSecurityGroup",
    "CreateSubnet",
    "CreateTags",
    "CreateVpc",
    "DeleteInternetGateway",
    "DeleteNetworkAcl",
    "DeleteNetworkAclEntry",
    "DeleteNetworkInterface",
    "DeleteRoute",
    "DeleteRouteTable",
    "DeleteSecurityGroup",
    "DeleteSubnet",
    "DeleteTags",
    "DeleteVpc",
    "DetachInternetGateway",
    "DetachNetworkInterface",
    "DisassociateRouteTable",
    "ModifyNetworkInterfaceAttribute",
    "ModifySubnetAttribute",
    "ModifyVpcAttribute",
    "ReleaseAddress",
    "ReplaceNetworkAclAssociation",
    "ReplaceNetworkAclEntry",
    "ReplaceRoute",
    "ReplaceRouteTableAssociation",
    "RevokeSecurityGroupEgress",
    "RevokeSecurityGroupIngress",
    "RunInstances",
    "StartInstances",
    "StopInstances",
    "TerminateInstances",
}

# Keys of flat requests that do not follow from the model's names.
_FLAT_KEYS = {
    "TagSpecifications": "tagSpecificationSet",
    "IpPermissions": "ipPermissions",
    "Resources": "resourcesSet",
    "Tags": "tagSet",
    "Groups": "groupSet",
}

# Sets that an answer of a wrapped call always shows, empty or not.
_ALWAYS_SHOWN = {
    "VpcEndpoint": ("SubnetIds", "NetworkInterfaceIds", "RouteTableIds", "Groups", "DnsEntries"),
}

_LAMBDA_VERSIONS = {
    "PutFunctionConcurrency": "20171031",
    "DeleteFunctionConcurrency": "20171031",
    "UpdateFunctionConfiguration": "20150331v2",
    "UpdateFunctionCode": "20150331v2",
    "AddPermission": "20150331v2",
    "RemovePermission": "20150331v2",
}

# Where Route 53, which has no Region, is recorded ("Logging Amazon Route 53 API calls with AWS
# CloudTrail", and the partitions' guides).
_HOME_OF_ROUTE53 = {"aws": "us-east-1", "aws-cn": "cn-northwest-1", "aws-us-gov": "us-gov-west-1"}

# Which members of Secrets Manager's answers are recorded: the identifiers, never content.
_SECRET_ANSWERS = {
    "CreateSecret": ("ARN",),
    "PutSecretValue": ("ARN",),
    "UpdateSecret": ("ARN",),
    "RotateSecret": ("ARN",),
    "CancelRotateSecret": ("ARN",),
    "UpdateSecretVersionStage": ("ARN",),
    "DeleteSecret": ("ARN", "Name", "DeletionDate"),
    "RestoreSecret": ("ARN", "Name"),
    "PutResourcePolicy": ("ARN", "Name"),
    "DeleteResourcePolicy": ("ARN", "Name"),
}


def is_read_only(action: str) -> bool:
    return _READ.match(action) is not None


def is_recorded(service: str, action: str) -> bool:
    """Whether a call leaves a management event that the embedded cloud writes."""
    if service not in RECORDED or (service, action) in DATA_CALLS:
        return False
    return service in READS_RECORDED or not is_read_only(action)


# --- records --------------------------------------------------------------------------------------


def records_of(
    request: ApiRequest,
    answer: Mapping[str, Any],
    identity: Identity,
    now: datetime,
    request_id: str,
) -> list[dict[str, Any]]:
    """The records of one call: one, and for BatchGetSecretValue also a GetSecretValue per secret.

    `answer` is what boto3 would return; its `Error` decides whether the call failed.
    """
    first = _record(
        request.service,
        request.action,
        identity,
        now,
        request_id,
        user_agent=request.user_agent,
        error=answer.get("Error"),
        parameters=_request_parameters(request),
        elements=None if "Error" in answer else _response_elements(request, answer, request_id),
        secret_arn=answer.get("ARN") if request.service == "secretsmanager" else None,
    )
    records = [first]
    if request.action == "BatchGetSecretValue" and "Error" not in answer:
        records += [
            _record(
                "secretsmanager",
                "GetSecretValue",
                identity,
                now,
                request_id,
                user_agent=request.user_agent,
                error=None,
                parameters={"secretId": value["ARN"]},
                elements=None,
                secret_arn=value["ARN"],
            )
            for value in answer.get("SecretValues", [])
        ]
    return records


def _record(
    service: str,
    action: str,
    identity: Identity,
    now: datetime,
    request_id: str,
    *,
    user_agent: str,
    error: Mapping[str, Any] | None,
    parameters: Any,
    elements: Any,
    secret_arn: str | None,
) -> dict[str, Any]:
    caller = identity.caller
    endpoint = get_service_model(service).metadata.get("endpointPrefix", service)
    name = action
    if service == "lambda":
        name += _LAMBDA_VERSIONS.get(action, "20150331")
    record: dict[str, Any] = {
        "eventVersion": EVENT_VERSION,
        "userIdentity": identity.user_identity(),
        "eventTime": _iso(now),
        "eventSource": f"{endpoint}.amazonaws.com",
        "eventName": name,
        "awsRegion": _recorded_in(service, identity.region),
        "sourceIPAddress": identity.source_ip,
        "userAgent": identity.user_agent(user_agent),
    }
    if error:
        record["errorCode"] = _error_code(service, error["Code"])
        record["errorMessage"] = error.get("Message", "")
    record |= {
        "requestParameters": parameters,
        "responseElements": elements,
        "requestID": request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": is_read_only(action),
    }
    if secret_arn:
        record["resources"] = [
            {
                "accountId": secret_arn.split(":")[4],
                "type": "AWS::SecretsManager::Secret",
                "ARN": secret_arn,
            }
        ]
    record |= {
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": identity.account,
    }
    if caller.vpc_endpoint_id:
        record["vpcEndpointId"] = caller.vpc_endpoint_id
        record["vpcEndpointAccountId"] = caller.vpc_endpoint_account_id or identity.account
    record["eventCategory"] = "Management"
    if caller.invoked_by is None:
        host = f"{endpoint}.{identity.region}.{dns_suffix(identity.region)}"
        record["tlsDetails"] = {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": host,
        }
    if caller.kind == "console":
        record["sessionCredentialFromConsole"] = "true"
    return record


def _recorded_in(service: str, region: str) -> str:
    if service != "route53":
        return region
    return _HOME_OF_ROUTE53.get(partition_of(region), region)


def _iso(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _error_code(service: str, code: str) -> str:
    if service == "ec2":
        if code.startswith(("Client.", "Server.")):
            return code
        return f"{'Server' if code.startswith('Internal') else 'Client'}.{code}"
    return "AccessDenied" if code == "AccessDeniedException" else code


# --- what was asked, what was answered ------------------------------------------------------------


def _request_parameters(request: ApiRequest) -> Any:
    if request.service == "ec2":
        if request.action in FLAT_EC2:
            return _flat_request(request) or None
        return {f"{request.action}Request": _wrapped_request(request.form)}
    return _plain(request.operation.input_shape, request.params) or None


def _response_elements(request: ApiRequest, answer: Mapping[str, Any], request_id: str) -> Any:
    if is_read_only(request.action):
        return None
    shape = request.operation.output_shape
    if request.service == "ec2":
        if request.action in FLAT_EC2:
            elements = _flat(shape, answer) if shape else {"_return": True}
            if "return" in elements:
                elements["_return"] = elements.pop("return")
            return {"requestId": request_id, **elements}
        version = get_service_model("ec2").metadata["apiVersion"]
        wrapped = {
            "xmlns": f"http://ec2.amazonaws.com/doc/{version}/",
            "requestId": request_id,
            **(_wrapped(shape, answer) if shape else {"return": True}),
        }
        return {f"{request.action}Response": wrapped}
    if request.service == "secretsmanager":
        shown = {
            key: answer[key] for key in _SECRET_ANSWERS.get(request.action, ()) if key in answer
        }
        renamed = {("arn" if key == "ARN" else _small(key)): _shown(shown[key]) for key in shown}
        return renamed or None
    return _plain(shape, answer) or None


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]


def _shown(value: Any) -> Any:
    """A scalar as CloudTrail prints it in flat records: times in the long American form."""
    if isinstance(value, datetime):
        clock = f"{value.hour % 12 or 12}:{value:%M:%S %p}"
        return f"{value:%b} {value.day}, {value.year}, {clock}"
    return value


def _plain(shape: Any, value: Any) -> Any:
    """A value of a JSON or query service: small first letters, and no secret members."""
    if shape is None:
        return None
    if shape.type_name == "structure" and isinstance(value, Mapping):
        return {
            _small(name): _plain(member, value[name])
            for name, member in shape.members.items()
            if name in value and not member.metadata.get("sensitive")
        }
    if shape.type_name == "list":
        return [_plain(shape.member, element) for element in value]
    if shape.type_name == "map":
        return {key: _plain(shape.value, element) for key, element in value.items()}
    if isinstance(value, bytes):
        return "HIDDEN_DUE_TO_SECURITY_REASONS"
    return _shown(value)


def _flat_request(request: ApiRequest) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    shape: Any = request.operation.input_shape
    for name, member in shape.members.items():
        if name not in request.params or name == "DryRun":
            continue
        key = _small(member.serialization.get("name", name))
        value = request.params[name]
        if member.type_name == "list":
            key = _FLAT_KEYS.get(name, key if key.endswith("Set") else f"{key}Set")
            flat[key] = _flat_list(name, member, value)
        else:
            flat[key] = _flat(member, value)
    return flat


def _flat_list(name: str, shape: Any, values: list[Any]) -> dict[str, Any]:
    if name == "TagSpecifications":
        return {
            "items": [
                {
                    "resourceType": value.get("ResourceType"),
                    "tags": [{"key": tag["Key"], "value": tag["Value"]} for tag in value["Tags"]],
                }
                for value in values
            ]
        }
    if shape.member.type_name == "structure":
        return {"items": [_flat(shape.member, value) for value in values]}
    # Ids in lists are objects, named as the query parameter is: {"resourceId": "vpc-..."}.
    key = _small(shape.serialization.get("name", name.removesuffix("s")))
    return {"items": [{key: value} for value in values]}


def _flat(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure":
        flat: dict[str, Any] = {}
        for name, member in shape.members.items():
            key = _small(member.serialization.get("name", name))
            if member.type_name == "list":
                if name in value or key.endswith("Set"):
                    flat[key] = _flat(member, value.get(name, []))
            elif name in value:
                flat[key] = _flat(member, value[name])
        return flat
    if shape.type_name == "list":
        return {"items": [_flat(shape.member, element) for element in value]} if value else {}
    return _shown(value)


def _wrapped_request(form: Iterable[tuple[str, str]]) -> Any:
    """The query form as nested members; an empty string when there are none."""
    tree: dict[str, Any] = {}
    for name, text in form:
        if name in ("Action", "Version"):
            continue
        *parents, last = name.split(".")
        node = tree
        for part in parents:
            node = node.setdefault(part, {})
        node[last] = _typed(text)
    return _members(tree) or ""


def _members(tree: dict[str, Any]) -> Any:
    shaped: dict[str, Any] = {}
    for name, node in tree.items():
        if isinstance(node, dict) and all(key.isdigit() for key in node):
            repeated = [_repeated(int(tag), node[tag]) for tag in sorted(node, key=int)]
            shaped[name] = repeated[0] if len(repeated) == 1 else repeated
        else:
            shaped[name] = _members(node) if isinstance(node, dict) else node
    return shaped


def _repeated(tag: int, node: Any) -> dict[str, Any]:
    if isinstance(node, dict):
        return {"tag": tag, **_members(node)}
    return {"tag": tag, "content": node}


def _typed(text: Any) -> Any:
    """The type a value of XML is guessed to have: `true` a boolean, digits a number."""
    if not isinstance(text, str):
        return text
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def _wrapped(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure":
        always = _ALWAYS_SHOWN.get(shape.name, ())
        return {
            member.serialization.get("name", _small(name)): _wrapped(member, value.get(name, []))
            for name, member in shape.members.items()
            if name in always or value.get(name) is not None
        }
    if shape.type_name == "list":
        items = [_wrapped(shape.member, element) for element in value]
        return {"item": items[0] if len(items) == 1 else items} if items else ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
    return _typed(value)


# --- events without a call ------------------------------------------------------------------------


def envelope(record: Mapping[str, Any], detail_type: str | None = None) -> dict[str, Any]:
    """A record as EventBridge delivers it; `eventType` gives the detail-type unless given."""
    by_type = {
        "AwsApiCall": API_CALL,
        "AwsServiceEvent": SERVICE_EVENT,
        "AwsVpceEvent": NETWORK_ACTIVITY,
    }
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type or by_type[record["eventType"]],
        "source": "aws." + record["eventSource"].split(".", 1)[0],
        "account": record["recipientAccountId"],
        "time": record["eventTime"],
        "region": record["awsRegion"],
        "resources": [],
        "detail": dict(record),
    }


def service_event(
    name: str, secret_arn: str, region: str, account: str, now: datetime
) -> dict[str, Any]:
    """The record of a Secrets Manager service event: RotationSucceeded and its like.

    The rotation events name the secret in `additionalEventData.SecretId`, the others in `.ARN`.
    """
    service = "secretsmanager.amazonaws.com"
    rotation = name.startswith(("Rotation", "TestRotation"))
    extra = {"SecretId": secret_arn} if rotation else {"ARN": secret_arn}
    unique = str(uuid.uuid4())
    return {
        "eventVersion": EVENT_VERSION,
        "userIdentity": {"accountId": account, "invokedBy": service},
        "eventTime": _iso(now),
        "eventSource": service,
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": service,
        "userAgent": service,
        "requestParameters": None,
        "responseElements": None,
        "additionalEventData": extra,
        "requestID": f"Rotation-{secret_arn}-{unique}" if rotation else unique,
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsServiceEvent",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }


def network_activity(
    identity: Identity,
    event_name: str,
    endpoint_id: str,
    now: datetime,
    *,
    owner: str | None = None,
) -> dict[str, Any]:
    """The record that an endpoint's owner gets when its policy refuses a request.

    `owner` is the endpoint's account (the caller's unless given). Of a caller of another account
    only type, principal and account are shown ("Network activity events", CloudTrail user guide).
    """
    owner = owner or identity.account
    who = identity.user_identity()
    if identity.account != owner:
        principal = who.get("principalId", identity.account)
        who = {"type": "AWSAccount", "principalId": principal, "accountId": identity.account}
    return {
        "eventVersion": EVENT_VERSION,
        "userIdentity": who,
        "eventTime": _iso(now),
        "eventSource": "secretsmanager.amazonaws.com",
        "eventName": event_name,
        "awsRegion": identity.region,
        "sourceIPAddress": identity.caller.source_ip or "10.0.0.10",
        "errorCode": "VpceAccessDenied",
        "errorMessage": "The request was denied due to a VPC endpoint policy",
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "eventType": "AwsVpceEvent",
        "recipientAccountId": owner,
        "sharedEventID": str(uuid.uuid4()),
        "vpcEndpointId": endpoint_id,
        "vpcEndpointAccountId": owner,
        "eventCategory": "NetworkActivity",
    }
