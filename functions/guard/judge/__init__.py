"""Judge one Secrets Manager record: did the request keep to an approved way, and does it matter?

Pure: a record, what is known of the account (`Inventory`) and the exceptions go in, a `Judgement`
comes out. Each rule is a small predicate with a name; `explain` tells what each of them said, and
what it looked at.
"""

from guard.judge.explaining import Said, explain
from guard.judge.fields import origin, reach
from guard.judge.judging import judge
from guard.judge.predicates import PREDICATES
from guard.judge.terms import (
    SECRETS_MANAGER,
    Case,
    Inventory,
    Judgement,
    Origin,
    Reach,
    Verdict,
)

__all__ = [
    "PREDICATES",
    "SECRETS_MANAGER",
    "Case",
    "Inventory",
    "Judgement",
    "Origin",
    "Reach",
    "Said",
    "Verdict",
    "explain",
    "judge",
    "origin",
    "reach",
]
