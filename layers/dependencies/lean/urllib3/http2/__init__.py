"""HTTP/2 is not spoken here: it needs a package of its own, and is looked for at every start."""
