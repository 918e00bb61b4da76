"""Which approved policy an endpoint is to carry: by its tag, its VPC's tag, or the stack's choice.

A tag only ever chooses among the policies that were reviewed and deployed: its value is a name. A
name that is not one of theirs chooses nothing, as if the tag were not there, and is a finding. So a
tag neither keeps a policy that somebody wrote, nor cuts a VPC off by one of AWS's examples.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from guard.approved.policies import ApprovedPolicy, ApprovedPolicyError, Placeholders, load
from guard.endpoint.state import Tags
from guard.settings import LAYER_FOLDER, POLICY_TAG, Settings, required

NO_TAGS: Tags = {}
# AWS's examples, which the parameter may choose: one is for a secret that nobody has.
EXAMPLES = frozenset({"one-account", "one-secret"})


@dataclass(frozen=True, slots=True)
class ChosenPolicy:
    """`policy`, or None and the `problem` in words for the finding; `by` says who chose it.

    `ignored` says of a tag that chooses nothing why it does not; `by_tag`: a tag chose the policy.
    """

    policy: ApprovedPolicy | None
    problem: str = ""
    by: str = ""
    ignored: str = ""
    by_tag: bool = False

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
        ignored: list[str] = []
        for tags, whose in ((endpoint, "endpoint"), (vpc, "VPC")):
            if self.tag in tags:
                found = self._by_tag(tags[self.tag], f"the {whose}'s tag {self.tag}")
                if found.policy:
                    return replace(found, ignored="; ".join(ignored))
                ignored.append(found.problem)
        default = self._named(self.default, "the parameter ApprovedPolicy")
        return replace(default, ignored="; ".join(ignored))

    def _by_tag(self, name: str, by: str) -> ChosenPolicy:
        if name in EXAMPLES:
            why = f"{name} is an example of AWS's: no tag can choose it before it has another name"
            return ChosenPolicy(None, f"{why} (chosen by {by})", by)
        return replace(self._named(name, by), by_tag=True)

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
