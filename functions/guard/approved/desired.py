"""What the template wants of every VPC, read once at cold start: the same for events and sweep."""

from collections.abc import Mapping

from guard.approved.choice import ApprovedPolicies
from guard.approved.lists import ApprovedLists
from guard.endpoint.plan import Desired
from guard.settings import Settings, items, whole_number


def desired_from_env(
    env: Mapping[str, str],
    settings: Settings,
    approved: ApprovedPolicies,
    lists: ApprovedLists,
) -> Desired:
    """For a VPC without a tag that chooses. Raises SettingsError for a bad variable."""
    chosen = approved.choose()
    return Desired(
        account_id=settings.account_id,
        stack_id=settings.stack_id,
        service_name=settings.service_name,
        opt_out_tag=settings.opt_out_tag,
        policy=chosen.text,
        policy_problem=chosen.problem,
        maximum_zones=whole_number(env, "MAXIMUM_ZONES"),
        approved_endpoints=lists.endpoints,
        approved_accounts=items(env, "APPROVED_ACCOUNTS"),
    )
