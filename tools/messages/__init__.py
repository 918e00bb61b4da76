"""`make messages`: pictures of the Slack messages that findings and alarms become."""
