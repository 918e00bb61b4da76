"""Endpoint policy documents: read, compared by meaning, and their differences in words.

Pure Python: no AWS calls, no clock, no environment.
"""

from guard.policy.difference import Difference, Risk, compare, differences, overall_risk
from guard.policy.document import Choice, Policy, Statement, means, parse
from guard.policy.reading import MAX_CHARACTERS, PolicyError

__all__ = [
    "MAX_CHARACTERS",
    "Choice",
    "Difference",
    "Policy",
    "PolicyError",
    "Risk",
    "Statement",
    "compare",
    "differences",
    "means",
    "overall_risk",
    "parse",
]
