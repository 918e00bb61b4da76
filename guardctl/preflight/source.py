"""The policy a preflight asks about: a file, or an approved policy, filled in for each account."""

from dataclasses import dataclass, field
from pathlib import Path

from guard.approved import policies as approved
from guard.approved.policies import ApprovedPolicyError, Placeholders
from guard.partitions import partition_of
from guard.policy import Policy, PolicyError, parse
from guard.policy.reading import read
from guardctl.policies import SHIPPED
from guardctl.policy_lint import SAMPLE


class PolicySourceError(ValueError):
    """A policy that cannot be used; the message says which, where and why."""


@dataclass(slots=True)
class PolicySource:
    """The text of a policy, and what it says in each account and Region.

    `org_id` fills `${OrgId}`; the other placeholders follow from the record that is looked at.
    """

    name: str
    text: str
    org_id: str = ""
    _filled: dict[tuple[str, str], Policy] = field(default_factory=dict[tuple[str, str], Policy])

    @classmethod
    def find(cls, policy: str, org_id: str = "", folder: Path = SHIPPED) -> "PolicySource":
        """The policy in a file, or else the approved policy of that name.

        Raises PolicySourceError, also for a document that is broken in whatever account.
        """
        path = Path(policy)
        if not path.is_file():
            path = folder / f"{policy}.json"
            if policy not in approved.names(folder):
                there = ", ".join(approved.names(folder))
                raise PolicySourceError(
                    f"{policy}: no such file, and no approved policy; those are {there}"
                )
        try:
            text = path.read_text(encoding="utf-8")
            read(text)
            found = cls(policy, text, org_id)
            if not found.asks:
                found._filled["", ""] = parse(text)
            elif "OrgId" in found.asks and not org_id:
                raise PolicySourceError(f"{policy}: it holds ${{OrgId}}: give --org-id")
            else:
                found.policy_for(SAMPLE.account_id, SAMPLE.region)
        except (OSError, UnicodeDecodeError, PolicyError) as error:
            raise PolicySourceError(f"{policy}: {error}") from error
        return found

    @property
    def asks(self) -> frozenset[str]:
        """The placeholders in it."""
        return approved.placeholders(self.text)

    def policy_for(self, account: str, region: str) -> Policy:
        """What it says in this account and Region. Raises PolicySourceError."""
        key = (account, region) if self.asks else ("", "")
        if key not in self._filled:
            try:
                values = Placeholders(
                    account_id=account,
                    region=region,
                    partition=partition_of(region),
                    org_id=self.org_id,
                )
                self._filled[key] = approved.fill(self.name, self.text, values).policy
            except ApprovedPolicyError as error:
                raise PolicySourceError(str(error)) from error
        return self._filled[key]
