"""Whether one statement reaches at least as far as another: careful, so that *yes* is certain.

A *no* can be wrong (two statements can cover a third together, conditions can follow from each
other in ways not compared). Risks are worded from this, so what is unsure counts as a change.
"""

from collections.abc import Callable, Iterable

from guard.policy.document import EVERYONE, Choice, Statement
from guard.policy.matching import Matcher


def covers(wide: Statement, narrow: Statement, matcher: Matcher | None = None) -> bool:
    """Whether `wide` applies, with the same effect, to each request that `narrow` applies to.

    Raises TooLarge where that takes more steps than `matcher` may take.
    """
    matcher = matcher or Matcher()
    matcher.take(len(wide.conditions) * len(narrow.conditions) + 8)
    return (
        wide.effect == narrow.effect
        and all(
            any(mine.implied_by(its, matcher) for its in narrow.conditions)
            for mine in wide.conditions
        )
        and principals_cover(wide.principals, narrow.principals, matcher)
        and patterns_cover(wide.actions, narrow.actions, matcher.covers, matcher)
        and patterns_cover(wide.resources, narrow.resources, matcher.arn_covers, matcher)
    )


def covered_by_any(rule: Statement, statements: Iterable[Statement], matcher: Matcher) -> bool:
    """Whether one of `statements` covers the rule. Raises TooLarge."""
    return any(covers(statement, rule, matcher) for statement in statements)


def patterns_cover(
    wide: Choice, narrow: Choice, takes: Callable[[str, str], bool], matcher: Matcher
) -> bool:
    """Whether a choice of patterns holds all of another; `takes` says it of two patterns."""

    def held(pattern: str, choice: Choice) -> bool:
        return pattern in choice.values or any(takes(one, pattern) for one in choice.values)

    match wide.negated, narrow.negated:
        case False, False:
            return all(held(pattern, wide) for pattern in narrow.values)
        case True, True:
            return all(held(pattern, narrow) for pattern in wide.values)
        case True, False:
            return not any(
                matcher.meets(excepted, one) for excepted in wide.values for one in narrow.values
            )
        case _:
            return "*" in wide.values


def principals_cover(wide: Choice, narrow: Choice, matcher: Matcher) -> bool:
    """Whether a choice of principals holds all of another."""
    matcher.take(len(narrow.values))
    match wide.negated, narrow.negated:
        case False, False:
            return all(_includes(wide, principal) for principal in narrow.values)
        case True, True:
            # Whom the exception of an account lets off besides, AWS does not document.
            return wide.values <= narrow.values or EVERYONE in narrow.values
        case True, False:
            # Somebody of an excepted account, or a user behind an excepted role, may be meant.
            return False
        case _:
            return EVERYONE in wide.values


def _includes(choice: Choice, principal: str) -> bool:
    if EVERYONE in choice.values or principal in choice.values:
        return True
    account = account_of(principal)
    return account is not None and f"AWS:{account}" in choice.values


def account_of(principal: str) -> str | None:
    """The account of an `AWS:` principal, where its id says so."""
    identity = principal.removeprefix("AWS:")
    if identity == principal:
        return None
    parts = identity.split(":")
    if len(parts) == 1:
        return identity if identity.isdigit() else None
    return parts[4] if len(parts) > 4 and parts[4].isdigit() else None
