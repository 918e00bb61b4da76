"""From calls to findings, for the function and for `guardctl replay`. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from detect_bypass.exception_findings import added_exception, expired_exceptions
from detect_bypass.findings import findings
from detect_bypass.judge import Inventory, Judgement, judge
from detect_bypass.judge.exceptions import Exemption
from detect_bypass.records import Call
from guard.cloudtrail.record import Record
from guard.findings.finding import Finding


@dataclass(frozen=True, slots=True)
class Judged:
    """A call's record, its judgement, and the numbers of the records that it was made of."""

    record: Record
    judgement: Judgement
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What findings follow from, apart from the records.

    `window` is the number of seconds in which equal findings are one alert; a secret's policy may
    let principals of `own_accounts` in, and of our `organization` where that is known.
    """

    window: int
    exceptions: Sequence[Exemption] = ()
    own_accounts: Collection[str] = ()
    organization: str = ""

    def with_added(self, exceptions: Sequence[Exemption]) -> Self:
        """The same with exceptions that were added at run time. One that has the name of a
        reviewed one is left out: by its name it would pass for that.
        """
        names = {one.name for one in self.exceptions}
        new = [one for one in exceptions if one.name not in names]
        return replace(self, exceptions=(*self.exceptions, *new))

    def judged(self, calls: Iterable[Call], known: Inventory) -> list[Judged]:
        """Each call with its judgement."""
        return [
            Judged(call.record, judge(call.record, known, self.exceptions), call.numbers)
            for call in calls
        ]

    def findings(
        self, one: Judged, *, done: Sequence[str] = (), policy: str = "", policy_name: str = ""
    ) -> list[Finding]:
        """What ops should know of one call; see `detect_bypass.findings`."""
        return findings(
            one.record,
            one.judgement,
            self.window,
            done=done,
            policy=policy,
            policy_name=policy_name,
            own_accounts=self.own_accounts,
            organization=self.organization,
        )

    def of_exceptions(self, one: Judged) -> list[Finding]:
        """The exceptions that would have covered the call and have expired, and the one that
        covers it and was added at run time. Each is to be published but once.
        """
        return [
            *expired_exceptions(one.record, one.judgement, self.exceptions),
            *added_exception(one.record, one.judgement, self.exceptions),
        ]
