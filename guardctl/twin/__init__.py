"""The twin: policies that deny what the guard detects, proven before anybody attaches them."""
