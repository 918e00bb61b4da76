"""Logs that are too many for one machine: Athena groups them, and guardctl judges each group."""
