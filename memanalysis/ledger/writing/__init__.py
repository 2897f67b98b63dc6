"""Append to a ledger from a running process, with the standard library alone."""
