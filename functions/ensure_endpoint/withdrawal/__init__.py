"""Take an endpoint away where it hinders what its owner does."""
