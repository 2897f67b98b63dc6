"""Read a ledger: any shape, as Arrow tables and DataFrames."""
