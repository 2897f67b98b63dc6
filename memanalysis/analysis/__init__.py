"""What a ledger means: growth, shape, severity, forecasts and guilty sites. Pure: frames in, frames or records out."""
