"""`guardctl audit`: how the guard judges an account, and what it would do."""
