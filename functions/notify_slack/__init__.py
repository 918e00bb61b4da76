"""Bring findings to Slack."""
