"""Which VPCs carry a tag that matters, remembered for a minute.

EC2's calls are throttled for the whole account. Few VPCs of an account have such a tag, so one call
reads all of them, and a tag takes effect within a minute, as the mode does. What an older tag
decided is made good by the sweep, which is never answered from older tags than its own. One thing
it cannot make good: in a VPC that was excepted less than a minute before, a policy may be put back
once more. The history has what was there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from guard.endpoint.fresh import fresh
from guard.endpoint.observe import Observer
from guard.endpoint.state import Tags


@dataclass(slots=True)
class VpcTagCache:
    """The VPCs with a tag of one of these keys, as this execution environment last read them."""

    observer: Observer
    keys: frozenset[str]
    _tags: Mapping[str, Tags] = field(default_factory=dict[str, Tags])
    _read_at: float = float("-inf")

    def tags(self, now: datetime, since: float) -> Mapping[str, Tags]:
        """All tags of those VPCs, by id; a VPC that is missing has none of the keys.

        Raises ClientError or BotoCoreError, and remembers no answer then.
        """
        if not fresh(self._read_at, now.timestamp(), since):
            self._tags = self.observer.vpc_tags(self.keys)
            self._read_at = now.timestamp()
        return self._tags
