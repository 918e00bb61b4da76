"""Prints every IAM policy of the stack and every approved endpoint policy, as one JSON object.

The stack is the transformed template with everything switched on that a parameter can switch on, in
a VPC and outside, where it may do other things: a policy then holds all that it can ever hold.
judge_policies.py reads this, in an environment that has no SAM translator. Trust policies are left
out: they have no resource, and parliament cannot judge them.
"""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from guard.approved.policies import Placeholders, load, names
from tests.template.stack import ACCOUNT, EVERYTHING, REGION, ROOT, Stack

FOLDER = ROOT / "layers" / "approved_policies" / "endpoint_policies"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-4000-8000-000000000000"
MOST = {
    **EVERYTHING,
    "Scope": "rotation",
    "EncryptionKeyArn": KEY,
    "SlackChannel": "C0123456789",
    "FunctionSubnets": "subnet-0a",
}
STACKS = (Stack(MOST), Stack({**MOST, "FunctionSubnets": ""}))
ARNS = {
    "AWS::DynamoDB::Table": "dynamodb:{region}:{account}:table/{name}",
    "AWS::Events::Rule": "events:{region}:{account}:rule/{name}",
    "AWS::IAM::Role": "iam::{account}:role/{name}",
    "AWS::Lambda::Function": "lambda:{region}:{account}:function:{name}",
    "AWS::Logs::LogGroup": "logs:{region}:{account}:log-group:{name}:*",
    "AWS::SNS::Topic": "sns:{region}:{account}:{name}",
    "AWS::SQS::Queue": "sqs:{region}:{account}:{name}",
}
# What Stack gives for Ref, for GetAtt, and for GetAtt in a longer text.
MADE_UP = re.compile(r"(?:arn:)?(\w+)(?:\.Arn)?(?=/|$)")


def policies() -> dict[str, Any]:
    """The documents by resource, or by folder and name for the approved ones."""
    found: dict[str, Any] = {}
    for stack in STACKS:
        for name, document in documents_of(stack):
            before = found.setdefault(name, {**document, "Statement": []})["Statement"]
            before += [one for one in document["Statement"] if one not in before]
    values = Placeholders(
        account_id=ACCOUNT, region=REGION, partition="aws", org_id="o-" + "a" * 10
    )
    for name in names(FOLDER):
        found[f"{FOLDER.name}/{name}"] = json.loads(load(name, FOLDER, values).text)
    return found


def documents_of(stack: Stack) -> Iterator[tuple[str, Any]]:
    """The policies of one deployment by resource."""
    for name, resource in stack.resources.items():
        properties = resource.get("Properties", {})
        documents = [one["PolicyDocument"] for one in properties.get("Policies", [])]
        if "PolicyDocument" in properties:
            documents.append(properties["PolicyDocument"])
        if len(documents) > 1:
            raise NotImplementedError(f"{name} has more than one policy")
        if documents:
            yield name, with_arns(documents[0], stack)


def with_arns(value: Any, stack: Stack) -> Any:
    """The value with ARNs of AWS's form in place of those that Stack makes up."""
    match value:
        case dict():
            return {key: with_arns(one, stack) for key, one in value.items()}
        case list():
            return [with_arns(one, stack) for one in value]
        case str():
            found = MADE_UP.match(value)
            form = found and ARNS.get(stack.resources.get(found[1], {}).get("Type", ""))
            if not found or not form:
                return value
            arn = form.format(region=REGION, account=ACCOUNT, name=found[1])
            return f"arn:aws:{arn}{value[found.end() :]}"
        case _:
            return value


if __name__ == "__main__":
    json.dump(policies(), sys.stdout, indent=1)
