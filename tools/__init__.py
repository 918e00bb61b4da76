"""What this project's own developers run, by make: no part of the operator's command line."""
