"""The Terraform module has a variable for each parameter of the template, and each output."""

import re
from pathlib import Path
from typing import Any

import hcl2
import pytest

from emulator.templates import parse
from guard.approved.policies import PLACEHOLDERS
from tests.template.stack import ROOT

MODULE = ROOT / "terraform"
TEMPLATE = parse((ROOT / "template.yaml").read_text())
PARAMETERS = TEMPLATE["Parameters"]
OWN = {"name", "bucket", "template", "tags"}  # of the stack and the template's file


def blocks(kind: str, folder: Path = MODULE) -> dict[str, dict[str, Any]]:
    """The blocks of a kind in the module, by name."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.tf")):
        with path.open() as file:
            for one in hcl2.load(file).get(kind, []):
                found |= {name.strip('"'): block for name, block in one.items()}
    return found


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def typed(parameter: dict[str, Any]) -> str:
    """What a parameter means: CloudFormation knows no booleans."""
    if "List" in parameter["Type"]:
        return "list(string)"
    if {*parameter.get("AllowedValues", ())} == {"true", "false"}:
        return "bool"
    return "number" if parameter["Type"] == "Number" else "string"


def bare(text: object) -> str:
    return str(text).removeprefix("${").removesuffix("}").strip('"')


def test_each_parameter_is_a_variable():
    assert set(blocks("variable")) == OWN | set(map(snake, PARAMETERS))


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_variable_has_the_parameters_meaning(name: str):
    variable = blocks("variable")[snake(name)]
    assert bare(variable["type"]) == typed(PARAMETERS[name])
    assert variable["default"] in (None, "null")
    assert bare(variable["description"]) == " ".join(
        PARAMETERS[name]["Description"].split()
    ).replace('"', "'")


def test_each_parameter_gets_its_own_variable():
    text = (MODULE / "parameters.tf").read_text()
    given = dict(re.findall(r"^    (\w+) += (.*)$", text, re.MULTILINE))
    assert set(given) == set(PARAMETERS)
    for name, value in given.items():
        variable = f"var.{snake(name)}"
        joined = f'{variable} == null ? null : join(",", {variable})'
        assert value == (joined if "List" in PARAMETERS[name]["Type"] else variable)


def test_each_output_is_one_and_what_may_be_missing_may_be_null():
    outputs, asked = TEMPLATE["Outputs"], blocks("output")
    assert set(asked) == set(map(snake, outputs))
    for name, output in outputs.items():
        value = str(asked[snake(name)]["value"])
        assert f'"{name}"' in value
        assert ("lookup(" in value) is ("Condition" in output)


def test_the_policies_fill_in_every_placeholder():
    (text,) = ((MODULE / "policies" / "main.tf").read_text(),)
    assert {*re.findall(r'"\$\$\{(\w+)\}",', text)} == set(PLACEHOLDERS)
