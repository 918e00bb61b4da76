"""The template as CloudFormation would see it: SAM's transform made, every intrinsic carried out.

Physical ids do not exist yet, so a resource's own name stands for them: `Ref` gives `VpcQueue`, and
`GetAtt VpcQueue.Arn` gives `arn:VpcQueue`.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from emulator.deploy import transformed
from emulator.templates import parse as parse_template
from tools.rights.needs import listed

__all__ = [
    "EVENTS",
    "EVERYTHING",
    "PSEUDO",
    "ROOT",
    "TEMPLATE",
    "Stack",
    "listed",
    "sample",
    "written",
]

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"
EVENTS = ROOT / "events"
EVERYTHING = {
    "SlackWebhookParameter": "/vpce-guard/slack-webhook",
    "AlertEmail": "ops@example.com",
    "SecretPerimeter": "restore-tagged",
    "TrailBucket": "trail-logs",
}
NOTHING = object()


@cache
def sample(name: str) -> dict[str, Any]:
    """One event of events/, by its file's name without `.json`."""
    return json.loads((EVENTS / f"{name}.json").read_text())


ACCOUNT = sample("deploy.stack-created")["account"]
REGION = sample("deploy.stack-created")["region"]
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::NoValue": NOTHING,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackId": sample("deploy.stack-created")["detail"]["stack-id"],
    "AWS::StackName": "vpce-guard",
    "AWS::URLSuffix": "amazonaws.com",
}


@cache
def written() -> dict[str, Any]:
    """template.yaml as it is written, in its own order."""
    return parse_template(TEMPLATE.read_text())


class Stack:
    """The resources and outputs of a deployment with these parameters, by logical id."""

    def __init__(self, parameters: Mapping[str, str] = EVERYTHING) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_DEFAULT_REGION", REGION)  # SAM's translator reads it
            template = transformed(TEMPLATE, {}, REGION)
        defaults = {name: one["Default"] for name, one in template["Parameters"].items()}
        self.parameters: dict[str, Any] = {**defaults, **parameters}
        self.conditions = template["Conditions"]
        self.resources = self._present(template["Resources"])
        self.outputs = self._present(template["Outputs"])

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of every resource of a type."""
        return {
            name: one["Properties"] for name, one in self.resources.items() if one["Type"] == kind
        }

    def properties(self, name: str) -> dict[str, Any]:
        return self.resources[name]["Properties"]

    def _present(self, parts: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: self._resolve(part)
            for name, part in parts.items()
            if "Condition" not in part or self._holds(part["Condition"])
        }

    def _holds(self, condition: str) -> bool:
        return self._resolve(self.conditions[condition])

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            resolved = [self._resolve(one) for one in value]
            return [one for one in resolved if one is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, operand) = next(iter(value.items()))
            if name == "Ref" or name.startswith("Fn::"):
                return self._intrinsic(name, operand)
            if name == "Condition" and isinstance(operand, str):
                return self._holds(operand)
        resolved = {key: self._resolve(one) for key, one in value.items()}
        return {key: one for key, one in resolved.items() if one is not NOTHING}

    def _intrinsic(self, name: str, operand: Any) -> Any:  # noqa: C901 - one case for each
        match name, operand:
            case "Ref", _:
                return self._named(operand)
            case "Fn::GetAtt", [resource, "Arn"]:
                return f"arn:{resource}"
            case "Fn::GetAtt", [resource, attribute]:
                return f"{resource}.{attribute}"
            case "Fn::If", [condition, yes, no]:
                return self._resolve(yes if self._holds(condition) else no)
            case "Fn::Equals", [left, right]:
                return self._resolve(left) == self._resolve(right)
            case (("Fn::Not" | "Fn::And" | "Fn::Or"), parts):
                truths = [self._resolve(one) for one in parts]
                combined = {"Fn::And": all, "Fn::Or": any}
                return combined[name](truths) if name in combined else not truths[0]
            case "Fn::Select", [number, parts]:
                return self._resolve(parts)[number]
            case "Fn::Split", [separator, text]:
                return self._resolve(text).split(separator)
            case "Fn::Join", [separator, parts]:
                resolved = self._resolve(parts)
                return resolved if isinstance(resolved, str) else separator.join(resolved)
            case "Fn::Sub", [text, values]:
                return self._filled(text, self._resolve(values))
            case "Fn::Sub", str():
                return self._filled(operand, {})
            case _:
                raise NotImplementedError(f"{name}: {operand}")

    def _named(self, name: str) -> Any:
        return PSEUDO[name] if name in PSEUDO else self.parameters.get(name, name)

    def _filled(self, text: str, values: Mapping[str, str]) -> str:
        return re.sub(
            r"\$\{([A-Za-z0-9:.]+)\}",
            lambda found: str(values.get(found[1], self._named(found[1]))),
            text,
        )
