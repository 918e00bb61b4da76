"""What tests of endpoint policies share: somebody who changes one, and the history that is kept."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from emulator import Caller, Cloud
from guard.approved import history
from guard.table.items import Items
from guardctl.policies import ROOT
from tests.reactions.account import ALLOW_ALL


def copy_of_code(root: Path) -> Path:
    """What a deployment is made of, in `root`; the folder of what is approved is a real copy."""
    shutil.copytree(ROOT / "layers", root / "layers")
    (root / "functions").symlink_to(ROOT / "functions")
    shutil.copy(ROOT / "template.yaml", root / "template.yaml")
    return root / "layers" / "approved_policies"


def tamper(
    cloud: Cloud, endpoint_id: str, who: str = "mallory", user_agent: str = "", policy: Any = None
) -> None:
    """Somebody writes another policy: one that lets everything pass."""
    session = cloud.session(who, Caller(user_agent=user_agent) if user_agent else None)
    session.client("ec2").modify_vpc_endpoint(
        VpcEndpointId=endpoint_id, PolicyDocument=json.dumps(policy or ALLOW_ALL)
    )


def place(cloud: Cloud) -> str:
    """The account and the Region, as names in the state table have them."""
    return f"{cloud.account}/{cloud.region}"


@dataclass(frozen=True, slots=True)
class History:
    """The history in the deployed table."""

    cloud: Cloud

    @property
    def _items(self) -> Items:
        client = self.cloud.session("audience").client("dynamodb")
        return Items(client, self.cloud.outputs["StateTableName"], place(self.cloud))

    def of(self, endpoint_id: str) -> Iterator[dict[str, Any]]:
        """The changes that are kept, oldest first."""
        kept = history.History(self._items, timedelta(days=1))
        changes = list(kept.latest(endpoint_id, self.cloud.clock.now()))
        return (one.to_json() for one in reversed(changes))

    def expires(self, endpoint_id: str, number: int) -> float:
        """In how many seconds a change is forgotten."""
        item = self._items.get(
            f"history#{place(self.cloud)}/{endpoint_id}#{number}", self.cloud.clock.now()
        )
        return int(item["expires_at"]) - self.cloud.clock.now().timestamp()
