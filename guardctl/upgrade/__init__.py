"""What a deployed stack's parameters become under a new template."""
