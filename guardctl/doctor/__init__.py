"""What a deployment needs, checked first: one line each, ok or what to do."""
