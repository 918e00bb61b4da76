"""Reaction 1, ensure_endpoint: observe a VPC, decide what its endpoint lacks, act, tell."""
