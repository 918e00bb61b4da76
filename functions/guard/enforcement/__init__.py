"""Reaction 2, restore_policy: an endpoint carries its approved policy, whoever changed it."""
