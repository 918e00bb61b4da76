"""The names of approved policies that the template and samconfig.toml choose: do they exist?

CloudFormation refuses a value of ApprovedPolicy that is not among the template's AllowedValues, so
these must be the folder's names, neither more nor less.
"""

import shlex
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import yaml

PARAMETER = "ApprovedPolicy"


class _Loader(yaml.CSafeLoader):
    """Reads a template as far as its parameters go: functions such as !Ref count as null."""


_Loader.add_multi_constructor("!", lambda _loader, _tag, _node: None)


type Found = tuple[str, str, str]
"""The name that is wrong, the place, and what is wrong with it."""


def _parse(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader


def choice_problems(root: Path, names: Collection[str]) -> Iterator[Found]:
    """What template.yaml and samconfig.toml in `root` choose that is not one of the `names`."""
    yield from template_problems((root / "template.yaml").read_text(encoding="utf-8"), names)
    samconfig = root / "samconfig.toml"
    if samconfig.exists():
        yield from samconfig_problems(samconfig.read_text(encoding="utf-8"), names)


def chosen_policies(root: Path) -> set[str]:
    """The names that template.yaml and samconfig.toml in `root` choose."""
    document = _parse((root / "template.yaml").read_text(encoding="utf-8"))
    saved = root / "samconfig.toml"
    given = _saved(saved.read_text(encoding="utf-8")) if saved.exists() else ()
    return {document["Parameters"][PARAMETER]["Default"], *(name for _, name in given)}


def template_problems(text: str, names: Collection[str]) -> Iterator[Found]:
    """The default of the template's parameter, and the values that it allows."""
    document = _parse(text)
    parameter: Any = document["Parameters"][PARAMETER]
    if parameter["Default"] not in names:
        yield parameter["Default"], "template.yaml", f"the default of {PARAMETER} is no policy"
    allowed = parameter.get("AllowedValues", [])
    for name in sorted({*names} - {*allowed}):
        yield name, "template.yaml", f"add it to the AllowedValues of {PARAMETER}, to be chosen"
    for name in sorted({*allowed} - {*names}):
        yield name, "template.yaml", f"{PARAMETER} allows it, and there is no such policy"


def samconfig_problems(text: str, names: Collection[str]) -> Iterator[Found]:
    """The values that any environment of samconfig.toml gives the parameter."""
    for environment, name in _saved(text):
        if name not in names:
            place = f"samconfig.toml, {environment}"
            yield name, place, f"{PARAMETER} is given a name that is no policy's"


def _saved(text: str) -> Iterator[tuple[str, str]]:
    """Each environment of samconfig.toml with the policy that it chooses, if it does."""
    document: dict[str, Any] = tomllib.loads(text)
    for environment, commands in document.items():
        if isinstance(commands, dict):
            parameters = commands.get("deploy", {}).get("parameters", {})
            for name in _chosen(parameters.get("parameter_overrides", "")):
                yield environment, name


def _chosen(overrides: Any) -> Iterator[str]:
    """SAM CLI takes one text of Key=Value pairs, or a list of them; a table in newer versions."""
    if isinstance(overrides, dict):
        yield from (str(value) for key, value in overrides.items() if key == PARAMETER)
        return
    texts = [overrides] if isinstance(overrides, str) else overrides
    for pair in (pair for text in texts for pair in shlex.split(text)):
        key, _, value = pair.partition("=")
        if key == PARAMETER:
            yield value
