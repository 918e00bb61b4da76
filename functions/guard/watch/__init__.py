"""The guard watches itself: its heartbeat, its trails, and who changes it."""
