"""Findings: what each says, its links, its text in one line or in Slack."""
