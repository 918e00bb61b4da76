"""Check that the guard hears and works."""
