"""Notice changes to the guard itself."""
