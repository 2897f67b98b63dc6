"""How rows of an older version become rows of the present one.

Each step is a small function from a row of version ``n`` to one of ``n + 1``, and rows pass through as many as they
need. A line states its version under ``schema_version``; one that states none is of version 1. A sealed file states it
in its footer, a folder in its marker. The JSON array, older than all, is read by `json_array`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from memanalysis import schema

__all__ = ["FIRST_VERSION", "MIGRATIONS", "NEWER_VERSION", "migrate_row"]

FIRST_VERSION = 1
"""Of rows that state none."""

NEWER_VERSION = "a row of a newer version"

MIGRATIONS: dict[int, Callable[[str, dict[str, Any]], dict[str, Any]]] = {}
"""Steps by the version they start from: ``step(table, row)`` gives the row of the next version."""


def migrate_row(table: str, row: Mapping[str, Any], *, version: int | None = None) -> Mapping[str, Any] | None:
    """Row of the present version; None if it is of a newer one.

    Parameters
    ----------
    table : str
        Which of the five.
    row : mapping
        As it was written.
    version : int, optional
        Of the file; without it the row's own.
    """
    stated = row.get("schema_version", FIRST_VERSION) if version is None else version
    if type(stated) is not int or stated < FIRST_VERSION:  # corrupt, not old
        stated = FIRST_VERSION
    if stated == schema.SCHEMA_VERSION:
        return row
    if stated > schema.SCHEMA_VERSION:
        return None
    migrated = dict(row)
    for step in range(stated, schema.SCHEMA_VERSION):
        migrated = MIGRATIONS[step](table, migrated)
    if "schema_version" in migrated:
        migrated["schema_version"] = schema.SCHEMA_VERSION
    return migrated
