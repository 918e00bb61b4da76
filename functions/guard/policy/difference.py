"""What an attached policy does that the approved one does not, statement by statement."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from guard.policy import wording
from guard.policy.conditions import Condition
from guard.policy.coverage import covered_by_any
from guard.policy.document import Choice, Policy, Statement, parse
from guard.policy.matching import Matcher, TooLarge
from guard.policy.reading import PolicyError


class Risk(StrEnum):
    """Which way a difference goes, the worst first; one that goes both ways is wider."""

    WIDER = "wider"  # lets pass, or may let pass, what the approved policy stops
    NARROWER = "narrower"  # stops, or may stop, what the approved policy lets pass
    DIFFERENT = "merely different"  # changes nothing that is decided


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference in words. `statement` is the label of the statement it is about."""

    text: str
    risk: Risk
    statement: str

    def to_json(self) -> dict[str, str]:
        """For the evidence of a finding."""
        return {
            "statement": self.statement,
            "difference": self.text,
            "risk": self.risk.value,
        }


def overall_risk(found: Iterable[Difference]) -> Risk | None:
    """The worst risk of several differences; None for none."""
    risks = {difference.risk for difference in found}
    return next((risk for risk in Risk if risk in risks), None)


def compare(
    attached: str | None, approved: Policy, matcher: Matcher | None = None
) -> tuple[Difference, ...]:
    """`differences` for the text of an attached document, which may be missing or broken."""
    if attached is None:
        return differences(None, approved)
    try:
        return differences(parse(attached), approved, matcher)
    except PolicyError as error:
        return differences(error, approved)


def differences(
    attached: Policy | PolicyError | None, approved: Policy, matcher: Matcher | None = None
) -> tuple[Difference, ...]:
    """How the attached policy departs from the approved one; empty exactly when they are equal.

    `attached` is a PolicyError for a document that could not be read, None where there is none:
    nobody can know what either lets pass, so both are wider. So is one that would take too long to
    put into words, which `matcher` counts: that it is not equal is found before.
    """
    if attached is None:
        text = "there is no policy, which lets everything pass"
        return (Difference(text, Risk.WIDER, "document"),)
    if isinstance(attached, PolicyError):
        text = f"the attached document cannot be read, so it may let anything pass: {attached}"
        return (Difference(text, Risk.WIDER, "document"),)
    if attached == approved:
        return ()
    try:
        return tuple(_Comparison(attached, approved, matcher or Matcher()).differences())
    except TooLarge:
        text = "not compared: too large; it is not the approved policy, and may let anything pass"
        return (Difference(text, Risk.WIDER, "document"),)


@dataclass(frozen=True, slots=True)
class _Change:
    """A changed element: does the statement apply to more requests than before, to fewer?"""

    text: str
    more: bool
    fewer: bool


class _Comparison:
    """Two unequal policies, and what of their statements the other one does not have."""

    def __init__(self, attached: Policy, approved: Policy, matcher: Matcher) -> None:
        self.attached = attached
        self.approved = approved
        self.matcher = matcher
        self.spelling = {**approved.spelling, **attached.spelling}

    def differences(self) -> Iterator[Difference]:
        removed = _only_in(self.approved, self.attached)
        for statement in _only_in(self.attached, self.approved):
            self.matcher.take(len(removed) + 1)
            before = next((one for one in removed if _one_element_apart(one, statement)), None)
            if before is None:
                yield self._whole(statement, added=True)
            else:
                removed.remove(before)
                yield from self._changed(before, statement)
        for statement in removed:
            yield self._whole(statement, added=False)

    def _whole(self, statement: Statement, *, added: bool) -> Difference:
        """A statement that only one side has."""
        verb = {
            ("Allow", True): "now also allows",
            ("Allow", False): "no longer allows",
            ("Deny", True): "now also denies",
            ("Deny", False): "no longer denies",
        }[statement.effect, added]
        other = self.approved if added else self.attached
        real = not _said_by(other, statement, self.matcher)
        text = f"{verb}: {wording.sentence(statement, self.spelling)}"
        if not real:
            text += " (without effect: another statement says as much)"
        risk = _risk(statement, more=added and real, fewer=not added and real)
        return Difference(text, risk, statement.label)

    def _changed(self, before: Statement, after: Statement) -> Iterator[Difference]:
        """A statement of the approved policy of which one element has become another."""
        grows = not _said_by(self.approved, after, self.matcher)
        shrinks = not _said_by(self.attached, before, self.matcher)
        for change in self._changes(before, after):
            risk = _risk(after, more=change.more and grows, fewer=change.fewer and shrinks)
            yield Difference(change.text, risk, after.label)

    def _changes(self, before: Statement, after: Statement) -> Iterator[_Change]:
        does = "allow" if after.effect == "Allow" else "deny"
        for element in ("principals", "actions", "resources"):
            gained, lost = _gained_and_lost(getattr(before, element), getattr(after, element))
            if gained:
                text = wording.sentence(replace(after, **{element: gained}), self.spelling)
                yield _Change(f"now also {_third(does)}: {text}", more=True, fewer=False)
            if lost:
                text = wording.sentence(replace(before, **{element: lost}), self.spelling)
                yield _Change(f"no longer {_third(does)}: {text}", more=False, fewer=True)
        bare = wording.sentence(replace(after, conditions=frozenset()), self.spelling)
        for change in self._condition_changes(before.conditions, after.conditions):
            yield replace(change, text=f"{_third(does)} {change.text}: {bare}")

    def _condition_changes(
        self, before: frozenset[Condition], after: frozenset[Condition]
    ) -> Iterator[_Change]:
        dropped = sorted(before - after, key=repr)
        for now in sorted(after - before, key=repr):
            self.matcher.take(len(dropped) + 1)
            new = wording.requirement(now, self.spelling)
            was = next((one for one in dropped if one.asks_as(now)), None)
            if was is None:
                yield _Change(f"now only if {new}", more=False, fewer=True)
                continue
            dropped.remove(was)
            old = wording.requirement(was, self.spelling)
            more = not was.implied_by(now, self.matcher)
            fewer = not now.implied_by(was, self.matcher)
            yield _Change(f"now if {new}, not if {old}", more, fewer)
        for was in dropped:
            old = wording.requirement(was, self.spelling)
            yield _Change(f"now without asking that {old}", more=True, fewer=False)


def _third(verb: str) -> str:
    return {"allow": "allows", "deny": "denies"}[verb]


def _risk(statement: Statement, *, more: bool, fewer: bool) -> Risk:
    """Wider when an Allow applies to more requests or a Deny to fewer; the worse of two."""
    widens, narrows = (more, fewer) if statement.effect == "Allow" else (fewer, more)
    return Risk.WIDER if widens else Risk.NARROWER if narrows else Risk.DIFFERENT


def _one_element_apart(a: Statement, b: Statement) -> bool:
    elements = ("principals", "actions", "resources", "conditions")
    same = sum(getattr(a, element) == getattr(b, element) for element in elements)
    return a.effect == b.effect and same == len(elements) - 1


def _gained_and_lost(before: Choice, after: Choice) -> tuple[Choice | None, Choice | None]:
    """What a changed element holds more than before, and what less."""
    if before.negated != after.negated:
        return after, before
    more, less = after.values - before.values, before.values - after.values
    if before.negated:  # what is no longer excepted is gained
        more, less = less, more
    return (Choice(more) if more else None), (Choice(less) if less else None)


def _said_by(policy: Policy, statement: Statement, matcher: Matcher) -> bool:
    """Whether the policy's statements hold all of this one; unsure counts as no."""
    if covered_by_any(statement, policy.statements, matcher):
        return True
    if not policy.by_rules:
        return False
    return all(covered_by_any(rule, policy.statements, matcher) for rule in statement.rules())


def _only_in(policy: Policy, other: Policy) -> list[Statement]:
    """The statements of a policy that the other one does not have, without the rules it has."""
    if not (policy.by_rules and other.by_rules):
        return [one for one in dict.fromkeys(policy.statements) if one not in other.statements]
    found: list[Statement] = []
    for statement in dict.fromkeys(policy.statements):
        rules = [rule for rule in statement.rules() if rule not in other.meaning]
        found.extend([statement] if len(rules) == statement.size else _joined(rules))
    return found


def _joined(rules: list[Statement]) -> list[Statement]:
    """Rules of one statement as fewer statements: exactly these rules, in fewer words."""
    for element in ("actions", "resources", "principals"):
        groups: dict[Statement, set[str]] = {}
        for rule in rules:
            values = getattr(rule, element).values
            rest = replace(rule, **{element: Choice(frozenset(), getattr(rule, element).negated)})
            groups.setdefault(rest, set()).update(values)
        rules = [
            replace(
                rest,
                **{element: Choice(frozenset(values), getattr(rest, element).negated)},
            )
            for rest, values in groups.items()
        ]
    return rules
