"""An endpoint that somebody has just made, with the policy that AWS gives it by default. Pure.

Terraform and CloudFormation make most endpoints so. Nobody opened anything: whoever names no policy
gets this one, and has the approved one within minutes.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from guard.approved.rollout import same_meaning

if TYPE_CHECKING:
    from restore_policy.findings import About

YOUNG = timedelta(minutes=30)
MADE = "CreateVpcEndpoint"
# "Control access to VPC endpoints using endpoint policies", AWS PrivateLink guide.
_DEFAULT = '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'


def is_new_with_default(about: "About") -> bool:
    """Whether its making is all that is known of it, and it carries AWS's default policy."""
    names = {one.event_name for one in about.callers}
    young = about.now - about.attached.created <= YOUNG
    return young and names == {MADE} and same_meaning(about.attached.text, _DEFAULT)
