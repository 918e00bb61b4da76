"""The way back: what goes, what stays, the history exported first, and the stack deleted."""
