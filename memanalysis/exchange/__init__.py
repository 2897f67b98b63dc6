"""Formats of other tools: heap profiles and flame graphs from a ledger, and other tools' measurements into one."""
