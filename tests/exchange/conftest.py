"""Heaps to export."""

from heap_makers import make_ledger

__all__ = ["make_ledger"]
