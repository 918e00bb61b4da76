"""Judge one Secrets Manager record: did the request keep to an approved way, and does it matter?

Pure: a record, what is known of the account (`Inventory`) and the exceptions go in, a `Judgement`
comes out. Each rule is a small predicate with a name, and a judgement holds the answer of every
one, which `guardctl replay --explain` shows.

One field never makes a caller an AWS service when another speaks for a person. AWS says so in
several places when it acts on the owner's behalf (`userIdentity.type`, `invokedBy`,
`sourceIPAddress`, the event type), and a person's console session shares some of them: see
"CloudTrail userIdentity element" and "CloudTrail record contents" in the CloudTrail user guide, and
"Forward access sessions" in the IAM user guide.
"""

from detect_bypass.judge.case import SECRETS_MANAGER, Case, Inventory, Verdict
from detect_bypass.judge.judging import PREDICATES, Judgement, judge
from detect_bypass.judge.locations import CallerLocation, clues
from detect_bypass.judge.origin import Origin, origin
from detect_bypass.judge.severity import Reach, reach

__all__ = [
    "PREDICATES",
    "SECRETS_MANAGER",
    "CallerLocation",
    "Case",
    "Inventory",
    "Judgement",
    "Origin",
    "Reach",
    "Verdict",
    "clues",
    "judge",
    "origin",
    "reach",
]
