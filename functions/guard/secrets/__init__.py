"""Secrets' resource policies: whether they keep a value inside the perimeter (secret_policy)."""
