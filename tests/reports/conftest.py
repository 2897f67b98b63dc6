"""Ledgers with known truth and a strict reader of pages."""

from ledger_makers import maker, read_page, three_services

__all__ = ["maker", "read_page", "three_services"]
