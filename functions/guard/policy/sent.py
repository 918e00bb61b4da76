"""Which condition keys a request to Secrets Manager never has."""

from collections.abc import Mapping

NEVER_SENT: Mapping[str, None] = dict.fromkeys(
    ("aws:SourceVpcArn", "aws:VpceAccount", "aws:VpceOrgID", "aws:VpceOrgPaths")
)
"""Keys that are absent from it, as the context of a `guard.policy.evaluate.Request`.

AWS lists the services that send them, and Secrets Manager is none of them ("AWS global condition
context keys" in the IAM User Guide).
"""
