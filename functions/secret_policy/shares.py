"""No caller takes the guard's time from the others: how much of a batch is done for one. Pure.

Secrets Manager counts the reads and writes of all resource policies of the account and Region
against one rate, 50 a second ("Secrets Manager quotas"). Whoever changes policies that fast has the
guard read each of those secrets. So of a batch (`BatchSize` in the template) at most a share is
done for one caller, and the rest of what he changed backs off, with the messages that are about it:
the queue moves on faster than he can fill it, and the guard itself leaves others half of the rate.
"""

import re
from collections import Counter
from collections.abc import Sequence

from botocore.exceptions import ClientError

from guard.reconcile.request import Request

MOST_OF_ONE_CALLER = 10
_SESSION = re.compile(r"(arn:[^:]+:sts::\d+:assumed-role/[^/]+)/.*", re.DOTALL)


def later() -> ClientError:
    """What a secret that is to wait has for a state: an error that has the kernel back off."""
    why = "over its caller's share of the batch"
    return ClientError({"Error": {"Code": "Throttling", "Message": why}}, "GetResourcePolicy")


def over_share(requests: Sequence[Request]) -> list[Request]:
    """What is to wait: secrets that were changed by nobody but callers who have had their share.

    What the guard asks for itself never waits. A role is one caller, whatever its sessions' names.
    """
    done: Counter[str] = Counter()
    late: list[Request] = []
    for request in requests:
        callers = {_caller(one.who) for one in request.triggers if one.is_event}
        own = any(not one.is_event for one in request.triggers)
        if not own and all(done[one] >= MOST_OF_ONE_CALLER for one in callers):
            late.append(request)
        else:
            done.update(callers)
    return late


def _caller(who: str) -> str:
    session = _SESSION.fullmatch(who)
    return session[1] if session else who
