"""Findings as Slack messages: the payload, and the two ways to post it."""
