"""An emulated AWS account, by other authors, to deploy into and to break things in."""
