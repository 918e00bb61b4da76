"""Every text with which the template creates something is one that AWS takes.

The rules are those of CloudFormation's registry schemas, which cfn-lint carries, and of the table
of text rules where they state none; a text that neither speaks of fails. Held with the longest name
that a stack can have, since names of resources and ARNs grow with it.
"""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from jsonschema import Draft7Validator

from emulator.text_rules.table import table
from tests.template.long_names import LONGEST_STACK, LongStack
from tests.template.stack import REGION

TEXT_KEYWORDS = ("enum", "const", "format", "maxLength", "minLength", "pattern")
OF_TEXTS = (*TEXT_KEYWORDS, "maxItems", "minItems", "uniqueItems", "maxProperties")
DOCUMENTS = ("AssumeRolePolicyDocument", "EventPattern", "PolicyDocument")
CODE = ("Code", "Content")  # where `sam package` put it

# The templates that AWS may be given: with as little and as much switched on as can be.
SHAPES = {
    "everything": {"ChatChannel": "T0123456789/C0123456789"},
    "in a VPC with a key": {
        "EncryptionKeyArn": f"arn:aws:kms:{REGION}:123456789012:key/{'0' * 36}",
        "FunctionSubnets": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        "FunctionSecurityGroups": ["sg-0123456789abcdef0"],
        "SlackChannel": "C0123456789",
    },
}


@pytest.fixture(scope="module", params=SHAPES, ids=lambda name: name.replace(" ", "-"))
def long(request) -> LongStack:
    return LongStack(**SHAPES[request.param])


def texts(value: Any, path: str = "", name: str = "") -> Iterator[tuple[str, Any]]:
    """Each text of a resource's properties with its path; documents as their JSON, maps too."""
    if name in CODE:
        return
    if name in DOCUMENTS:
        yield path, json.dumps(value, separators=(",", ":"))
    if isinstance(value, dict):
        if name == "Variables":
            yield path, value
        for key, inner in value.items():
            step = "{}" if name == "Variables" else f".{key}" if path else key
            yield from texts(inner, path + step, key)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner, f"{path}[]")
    elif isinstance(value, str):
        yield path, value


def schema_of(kind: str) -> dict[str, Any]:
    return PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema


def rows(kind: str, path: str) -> tuple[Any, ...]:
    return table("cloudformation").rules(kind, path, SimpleNamespace(name="", metadata={}))


def registry(schemas: list[Any], root: dict[str, Any], steps: list[str]) -> Iterator[Any]:
    """The schemas that the registry has for a property."""
    for schema in schemas:
        for one in ways(schema, root):
            if not steps:
                yield one
            elif steps[0] == "[]":
                yield from registry([one.get("items", {})], root, steps[1:])
            else:
                inner = [one.get("properties", {}).get(steps[0], {})]
                inner += one.get("patternProperties", {}).values()
                yield from registry(inner, root, steps[1:])


def ways(schema: Any, root: dict[str, Any]) -> Iterator[Any]:
    """A schema, and the others of which it asks that one or all hold."""
    while "$ref" in schema:
        found: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    yield schema
    for key in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(key, ()):
            yield from ways(one, root)


def stated(kind: str, path: str) -> bool:
    """Whether the registry says anything of a text."""
    root = schema_of(kind)
    steps = path.replace("[]", ".[]").split(".")
    return any(
        key in one
        for one in registry([root], root, [s for s in steps if s])
        for key in TEXT_KEYWORDS
    )


def in_a_document(path: str) -> bool:
    return any(f"{name}." in path for name in DOCUMENTS)


def test_every_text_has_a_rule(long):
    missing = {
        (one["Type"], path)
        for one in long.resources.values()
        for path, _ in texts(one.get("Properties", {}))
        if not in_a_document(path) and not rows(one["Type"], path) and not stated(one["Type"], path)
    }
    assert missing == set()


def test_every_text_keeps_the_rules_of_the_table(long):
    broken = [
        (name, path, rule.source)
        for name, one in long.resources.items()
        for path, text in texts(one.get("Properties", {}))
        for rule in rows(one["Type"], path)
        if not rule.holds(text)
    ]
    assert broken == []


def test_every_text_keeps_the_rules_of_the_registry(long):
    broken = [
        (name, error.json_path, error.message[:200])
        for name, one in long.resources.items()
        for error in Draft7Validator(schema_of(one["Type"])).iter_errors(one.get("Properties", {}))
        if error.validator in OF_TEXTS and isinstance(error.instance, str | list)
    ]
    assert broken == []


def test_the_inline_policies_of_a_role_keep_the_quota_together(long):
    for name, role in long.of_type("AWS::IAM::Role").items():
        documents = [json.dumps(one["PolicyDocument"]) for one in role.get("Policies", ())]
        assert sum(len("".join(text.split())) for text in documents) <= 10_240, name


def test_what_is_named_after_the_stack_takes_the_longest_name(long):
    """Nothing else has a name of its own: CloudFormation cuts the names that it makes."""
    named = {
        (one["Type"], path)
        for one in long.resources.values()
        for path, text in texts(one.get("Properties", {}))
        if text == LONGEST_STACK
    }
    assert named <= {("AWS::Chatbot::SlackChannelConfiguration", "ConfigurationName")}


@pytest.mark.parametrize(
    ("kind", "properties", "fault"),
    [
        ("AWS::Chatbot::SlackChannelConfiguration", {"ConfigurationName": "c" * 129}, None),
        ("AWS::SNS::Topic", {"DisplayName": "d" * 101}, "DisplayName"),
        ("AWS::Lambda::Function", {"Description": "d" * 257}, None),
        ("AWS::Lambda::Function", {"Environment": {"Variables": {"A": "x" * 4096}}}, "Environment"),
        ("AWS::Events::Rule", {"EventPattern": {"source": ["x" * 2048]}}, "EventPattern"),
        ("AWS::IAM::Role", {"Policies": [{"PolicyName": "a b", "PolicyDocument": {}}]}, "Policies"),
    ],
)
def test_a_text_that_breaks_a_rule_is_seen(kind, properties, fault):
    """The next best value keeps it: what the tests above find is not nothing."""
    seen = [
        path
        for path, text in texts(properties)
        for rule in rows(kind, path)
        if not rule.holds(text)
    ]
    errors = [
        error.validator
        for error in Draft7Validator(schema_of(kind)).iter_errors(properties)
        if error.validator in OF_TEXTS
    ]
    assert (seen and seen[0].startswith(fault)) if fault else errors
