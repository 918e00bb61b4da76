"""What an endpoint policy decides about a request, under the name `guardctl` knows it by."""

from guard.policy.evaluate import Decision, Outcome, Request, evaluate, principals_of

__all__ = ["Decision", "Outcome", "Request", "evaluate", "principals_of"]
