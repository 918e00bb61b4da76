"""Sum up what was not published at once."""
