"""Play the chapters: each is acted, and each of its checks is waited for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from guardctl.acceptance.chapter import Chapter, Check
from guardctl.acceptance.stage import Stage
from guardctl.acceptance.where import where_to_check
from guardctl.acceptance.words import words_of
from guardctl.stack import StackError

type Watch = Callable[[Check], Callable[[float], None]]
"""Called when a check begins; returns what is called with the seconds that passed."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One claim, whether it came true, after how long, and what was seen at the end."""

    claim: str
    holds: bool
    seen: str
    seconds: int
    where: Sequence[str] = ()


@dataclass(slots=True)
class Played:
    """A chapter and how it ended. `problem`: why it could not be done, "" if it was."""

    number: int
    title: str
    checks: list[Checked] = field(default_factory=list[Checked])
    problem: str = ""

    @property
    def holds(self) -> bool:
        return not self.problem and all(one.holds for one in self.checks)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "holds": self.holds}


def play(
    stage: Stage, story: Sequence[Chapter], begins: Callable[[Played], None], watch: Watch
) -> Iterator[Played]:
    """Play chapter after chapter. What a failed one did not leave, the others go without.

    Raises Stopped.
    """
    for number, chapter in enumerate(story, start=1):
        played = Played(number, chapter.title)
        begins(played)
        if missing := [one for one in chapter.needs if one not in stage.props]:
            played.problem = f"left out: an earlier chapter left no {', '.join(missing)}"
        else:
            _play(stage, chapter, played, watch)
        yield played


def _play(stage: Stage, chapter: Chapter, played: Played, watch: Watch) -> None:
    try:
        chapter.act(stage)
        for check in chapter.checks(stage):
            played.checks.append(_checked(stage, check, watch))
            if not played.checks[-1].holds and check.minutes:
                return  # what comes after it stands on it
    except (StackError, BotoCoreError, ClientError) as error:
        played.problem = words_of(error)
    except LookupError as error:
        played.problem = f"AWS's answer lacks what was asked for: {error!r}"


def _checked(stage: Stage, check: Check, watch: Watch) -> Checked:
    began = stage.polling.now()
    seen = stage.polling.until(check.seen, check.minutes, watch(check))
    seconds = round(stage.polling.now() - began)
    where = () if seen.holds else where_to_check(stage.stack, check.where)
    return Checked(check.claim, seen.holds, seen.words, seconds, where)
