"""Ledgers with known truth and a strict reader of pages."""

from fleet_ledger import fleet
from ledger_makers import maker, read_page, three_services

__all__ = ["fleet", "maker", "read_page", "three_services"]
