"""What comes in: a batch of messages, the CloudTrail records in them, and who made a call."""
