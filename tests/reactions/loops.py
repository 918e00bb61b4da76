"""The two functions that send to themselves, set as a test wants them, and how long chains got."""

import json
from dataclasses import replace

from guard.reconcile.batch import HOPS

ENSURE, RESTORE = "EnsureEndpointFunction", "RestorePolicyFunction"
UNDER_LAMBDAS_BRAKE = 15  # hops after the first run: 16 runs


class Loops:
    """The two functions that send to themselves, as a test wants them set."""

    def __init__(self, cloud):
        self.cloud = cloud

    def set(self, *, allowed=True, **variables):
        functions = self.cloud.deployment.functions
        for name in (ENSURE, RESTORE):
            hops = {} if allowed else {"MAXIMUM_HOPS": str(UNDER_LAMBDAS_BRAKE)}
            environment = {**functions[name].environment, **hops, **variables}
            functions[name] = replace(functions[name], may_recur=allowed, environment=environment)

    def hops(self):
        """The most hops of any message that a function was given."""
        bodies = [
            json.loads(record["body"])
            for one in self.cloud.invocations
            if one.function in (ENSURE, RESTORE)
            for record in one.event["Records"]
        ]
        return max(body.get(HOPS, 0) for body in bodies)

    def ended_well(self):
        queues = (
            "VpcQueue",
            "PolicyQueue",
            "SecretPolicyQueue",
            "DetectionQueue",
            "NotifyQueue",
            "NotifyUrgentQueue",
        )
        there = [one for one in queues if one in self.cloud.deployment.physical]
        letters = [letter for one in there for letter in self.cloud.dead_letters(one)]
        waiting = [one for one in there if self.cloud.queue_depth(one)]
        return (self.cloud.dropped, letters, waiting) == ([], [], [])
