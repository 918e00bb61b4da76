"""Which of the approved policies an endpoint carries."""

from functools import cache
from pathlib import Path

from guard.approved.policies import ApprovedPolicyError, Placeholders, load, names
from guard.policy import PolicyError, parse
from guard.settings import Settings


@cache
def name_of_policy(text: str, folder: Path, settings: Settings, org_id: str) -> str:
    """The name of the policy in the folder that means the same; empty where there is none."""
    try:
        attached = parse(text)
    except PolicyError:
        return ""
    values = Placeholders(
        account_id=settings.account_id,
        region=settings.region,
        partition=settings.partition,
        org_id=org_id,
    )
    for name in names(folder):
        try:
            if load(name, folder, values).policy == attached:
                return name
        except ApprovedPolicyError:
            continue  # one that this deployment cannot use is not what the endpoint carries
    return ""
