"""What EC2 does with every request, before it reads what is asked.

DryRun: moto heeds it in a few actions and carries the others out. AWS carries out none and answers
DryRunOperation (here without checking the other parameters: whether the caller may is all that
AWS promises to check).

Order: moto's server runs requests beside each other, so two could pass the same check. Here EC2
handles one after another.

Throttling: moto has none. AWS gives CreateVpcEndpoint, ModifyVpcEndpoint and DeleteVpcEndpoints a
bucket of 4 requests that refills by 0.3 a second, per account and Region (ec2-api-throttling).
Off unless `options.throttle` is set.
"""

import threading
import time
from typing import Any

from moto.core.utils import camelcase_to_underscores
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses._base_response import EC2BaseResponse

from . import endpoint_states
from .options import options
from .patching import Patches

patches = Patches()

_one_at_a_time = threading.RLock()
_THROTTLED = {"CreateVpcEndpoint", "ModifyVpcEndpoint", "DeleteVpcEndpoints"}


@patches.method(EC2BaseResponse)
def call_action(moto: Any, request: Any) -> Any:
    with _one_at_a_time:
        return _handle(moto, request)


def _handle(moto: Any, request: Any) -> Any:
    action = request._get_action()
    endpoint_states.advance(request.ec2_backend)
    if options.throttle and action in _THROTTLED and not _draw(request.ec2_backend, action):
        _answer_with(request, action, _refuse_too_many)
    elif request._get_param("DryRun", False):
        _answer_with(request, action, request.error_on_dryrun)
    return moto(request)


def _answer_with(request: Any, action: str, refuse: Any) -> None:
    # moto finds the action on the instance, so the error takes its usual way out.
    setattr(request, camelcase_to_underscores(action), refuse)


def _refuse_too_many() -> None:
    raise EC2ClientError("RequestLimitExceeded", "Request limit exceeded.")


def _draw(backend: Any, action: str) -> bool:
    """Takes one request out of the bucket; False when it is empty."""
    buckets = vars(backend).setdefault("request_buckets", {})
    now = time.time()
    level, since = buckets.get(action, (options.throttle_bucket, now))
    level = min(options.throttle_bucket, level + (now - since) * options.throttle_refill)
    buckets[action] = (level - 1 if level >= 1 else level, now)
    return level >= 1
