"""Reads CloudFormation templates with libyaml: ten times as fast as PyYAML in Python.

A drill or a test deploys the stack many times, and nearly all of a deployment was the reading of
its template, three times over. Therefore what was read is kept, and each caller gets its own copy.
"""

import pickle
from functools import lru_cache
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
    return pickle.loads(_read(text, _SamLoader))  # noqa: S301 - pickled here


@lru_cache(maxsize=32)
def _read(text: str | bytes, loader: Any) -> bytes:
    """The template, pickled: a copy from it takes a twentieth of the time of reading."""
    return pickle.dumps(yaml.load(text, Loader=loader))  # noqa: S506 (safe loaders)


def _load(text: str | bytes, Loader: Any) -> Any:  # noqa: N803 - PyYAML's name
    return pickle.loads(_read(text, Loader))  # noqa: S301 - pickled here


def install() -> None:
    """Have moto read templates so, too."""
    fast = SimpleNamespace(load=_load, Loader=_MotoLoader, add_multi_constructor=lambda *_: None)
    for module in (models, responses):
        module.yaml = fast
