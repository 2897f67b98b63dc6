"""What rows a file of JSON lines holds, and what can be saved of one that is torn or corrupt.

``timestamp`` is ISO 8601 in UTC with microseconds and ``Z``. Parsed rows hold *cells*: timestamps as whole microseconds
since 1970, the rest as Python's own types.

In a live shard of ``sites`` the description of a site (file, line, function, traceback) stands in its first line, with
a number under ``description``. Later lines of the shard that give the same ``site_id`` and number leave the four out,
and are filled in here. In a line without that number, what is left out is unknown.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from memanalysis.ledger.reading.migrations import NEWER_VERSION, migrate_row
from memanalysis.ledger.values import cell_of
from memanalysis.schema import TABLES, ColumnType

__all__ = [
    "DESCRIPTION",
    "DESCRIPTION_NUMBER",
    "MAX_LINE_BYTES",
    "NOT_A_ROW",
    "NOT_JSON",
    "TOO_LONG",
    "TORN_TAIL",
    "iter_objects",
    "iter_rows",
    "row_from_object",
]

MAX_LINE_BYTES = 16 * 1024**2
"""A longer line is skipped: a row of ours is under 100 KB, and a reader is not made to hold whatever it is given."""

TORN_TAIL = "torn last line"
NOT_JSON = "not JSON"
NOT_A_ROW = "not a row of its table"
TOO_LONG = "a line over 16 MiB"

DESCRIPTION = ("file", "line", "function", "traceback", "user_file", "user_line", "user_function")
"""What a line of ``sites`` leaves out when an earlier one of the shard gives it."""

DESCRIPTION_NUMBER = "description"
"""Key of a line, no column: which description of its site a line gives, or leaves out because it was given."""

_decode = json.JSONDecoder(parse_constant=lambda _: None).decode


def iter_rows(stream: BinaryIO, table: str, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    """Rows of one table, one a good line; lines that are none are counted in ``skipped`` by reason."""
    columns = TABLES[table]
    described: dict[tuple[str, int], dict[str, Any]] = {}
    for found in iter_objects(stream, skipped):
        current = migrate_row(table, found)
        row = None if current is None else row_from_object(columns, current)
        if row is None:
            skipped[NEWER_VERSION if current is None else NOT_A_ROW] += 1
            continue
        if table == "sites" and type(number := found.get(DESCRIPTION_NUMBER)) is int and "site_id" in row:
            site = (row["site_id"], number)
            if any(name in found for name in DESCRIPTION):
                described[site] = {name: row[name] for name in DESCRIPTION if name in row}
            else:  # where the line that gave it is corrupt, it is unknown, and not what an earlier one gave
                row |= described.get(site, {})
        yield row


def iter_objects(stream: BinaryIO, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    """JSON objects of the good lines; what is corrupt is left out and counted by reason."""
    while line := stream.readline(MAX_LINE_BYTES + 1):
        whole = line.endswith(b"\n")
        if not whole and len(line) > MAX_LINE_BYTES:
            _skip_line(stream)
            skipped[TOO_LONG] += 1
        elif not line.isspace():
            try:
                found = _decode(line.decode("utf-8-sig"))
            except (ValueError, RecursionError):
                skipped[NOT_JSON if whole else TORN_TAIL] += 1
                continue
            if isinstance(found, dict):
                yield found
            else:
                skipped[NOT_A_ROW] += 1


def row_from_object(columns: Mapping[str, ColumnType], found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Cells of the known columns that are not null; None if a value is not of its column's type."""
    row: dict[str, Any] = {}
    try:
        for name, kind in columns.items():
            value = found.get(name)
            if value is not None:
                row[name] = cell_of(kind, value)
    except (ValueError, TypeError, OverflowError):
        return None
    return row


def _skip_line(stream: BinaryIO) -> None:
    while (piece := stream.readline(MAX_LINE_BYTES)) and not piece.endswith(b"\n"):
        pass
