"""Find records of the trail that no event brought."""
