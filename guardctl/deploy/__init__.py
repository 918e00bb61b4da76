"""A deployment from the first check to the next steps, and the way to give it its values."""
