"""Which of the approved policies an endpoint carries."""

from dataclasses import dataclass, field
from pathlib import Path

from guard.approved import ApprovedPolicyError, Placeholders, load, names
from guard.policy import PolicyError, parse, same_meaning
from guard.settings import Settings


@dataclass(slots=True)
class PolicyNames:
    """The names of the policies in a folder, found by what a text means; each text is read once."""

    folder: Path
    settings: Settings
    _known: dict[str, str] = field(default_factory=dict[str, str])

    def of(self, text: str) -> str:
        """The name of the approved policy that means the same; empty where there is none."""
        if text not in self._known:
            self._known[text] = self._find(text)
        return self._known[text]

    def _find(self, text: str) -> str:
        try:
            attached = parse(text)
        except PolicyError:
            return ""
        settings = self.settings
        values = Placeholders(
            account_id=settings.account_id,
            region=settings.region,
            partition=settings.partition,
            org_id=settings.org_id,
        )
        for name in names(self.folder):
            try:
                if same_meaning(load(name, self.folder, values).policy, attached):
                    return name
            except ApprovedPolicyError:
                continue  # one that this deployment cannot use is not what the endpoint carries
        return ""
