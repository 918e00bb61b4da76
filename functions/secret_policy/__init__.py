"""Watch the resource policies of secrets, and restore the perimeter in them."""
