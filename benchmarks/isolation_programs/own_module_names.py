"""Modules that a program's folder may have."""
import importlib.util

print([importlib.util.find_spec(name) for name in ("watcher", "capture", "ledger", "boot", "schema", "units")])
