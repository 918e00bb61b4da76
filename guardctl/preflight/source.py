"""The policy a preflight asks about: a file, or an approved policy, filled in for each account."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from guard.approved import policies as approved
from guard.approved.policies import ApprovedPolicyError, Placeholders
from guard.partitions import partition_of
from guard.policy import Choice, Policy, PolicyError, Statement, parse
from guard.policy.document import EVERYONE
from guard.policy.reading import read
from guardctl.policies import SHIPPED
from guardctl.policy_lint import SAMPLE
from secret_policy.perimeter import SID

ALL_MAY = Statement(
    "Allow",
    Choice(frozenset([EVERYONE])),
    Choice(frozenset(["*"])),
    Choice(frozenset(["*"])),
    frozenset(),
)


class PolicySourceError(ValueError):
    """A policy that cannot be used; the message says which, where and why."""


@dataclass(slots=True)
class PolicySource:
    """The text of a policy, and what it says in each account and Region.

    `org_id` fills `${OrgId}`; the other placeholders follow from the record that is evaluated.
    """

    name: str
    text: str
    org_id: str = ""
    file: Path = Path()
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
            found = cls(policy, text, org_id, path)
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

    @property
    def is_of_a_secret(self) -> bool:
        """Whether it can only be a secret's policy: the guard's, or one that allows nothing."""
        policy = self.policy_for(SAMPLE.account_id, SAMPLE.region)
        allows = any(one.effect == "Allow" for one in policy.statements)
        return not allows or any(one.label == SID for one in policy.statements)

    def denials_for(self, account: str, region: str) -> Policy:
        """What it denies there, beside an Allow of everything else.

        In the secret's own account a resource policy need not allow: an identity's policy may.
        """
        policy = self.policy_for(account, region)
        denials = (one for one in policy.statements if one.effect == "Deny")
        return replace(policy, statements=(ALL_MAY, *denials))

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
