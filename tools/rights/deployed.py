"""The policies of a deployed stack, and whoever asks something of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from emulator import Cloud
from tools.rights.access import Policies
from tools.rights.needs import needs
from tools.rights.onbehalf import Asked, by_services, following, for_functions
from tools.rights.refused import STRANGER, identity_of_a_stranger
from tools.rights.shapes import boundary, key_policy

type Json = dict[str, Any]


def role_of(function: str) -> str:
    """The logical id of a function's role."""
    return f"{function.removesuffix('Function')}Role"


@dataclass(frozen=True, slots=True)
class Deployed:
    """What IAM would know of the stack in `cloud`."""

    cloud: Cloud

    def asked(self) -> list[Asked]:
        """All that was asked so far, each once: by functions' code, and by AWS because of it."""
        found: dict[str, Asked] = {}
        for one in (*self._functions(), *by_services(self.cloud)):
            found.setdefault(repr((one.principal, one.need)), one)
        return list(found.values())

    def _functions(self) -> Iterator[Asked]:
        functions = self.cloud.deployment.functions.values()
        first = [one for it in functions for one in for_functions(self.cloud, it)]
        for call in self.cloud.calls:
            if call.function:
                first += [Asked(call.function, need, "called") for need in needs(call, self.cloud)]
        for one in first:
            yield one
            yield from following(self.cloud, one)

    def policies(self, asked: Asked) -> Policies:
        """Every policy with a say in a request."""
        resource = self.resources().get(asked.need.resource)
        if asked.principal == STRANGER:
            return Policies(identity_of_a_stranger(), None, resource)
        if asked.principal not in self.cloud.deployment.functions:
            return Policies(resource=resource)
        role = role_of(asked.principal)
        limit = boundary() if self._role(role).get("PermissionsBoundary") else None
        return Policies(self.identity(role), limit, resource)

    def principal(self, asked: Asked) -> str:
        """The ARN of a function's role, or the name of a service."""
        if asked.principal == STRANGER:
            return f"arn:aws:iam::{self.cloud.account}:role/{STRANGER}"
        function = self.cloud.deployment.functions.get(asked.principal)
        return function.role_arn if function else asked.principal

    def _role(self, role: str) -> Json:
        return self.cloud.deployment.resources[role][1]

    def identity(self, role: str) -> dict[str, Json]:
        """A role's own policies by name, inline and managed.

        Raises NotImplementedError for a managed policy that the template does not hold.
        """
        properties = self._role(role)
        found = {one["PolicyName"]: one["PolicyDocument"] for one in properties["Policies"]}
        for arn in properties.get("ManagedPolicyArns", []):
            name = self.cloud.deployment.logical(arn)
            if name == arn:
                raise NotImplementedError(f"{role} has {arn}, which is not in the template")
            found[name] = self.cloud.deployment.resources[name][1]["PolicyDocument"]
        return {name: self._with_logs(document) for name, document in found.items()}

    def _with_logs(self, value: Any) -> Any:
        """With the `:*` that ends the ARN of a log group in AWS, and not in moto."""
        match value:
            case dict():
                return {key: self._with_logs(one) for key, one in value.items()}
            case list():
                return [self._with_logs(one) for one in value]
            case str() if ":log-group:" in value and not value.endswith(":*"):
                return f"{value}:*"
            case _:
                return value

    def resources(self) -> Mapping[str, Json]:
        """The policies of queues, topics, functions and the key, by the resource's ARN."""
        found: dict[str, Json] = {}
        deployment, own = self.cloud.deployment, f"{self.cloud.region}:{self.cloud.account}"
        for policy in deployment.of_type("AWS::SQS::QueuePolicy").values():
            for url in policy["Queues"]:
                found[f"arn:aws:sqs:{own}:{url.rsplit('/', 1)[-1]}"] = policy["PolicyDocument"]
        for policy in deployment.of_type("AWS::SNS::TopicPolicy").values():
            found |= dict.fromkeys(policy["Topics"], policy["PolicyDocument"])
        functions = {one.name: one.arn for one in deployment.functions.values()}
        for name, permission in deployment.of_type("AWS::Lambda::Permission").items():
            function = functions[permission["FunctionName"]]
            document = found.setdefault(function, {"Version": "2012-10-17", "Statement": []})
            document["Statement"].append(_permission(name, permission, function))
        region, account = self.cloud.region, self.cloud.account
        owners = key_policy(region, account, ours=False)
        if "NotifySlackFunction" in deployment.functions:
            found[f"arn:aws:kms:{own}:key/of-the-parameter"] = owners
        if "FindMissedFunction" in deployment.functions:
            found[f"arn:aws:kms:{own}:key/of-the-trail"] = owners
        if key := deployment.parameters.get("EncryptionKeyArn"):
            found[key] = key_policy(region, account, ours=True)
        return found


def _permission(name: str, permission: Json, function: str) -> Json:
    """The statement that Lambda makes of AWS::Lambda::Permission."""
    return {
        "Sid": name,
        "Effect": "Allow",
        "Principal": {"Service": permission["Principal"]},
        "Action": permission["Action"],
        "Resource": function,
        "Condition": {"ArnLike": {"aws:SourceArn": permission["SourceArn"]}},
    }
