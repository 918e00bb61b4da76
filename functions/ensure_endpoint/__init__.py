"""Ensure the endpoint: create what is missing, repair what does not work."""
