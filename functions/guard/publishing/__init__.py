"""How findings go out."""
