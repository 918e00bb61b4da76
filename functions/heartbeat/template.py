"""What the stack's own template says, with its references carried out. Pure.

CloudFormation keeps the template as it processed it (GetTemplate), the values of its parameters
(DescribeStacks) and the names of what it made (ListStackResources). Only those intrinsic functions
are known here that the template uses in what is compared; any other raises `NotUnderstood`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from guard.settings import Settings

NOTHING = object()  # AWS::NoValue: what is it leaves the list or mapping that it is in
_NAMED = re.compile(r"\$\{([^}!]+)\}")
# By type: how the end of an ARN follows from the physical id.
_ARNS: Mapping[str, str] = {
    "AWS::SQS::Queue": "sqs:{region}:{account}:{name}",
    "AWS::Events::Rule": "events:{region}:{account}:rule/{name}",
    "AWS::Lambda::Function": "lambda:{region}:{account}:function:{name}",
    "AWS::IAM::Role": "iam::{account}:role/{name}",
}


class NotUnderstood(ValueError):
    """The template uses what is not known here: a fault of this file."""


@dataclass(frozen=True, slots=True)
class Template:
    """A processed template, its parameters' values, and the physical ids by logical id."""

    body: Mapping[str, Any]
    parameters: Mapping[str, str]
    physical: Mapping[str, str]
    settings: Settings

    def of_type(self, *types: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Logical id, type and resolved properties of what the stack has of these types."""
        for logical_id, one in self.body["Resources"].items():
            if one["Type"] in types and self._there(one):
                yield logical_id, one["Type"], self.resolved(one.get("Properties", {}))

    def resolved(self, value: Any) -> Any:
        """The value with each intrinsic function carried out. Raises NotUnderstood."""
        if isinstance(value, list):
            return [one for each in value if (one := self.resolved(each)) is not NOTHING]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1 and (known := self._function(*next(iter(value.items())))):
            return known()
        found = {key: self.resolved(one) for key, one in value.items()}
        return {key: one for key, one in found.items() if one is not NOTHING}

    def _there(self, one: Mapping[str, Any]) -> bool:
        return "Condition" not in one or self._holds(one["Condition"])

    def _holds(self, condition: str) -> bool:
        return bool(self.resolved(self.body["Conditions"][condition]))

    def _function(self, name: str, of: Any) -> Any:
        """What carries the function out, or None where the name is none of a function."""
        known = {
            "Ref": self._ref,
            "Condition": self._condition,
            "Fn::GetAtt": self._arn,
            "Fn::If": lambda parts: self.resolved(parts[1 if self._holds(parts[0]) else 2]),
            "Fn::Join": lambda parts: parts[0].join(map(str, self.resolved(parts[1]))),
            "Fn::Split": lambda parts: self.resolved(parts[1]).split(parts[0]),
            "Fn::Sub": lambda text: _NAMED.sub(lambda name: str(self._ref(name[1])), text),
            "Fn::Equals": lambda parts: self.resolved(parts[0]) == self.resolved(parts[1]),
            "Fn::Not": lambda parts: not self.resolved(parts[0]),
            "Fn::And": lambda parts: all(map(self.resolved, parts)),
            "Fn::Or": lambda parts: any(map(self.resolved, parts)),
        }
        if name == "Condition" and not isinstance(of, str):
            return None  # of a statement in a policy
        if name in known:
            return partial(known[name], of)
        if name.startswith("Fn::"):
            raise NotUnderstood(name)
        return None

    def _condition(self, name: str) -> bool:
        return self._holds(name)

    def _ref(self, name: str) -> Any:
        pseudo = {
            "AWS::AccountId": self.settings.account_id,
            "AWS::NoValue": NOTHING,
            "AWS::Partition": self.settings.partition,
            "AWS::Region": self.settings.region,
            "AWS::StackId": self.settings.stack_id,
            "AWS::StackName": self.settings.stack_name,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self.parameters:
            text = self.parameters[name]
            kind = self.body["Parameters"][name]["Type"]
            return text.split(",") if kind == "CommaDelimitedList" else text
        if name in self.physical:
            return self.physical[name]
        raise NotUnderstood(f"Ref {name}")

    def _arn(self, of: Any) -> str:
        logical_id, attribute = of.split(".", 1) if isinstance(of, str) else of
        kind = self.body["Resources"][logical_id]["Type"]
        if attribute != "Arn" or kind not in _ARNS:
            raise NotUnderstood(f"GetAtt {logical_id}.{attribute}")
        end = _ARNS[kind].format(
            region=self.settings.region,
            account=self.settings.account_id,
            name=str(self._ref(logical_id)).rsplit("/", 1)[-1],
        )
        return f"arn:{self.settings.partition}:{end}"
