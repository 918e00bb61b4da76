"""Hatch's build hook: a wheel carries in guardctl/bundle what guardctl finds in the repository.

An editable installation has the repository itself, and gets no such folder.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLED = ("emulator", "functions", "layers", "samconfig.toml", "template.yaml")


class Bundle(BuildHookInterface[Any]):
    """Puts the folders and files into the package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"] |= {one: f"guardctl/bundle/{one}" for one in BUNDLED}
