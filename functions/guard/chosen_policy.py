"""The approved policy this deployment chose, or why there is none to enforce."""

from collections.abc import Mapping
from dataclasses import dataclass

from guard.approved import ApprovedPolicy, ApprovedPolicyError, Placeholders, load
from guard.settings import Settings, required

LAYER_FOLDER = "/opt/endpoint_policies"


@dataclass(frozen=True, slots=True)
class ChosenPolicy:
    """`policy`, or None and the `problem` in words for the finding."""

    policy: ApprovedPolicy | None
    problem: str = ""

    @property
    def text(self) -> str:
        """What is written to an endpoint; empty where there is no policy."""
        return self.policy.text if self.policy else ""

    @classmethod
    def from_env(cls, env: Mapping[str, str], settings: Settings) -> "ChosenPolicy":
        """Load the policy that APPROVED_POLICY names, filled in for this account and Region.

        A policy that cannot be used is no reason to fail at cold start, which would only say that
        something failed: it is a finding, and endpoints are left as they are.
        """
        name = required(env, "APPROVED_POLICY")
        folder = env.get("APPROVED_POLICIES_DIR", LAYER_FOLDER)
        try:
            values = Placeholders(
                account_id=settings.account_id,
                region=settings.region,
                partition=settings.partition,
                org_id=settings.org_id,
            )
            return cls(load(name, folder, values))
        except ApprovedPolicyError as error:
            return cls(None, str(error))
