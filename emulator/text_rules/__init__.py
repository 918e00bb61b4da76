"""The rules that AWS documents for the texts of a request: characters, length, count.

The rules are data, one file for each service in this folder, each row with its source. What
botocore's service model states (min, max, pattern, enum) is taken from the model; the rows hold
what only the documentation's text says. `check` holds a request to both before moto sees it.
"""

from .request import Refused, check
from .table import READS, NoRule, Rule, Table, is_write, table

__all__ = ["READS", "NoRule", "Refused", "Rule", "Table", "check", "is_write", "table"]
