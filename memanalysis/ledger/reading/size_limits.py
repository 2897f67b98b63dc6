"""How much memory one file may take when it is read: a small file can hold hundreds of millions of equal rows.

A file over the limit is left out of a ledger and listed as damage; a file that *is* the ledger is refused.
"""

import os
from collections.abc import Iterable

import pyarrow.parquet as pq

from memanalysis.errors import LedgerFormatError
from memanalysis.units import format_bytes

__all__ = ["DEFAULT_FILE_BYTES", "LIMIT_VARIABLE", "check_decoded_size", "decoded_size", "read_limit_bytes"]

DEFAULT_FILE_BYTES = 2 * 1024**3
"""Bytes of memory that the rows of one file may take: some twelve million rows of ``samples`` with every column."""

LIMIT_VARIABLE = "MEMANALYSIS_MAX_FILE_MB"
"""Environment variable: the limit in MB of 2**20 bytes, for machines that have more memory, or less."""

_BYTES_A_VALUE = 8


def read_limit_bytes() -> int:
    """Bytes that one file may take: those of the environment variable, where it is a number above 0."""
    stated = os.environ.get(LIMIT_VARIABLE, "")
    is_number = stated.isascii() and stated.isdigit() and len(stated) <= 9
    return int(stated) * 1024**2 if is_number and int(stated) > 0 else DEFAULT_FILE_BYTES


def decoded_size(metadata: pq.FileMetaData, columns: Iterable[str]) -> int:
    """Bytes that those columns take in memory, about: 8 a value, and the encoded bytes, which hold the texts."""
    wanted = set(columns)
    paths = [metadata.schema.column(index).path.partition(".")[0] for index in range(metadata.num_columns)]
    n_columns = max(1, sum(path in wanted for path in paths))
    encoded: int = sum(max(0, metadata.row_group(number).total_byte_size) for number in range(metadata.num_row_groups))
    n_rows: int = max(metadata.num_rows, 0)
    return _BYTES_A_VALUE * n_rows * n_columns + encoded


def check_decoded_size(metadata: pq.FileMetaData, columns: Iterable[str], *, name: str) -> None:
    """Raise where the rows of a file would take more memory than one file may.

    Raises
    ------
    LedgerFormatError
        They would; the text states how many rows there are and what to do.
    """
    limit, size = read_limit_bytes(), decoded_size(metadata, columns)
    if size > limit:
        raise LedgerFormatError(
            f"{name} holds {metadata.num_rows:,} rows, which take about {format_bytes(size)} of memory, "
            f"but one file may take {format_bytes(limit)}. Split it, or set {LIMIT_VARIABLE} to a higher number."
        )
