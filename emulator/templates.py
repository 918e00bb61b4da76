"""Reads CloudFormation templates with libyaml: ten times as fast as PyYAML in Python.

A drill or a test deploys the stack many times, and nearly all of a deployment was the reading of
its template, three times over.
"""

from types import SimpleNamespace
from typing import Any

import yaml
from moto.cloudformation import models, responses
from moto.cloudformation.utils import yaml_tag_constructor
from samtranslator.yaml_helper import intrinsics_multi_constructor


class _SamLoader(yaml.CSafeLoader):
    """As samtranslator's `yaml_parse`."""


class _MotoLoader(yaml.CLoader):
    """As moto's CloudFormation."""


_SamLoader.add_multi_constructor("!", intrinsics_multi_constructor)
_MotoLoader.add_multi_constructor("", yaml_tag_constructor)


def parse(text: str) -> Any:
    """The template as SAM reads it, short forms of functions written out. Raises YAMLError."""
    return yaml.load(text, Loader=_SamLoader)  # noqa: S506 (a safe loader)


def install() -> None:
    """Have moto read templates so, too."""
    fast = SimpleNamespace(
        load=yaml.load, Loader=_MotoLoader, add_multi_constructor=lambda *_: None
    )
    for module in (models, responses):
        module.yaml = fast
