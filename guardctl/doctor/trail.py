"""Whether CloudTrail gives EventBridge what the guard must see.

Needs cloudtrail:DescribeTrails, cloudtrail:GetTrailStatus and cloudtrail:GetEventSelectors.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from guardctl.doctor.lines import Line, State, asked
from guardctl.doctor.place import Place
from heartbeat.trails import Seen, Trails

TRAIL, NETWORK = "trail", "network activity events"
MAKE_ONE = (
    "EventBridge is sent only what a trail logs. Make one that logs management events, with reads:"
    " aws cloudtrail create-trail --name management-events --is-multi-region-trail"
    " --s3-bucket-name BUCKET && aws cloudtrail start-logging --name management-events"
)


def management_events(place: Place) -> list[Line]:
    """Whether a trail logs what EventBridge must be sent."""
    trails = Trails(
        place.client("cloudtrail"),
        lambda region: place.client("cloudtrail", region),
        place.region,
    )
    return [judge_trails(trails.observe(datetime.now(UTC)))]


def judge_trails(seen: Sequence[Seen]) -> Line:
    """A trail that logs reads is what is needed; without, the guard sees no bypass."""
    for trail in seen:
        if trail.reads:
            return Line(TRAIL, State.OK, f"{trail.arn} logs management events, reads included")
    unread = [one for one in seen if one.reads is None]
    if unread:
        why = "; ".join(f"{one.arn}: {one.hindrance}".removeprefix(": ") for one in unread)
        do = "ask whoever owns it whether it logs management events, reads included"
        return Line(TRAIL, State.UNKNOWN, f"what it logs cannot be read here: {why}", do)
    if not seen:
        return Line(
            TRAIL, State.WARN, "no trail covers this Region: nothing would be seen", MAKE_ONE
        )
    why = "; ".join(f"{one.arn}: {one.hindrance}" for one in seen)
    do = (
        "let one of them log management events, reads included: aws cloudtrail put-event-selectors,"
        " or start-logging where it is stopped"
    )
    return Line(TRAIL, State.WARN, f"no trail logs reads, so no bypass would be seen: {why}", do)


def network_events(place: Place) -> list[Line]:
    """Optional, and charged by AWS: what an endpoint's policy denies is in these events alone."""

    def ask() -> list[Line]:
        trails = place.client("cloudtrail").describe_trails(includeShadowTrails=True)["trailList"]
        asked_of = {one["TrailARN"]: _selectors(place, one) for one in trails}
        return [judge_network(asked_of)]

    return [*asked(NETWORK, "cloudtrail", ask)]


def judge_network(selectors: Mapping[str, Sequence[Mapping[str, Any]] | None]) -> Line:
    """`selectors` are each trail's advanced ones, None where they cannot be read."""
    for arn, advanced in selectors.items():
        if any(map(_network_of_secrets, advanced or ())):
            return Line(NETWORK, State.OK, f"{arn} logs those of Secrets Manager")
    if None in selectors.values():
        return Line(NETWORK, State.UNKNOWN, "not every trail can be read here")
    text = "no trail logs them: what an endpoint's policy denies is then recorded nowhere"
    return Line(NETWORK, State.INFO, text, "optional, and charged by AWS: see docs/deploying.md")


def _network_of_secrets(selector: Mapping[str, Any]) -> bool:
    fields = {one["Field"]: one.get("Equals", []) for one in selector.get("FieldSelectors", ())}
    return "NetworkActivity" in fields.get(
        "eventCategory", ()
    ) and "secretsmanager.amazonaws.com" in fields.get("eventSource", ())


def _selectors(place: Place, trail: Mapping[str, Any]) -> Sequence[Mapping[str, Any]] | None:
    """A trail is asked in its home Region; another account's trail may not be."""
    try:
        client = place.client("cloudtrail", trail.get("HomeRegion", ""))
        answer = client.get_event_selectors(TrailName=trail["TrailARN"])
    except (BotoCoreError, ClientError):
        return None
    return answer.get("AdvancedEventSelectors") or []
