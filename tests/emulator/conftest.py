"""Small stacks for the emulator's own tests: nothing of the project's template or functions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from emulator import Cloud
from emulator.deploy import FunctionSpec
from emulator.runtime import Outcome

TEMPLATE = Path(__file__).with_name("small_stack.yaml")


@dataclass
class Script:
    """A runtime that does what a test says: `answer` gets the function and the event."""

    answer: Callable[[str, Mapping[str, Any]], Any] = lambda function, event: None
    events: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def invoke(self, function: FunctionSpec, event: Mapping[str, Any]) -> Outcome:
        self.events.append((function.logical_id, event))
        try:
            return Outcome(result=self.answer(function.logical_id, event))
        except RuntimeError as error:
            return Outcome(error=str(error), error_type="RuntimeError")

    def of(self, function: str) -> list[Mapping[str, Any]]:
        return [event for name, event in self.events if name == function]

    def bodies(self) -> list[list[str]]:
        """The bodies of each batch that the worker got."""
        return [[one["body"] for one in event["Records"]] for event in self.of("WorkFunction")]

    def reset(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def small_deployment(deployment: Cloud) -> Iterator[tuple[Cloud, Script]]:
    # The cloud of the whole session first: the one that was started last has to stop first.
    script = Script()
    with Cloud.start(runtime=script, template=TEMPLATE) as cloud:
        yield cloud, script


@pytest.fixture
def script(small_deployment: tuple[Cloud, Script]) -> Script:
    script = small_deployment[1]
    script.events.clear()
    script.answer = lambda function, event: None
    return script


@pytest.fixture
def small(small_deployment: tuple[Cloud, Script], script: Script) -> Cloud:
    """The small stack, just after its deployment, with a scripted runtime."""
    cloud = small_deployment[0]
    cloud.reset()
    return cloud
