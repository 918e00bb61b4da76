"""Restore the approved policy on endpoints."""
