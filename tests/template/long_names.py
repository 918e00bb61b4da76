"""The template with the longest name that a stack can have, and the names that follow from it.

A resource without a name of its own is called `stack-LogicalId-12 characters`, cut to what its
service takes (CloudFormation user guide, "Name type").
"""

import hashlib
from typing import Any

from tests.template.stack import ACCOUNT, EVERYTHING, REGION, Stack

LONGEST_STACK = "s" * 128  # CreateStack, StackName

# The most characters that each service takes in a name, and what `Ref` and `Arn` make of it.
LONGEST = {
    "AWS::DynamoDB::Table": 255,
    "AWS::Events::Rule": 64,
    "AWS::IAM::ManagedPolicy": 128,
    "AWS::IAM::Role": 64,
    "AWS::Lambda::Function": 64,
    "AWS::Lambda::LayerVersion": 64,
    "AWS::Logs::LogGroup": 512,
    "AWS::SNS::Topic": 256,
    "AWS::SQS::Queue": 80,
}
REFS = {
    "AWS::IAM::ManagedPolicy": f"arn:aws:iam::{ACCOUNT}:policy/{{0}}",
    "AWS::Lambda::LayerVersion": f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{{0}}:1",
    "AWS::SNS::Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:{{0}}",
    "AWS::SQS::Queue": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{{0}}",
}
ARNS = {
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{{0}}",
    "AWS::Events::Rule": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{{0}}",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{{0}}",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{0}}",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{0}}:*",
    "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{{0}}",
}
STACK_ID = (
    f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{LONGEST_STACK}/"
    "00000000-0000-0000-0000-000000000000"
)


class LongStack(Stack):
    """See the module. Physical ids have the length that they would have in AWS."""

    def __init__(self, **parameters: Any) -> None:
        self.types: dict[str, str] = {}
        super().__init__({**EVERYTHING, **parameters})

    def _present(self, parts: Any) -> dict[str, Any]:
        self.types |= {name: part["Type"] for name, part in parts.items() if "Type" in part}
        return super()._present(parts)

    def _physical(self, logical_id: str) -> str:
        kind = self.types[logical_id]
        most = LONGEST.get(kind, 255)
        suffix = "-" + hashlib.sha256(logical_id.encode()).hexdigest()[:12].upper()
        return f"{LONGEST_STACK}-{logical_id}"[: most - len(suffix)] + suffix

    def _intrinsic(self, name: str, operand: Any) -> Any:
        if name == "Fn::GetAtt" and operand[1] == "Arn":
            return ARNS[self.types[operand[0]]].format(self._physical(operand[0]))
        return super()._intrinsic(name, operand)

    def _named(self, name: str) -> Any:
        if name in self.types:
            return REFS.get(self.types[name], "{0}").format(self._physical(name))
        if name == "AWS::StackName":
            return LONGEST_STACK
        return STACK_ID if name == "AWS::StackId" else super()._named(name)
