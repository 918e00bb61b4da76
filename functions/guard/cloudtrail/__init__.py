"""CloudTrail records and what they say."""
