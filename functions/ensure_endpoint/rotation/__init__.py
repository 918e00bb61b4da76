"""A secret's rotation: which VPC it runs in, and whether it gets through there."""
