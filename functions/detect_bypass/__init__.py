"""Detect requests to Secrets Manager that did not come through an approved endpoint."""
