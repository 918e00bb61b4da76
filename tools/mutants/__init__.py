"""Mutation tests of what decides: `make mutants`."""
