"""Ask on a schedule for everything to be reconciled."""
