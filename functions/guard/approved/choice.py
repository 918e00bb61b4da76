"""Which approved policy an endpoint is to carry: by its tag, its VPC's tag, or the stack's choice.

A tag only ever chooses among the policies that were reviewed and deployed: its value is a name, and
a name that is not one of theirs is a finding that leaves the endpoint as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from guard.approved.policies import ApprovedPolicy, ApprovedPolicyError, Placeholders, load
from guard.endpoint.state import Tags
from guard.settings import LAYER_FOLDER, POLICY_TAG, Settings, required

NO_TAGS: Tags = {}


@dataclass(frozen=True, slots=True)
class ChosenPolicy:
    """`policy`, or None and the `problem` in words for the finding; `by` says who chose it."""

    policy: ApprovedPolicy | None
    problem: str = ""
    by: str = ""

    @property
    def text(self) -> str:
        """What is written to an endpoint; empty where there is no policy."""
        return self.policy.text if self.policy else ""


@dataclass(frozen=True, slots=True)
class ApprovedPolicies:
    """The deployed policies; each is read when it is first chosen, filled in for this account.

    `default` is the stack's choice and `tag` the key of the tag that chooses otherwise; `org_id`
    is the organization's id, or empty.
    """

    default: str
    tag: str
    folder: str
    settings: Settings
    org_id: str = ""
    _loaded: dict[str, ChosenPolicy] = field(default_factory=dict[str, ChosenPolicy], repr=False)

    @classmethod
    def from_env(cls, env: Mapping[str, str], settings: Settings, org_id: str) -> Self:
        """Raises SettingsError for a variable that is missing."""
        folder = env.get("APPROVED_POLICIES_DIR", LAYER_FOLDER)
        return cls(
            required(env, "APPROVED_POLICY"),
            required(env, "POLICY_TAG", POLICY_TAG),
            folder,
            settings,
            org_id,
        )

    def choose(self, endpoint: Tags = NO_TAGS, vpc: Tags = NO_TAGS) -> ChosenPolicy:
        """The policy of an endpoint with these tags, in a VPC with those."""
        if self.tag in endpoint:
            return self._named(endpoint[self.tag], f"the endpoint's tag {self.tag}")
        if self.tag in vpc:
            return self._named(vpc[self.tag], f"the VPC's tag {self.tag}")
        return self._named(self.default, "the parameter ApprovedPolicy")

    def _named(self, name: str, by: str) -> ChosenPolicy:
        """A policy that cannot be used is no reason to fail: it is a finding."""
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        found = self._loaded[name]
        problem = f"{found.problem} (chosen by {by})" if found.problem else ""
        return ChosenPolicy(found.policy, problem, by)

    def _load(self, name: str) -> ChosenPolicy:
        try:
            values = Placeholders(
                account_id=self.settings.account_id,
                region=self.settings.region,
                partition=self.settings.partition,
                org_id=self.org_id,
            )
            return ChosenPolicy(load(name, self.folder, values))
        except ApprovedPolicyError as error:
            return ChosenPolicy(None, str(error))
