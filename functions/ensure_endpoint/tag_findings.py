"""The finding that somebody set or removed a tag that the guard heeds. Pure."""

from collections.abc import Collection
from datetime import datetime

from ensure_endpoint.tags import OWN_PREFIX
from guard.cloudtrail.callers import Caller
from guard.cloudtrail.record import Record
from guard.cloudtrail.tagging import CREATING, tagged, tags_in
from guard.findings.finding import HOUR, Finding, Kind, Severity
from guard.findings.subject import Subject
from guard.settings import Settings

TAGGING = frozenset({"CreateTags", "DeleteTags"}).union(CREATING.values())


def tag_changed(
    record: Record, settings: Settings, keys: Collection[str], now: datetime
) -> list[Finding]:
    """One for a call that changed tags of the guard's, or of `keys`; none for any other."""
    resources = tagged(record)
    tags = {
        key: value
        for key, value in tags_in(record).items()
        if key.startswith(OWN_PREFIX) or key in keys
    }
    if record.failed or record.event_name not in TAGGING or not resources or not tags:
        return []
    removed = record.event_name == "DeleteTags"
    caller = Caller.of(record)
    named = ", ".join(
        f"{key} ({value})" if value and not removed else key for key, value in tags.items()
    )
    what = f"{named} was {'removed from' if removed else 'set on'} {', '.join(resources)}"
    known = {
        "changed_by": caller.words,
        "callers": [caller.to_json()],
        "event_ids": [record.event_id],
        "tags": tags,
        "resources": list(resources),
    }
    heard_again = removed and set(tags) == {settings.opt_out_tag}
    return [
        Subject(settings, now, resources[0], known, (record.event_id,)).finding(
            Kind.GUARD_CHANGED,
            Severity.LOW if heard_again else Severity.MEDIUM,
            title=f"A tag that the guard heeds was {'removed from' if removed else 'set on'}"
            f" {resources[0]}",
            cause=f"{what} by {caller.words}.",
            todo=(
                "ask whoever did it, if it was not meant to be",
                "keep the guard's keys to those who may use them: see the SCP in docs/security.md",
            ),
            window=HOUR,
            identity=(record.event_name, caller.principal, *sorted(tags), *sorted(resources)),
        )
    ]
