"""`guardctl preflight`: which recorded requests an endpoint policy would have refused."""
