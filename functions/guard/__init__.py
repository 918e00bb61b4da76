"""The shared core of the reactions: one module per step of observe, decide, act, verify, report."""
