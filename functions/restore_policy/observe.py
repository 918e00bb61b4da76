"""The policies that endpoints carry, and the tags that choose what they are to carry; read-only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from guard.approved.rollout import same_meaning
from guard.endpoint.observe import Observer
from guard.endpoint.state import AttachedPolicy, Tags
from guard.reconcile.request import Key, Request
from restore_policy.triggers import TAGGED, WRITTEN
from restore_policy.vpc_tag_cache import VpcTagCache


@dataclass(frozen=True, slots=True)
class Observed:
    """An endpoint with its policy, and the tags of its VPC."""

    attached: AttachedPolicy
    vpc_tags: Tags


def observe(
    requests: Sequence[Request], now: datetime, observer: Observer, vpc_tag_cache: VpcTagCache
) -> Mapping[Key, Observed]:
    """The endpoints that are there, of the service, and not as the guard's own call left them.

    Raises ClientError or BotoCoreError.
    """
    by_id = {one.key.id: one for one in requests}
    found = observer.attached_policies(by_id).values()
    attached = [one for one in found if not _is_echo(by_id[one.endpoint_id], one)]
    since = _tags_since(attached, by_id)
    vpc_tags = vpc_tag_cache.tags(now, since) if attached else {}
    return {
        by_id[one.endpoint_id].key: Observed(one, vpc_tags.get(one.vpc_id, {})) for one in attached
    }


def _is_echo(request: Request, attached: AttachedPolicy) -> bool:
    """Whether all triggers are the guard's own writes, and the endpoint shows the last."""
    written = [one.facts.get(WRITTEN, "") for one in request.triggers]
    return all(written) and same_meaning(attached.text, written[-1])


def _tags_since(attached: Sequence[AttachedPolicy], requests: Mapping[str, Request]) -> float:
    """When the tags of VPCs that count for these endpoints were there to be read: epoch seconds.

    A VPC is older than its endpoints, so what was read after the youngest of them knows all their
    VPCs. A sweep that asks has read the tags itself, and would ask in vain if older ones decided;
    so would whoever has just changed one.
    """
    created = [one.created.timestamp() for one in attached]
    triggers = [it for one in attached for it in requests[one.endpoint_id].triggers]
    asked = [one.at for one in triggers if not one.is_event or TAGGED in one.facts]
    return max(created + asked, default=0)
