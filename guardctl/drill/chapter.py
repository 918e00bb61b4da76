"""What a chapter of the story is, and what its checks read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from guardctl.drill.stage import Stage

type Checks = Iterator[tuple[str, bool]]

ALLOW_ALL = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}


@dataclass(frozen=True, slots=True)
class Chapter:
    """One step. `act` is what is done, `checks` yields each claim about the end state, and whether
    it holds; `quiet` says that no alert may come of it, `deploys` that it changes what is approved,
    which takes a stage whose layer can be changed.
    """

    title: str
    act: Callable[[Stage], None]
    checks: Callable[[Stage], Checks]
    quiet: bool = False
    deploys: bool = False


def new_kinds(stage: Stage) -> list[str]:
    """The kinds of the findings published since the chapter began, without digests: those come by
    the hour, whatever happens.
    """
    kinds = [one["kind"] for one in stage.cloud.findings[stage.props["findings_before"] :]]
    return [kind for kind in kinds if kind != "digest"]


def new_writes(stage: Stage) -> list[str]:
    """The EC2 writes of the guard since the chapter began."""
    return [
        call.action
        for call in stage.cloud.calls[stage.props["calls_before"] :]
        if call.function and call.service == "ec2" and not call.action.startswith("Describe")
    ]
