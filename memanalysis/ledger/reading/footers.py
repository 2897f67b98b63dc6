"""Reads what a sealed file states in its footer: version, order of its rows, and their time, group by group."""

import math
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from memanalysis.errors import LedgerFormatError
from memanalysis.ledger.arrow import VERSION_KEY
from memanalysis.ledger.marker import check_version
from memanalysis.ledger.reading.migrations import FIRST_VERSION
from memanalysis.ledger.reading.native_files import open_native
from memanalysis.ledger.reading.row_order import FileOrder, parse_order
from memanalysis.ledger.values import microseconds_from
from memanalysis.schema import TABLES

__all__ = [
    "DOWNSAMPLED_KEY",
    "Footer",
    "Span",
    "broken_parquet",
    "find_groups_of_runs",
    "join_spans",
    "open_parquet",
    "read_footer",
    "read_span",
    "read_spans",
]

DOWNSAMPLED_KEY = "memanalysis.downsampled_s"
"""Key of the footer that gives the interval, in seconds, of a file of samples that was down-sampled."""


_MAX_VERSION_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Span:
    """First and last moment of some rows, in microseconds; None where the file does not state it."""

    first: int | None
    last: int | None


@dataclass(frozen=True, slots=True)
class Footer:
    """What is known of a sealed file before its rows are read."""

    n_rows: int
    version: int
    order: FileOrder | None
    downsampled_s: float | None


def open_parquet(stream: Any, name: str, *, dictionaries: Sequence[str] = ()) -> pq.ParquetFile:
    """Open a Parquet file, and read the named columns as dictionaries.

    Read it with ``use_threads=False``: see `open_native` for what threads do to a file of Python's, as of a bucket.

    Raises
    ------
    LedgerFormatError
        It is none.
    LedgerVersionError
        It is of a newer version.
    """
    try:
        source = open_native(stream)
        metadata = pq.read_metadata(source)
        parquet = pq.ParquetFile(source, metadata=metadata, read_dictionary=_texts_of(metadata) & set(dictionaries))
    except Exception as exc:  # a corrupt footer makes Arrow and Python's codecs raise in many ways; each means the same
        raise broken_parquet(name, exc) from exc
    check_version(_version_of(parquet.metadata, name=name), name=name)
    return parquet


def read_footer(metadata: pq.FileMetaData, table: str, *, name: str) -> Footer:
    """Read the footer of an open file.

    Raises
    ------
    LedgerVersionError
        It is of a newer version.
    """
    keys = metadata.metadata or {}
    downsampled = keys.get(DOWNSAMPLED_KEY.encode())
    return Footer(
        n_rows=metadata.num_rows,
        version=check_version(_version_of(metadata, name=name), name=name),
        order=parse_order(keys, table),
        downsampled_s=_seconds_of(downsampled),
    )


def read_spans(metadata: pq.FileMetaData, table: str) -> list[Span]:
    """Time of each row group."""
    names = [metadata.schema.column(index).path for index in range(metadata.num_columns)]
    column = names.index("timestamp") if "timestamp" in TABLES[table] and "timestamp" in names else None
    return [read_span(metadata.row_group(number), column) for number in range(metadata.num_row_groups)]


def find_groups_of_runs(metadata: pq.FileMetaData, run_ids: Collection[str | None]) -> list[int]:
    """Return the row groups that may hold rows of one of these runs."""
    names = [metadata.schema.column(index).path for index in range(metadata.num_columns)]
    if "run_id" not in names or None in run_ids:
        return list(range(metadata.num_row_groups))
    wanted = sorted(run_id for run_id in run_ids if run_id is not None)
    found = []
    for number in range(metadata.num_row_groups):
        least, greatest = _read_bounds(metadata.row_group(number), names.index("run_id"))
        if isinstance(least, str) and isinstance(greatest, str):
            place = bisect_left(wanted, least)
            if place == len(wanted) or wanted[place] > greatest:
                continue
        found.append(number)
    return found


def join_spans(spans: Sequence[Span]) -> Span:
    """Time of several row groups together."""
    firsts, lasts = [span.first for span in spans], [span.last for span in spans]
    return Span(
        None if None in firsts else min((first for first in firsts if first is not None), default=None),
        None if None in lasts else max((last for last in lasts if last is not None), default=None),
    )


def broken_parquet(name: str, exc: Exception) -> LedgerFormatError:
    """Error for a file that is no whole Parquet; pyarrow's message may take several lines, and is put into one."""
    reason = " ".join(str(exc).split()).rstrip(".")
    return LedgerFormatError(
        f"open_ledger needs a whole Parquet file, but {name} is none: {reason}. Restore it from a copy."
    )


def _texts_of(metadata: pq.FileMetaData) -> set[str]:
    columns = [metadata.schema.column(index) for index in range(metadata.num_columns)]
    return {column.path for column in columns if column.physical_type == "BYTE_ARRAY"}


def _version_of(metadata: pq.FileMetaData, *, name: str) -> int:
    stated = (metadata.metadata or {}).get(VERSION_KEY, b"")
    if stated.isdigit() and len(stated) > _MAX_VERSION_DIGITS:
        raise LedgerFormatError(f"{name} states a version of {len(stated):,} digits. Restore it from a copy.")
    return int(stated) if stated.isdigit() else FIRST_VERSION


def _seconds_of(stated: bytes | None) -> float | None:
    """Interval that a footer states; None where that is no number, as if the file were not down-sampled."""
    try:
        seconds = None if stated is None else float(stated)
    except ValueError:
        return None
    return seconds if seconds is not None and math.isfinite(seconds) else None


def read_span(group: pq.RowGroupMetaData, column: int | None) -> Span:
    """Time of one row group, by its column of that number."""
    least, greatest = (None, None) if column is None else _read_bounds(group, column)
    try:
        return Span(microseconds_from(least), microseconds_from(greatest))
    except (ValueError, TypeError, OverflowError):  # a foreign file's timestamps of another kind
        return Span(None, None)


def _read_bounds(group: pq.RowGroupMetaData, column: int) -> tuple[object, object]:
    """Least and greatest value of a column; None where the file does not state them, or nothing that can be."""
    statistics = group.column(column).statistics
    if statistics is None or not statistics.has_min_max:
        return None, None
    try:
        return statistics.min, statistics.max
    except (ValueError, OverflowError):  # text that is not UTF-8, a moment beyond the year 9999
        return None, None
