"""What was seen, kept: one ledger over a directory of shards or a single file, written by many and lost by none.

``store.open_ledger`` reads any shape as DataFrames, ``writer.LedgerWriter`` appends to a directory with the standard
library alone, ``json_array`` reads the JSON array of the class interface.
"""
