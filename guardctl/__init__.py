"""The operator's command line: drill, replay, policies."""
