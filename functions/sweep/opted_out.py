"""What carries the opt-out tag, who set that, and what is not well there."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from guard.approved.endpoints import Chosen
from guard.cloudtrail.tagging import Taggers
from guard.endpoint.state import Tags
from guard.policy import means
from guard.table.opt_outs import OptOut


def opted_out(
    vpcs: Mapping[str, str],
    vpc_tags: Mapping[str, Tags],
    endpoints: Iterable[Chosen],
    tag: str,
    taggers: Taggers,
    now: datetime,
) -> Iterator[OptOut]:
    """The VPCs (`vpcs` has what is not well in each) and the endpoints with the tag of their own.

    Needs cloudtrail:LookupEvents; an event history that cannot be read is said in `set_by`.
    """
    for vpc_id, left in vpcs.items():
        who = taggers.who([vpc_id], tag, now)
        yield OptOut(vpc_id, vpc_tags.get(vpc_id, {}).get(tag, ""), who, left)
    for one in endpoints:
        attached = one.attached
        if tag in attached.tags:
            foreign = one.policy and not means(attached.text, one.policy.policy)
            left = f"its policy is not {one.policy.name}" if one.policy and foreign else ""
            who = taggers.who([attached.endpoint_id], tag, now)
            yield OptOut(attached.endpoint_id, attached.tags[tag], who, left)
