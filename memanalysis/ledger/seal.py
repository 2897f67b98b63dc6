"""How a file of JSON lines becomes Parquet without a moment at which its rows are lost or doubled."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from memanalysis.errors import LedgerError
from memanalysis.ledger.arrow import arrow_schema, table_from_rows
from memanalysis.ledger.jsonl import iter_rows
from memanalysis.ledger.marker import sync_folder
from memanalysis.ledger.paths import PARQUET_SUFFIX

__all__ = ["parquet_writer", "seal_shard"]

ROW_GROUP_ROWS = 20_000
"""Rows a row group: enough for zstd and dictionaries to work, and a snapshot's rows at 1 KB each stay near 20 MB."""

_COMPRESSION_LEVEL = 9
"""Of zstd: sealing happens once; 9 is where time begins to grow faster than files shrink."""


def seal_shard(path: Path, table: str) -> Path:
    """Turn a shard into Parquet beside it and remove the JSON lines; the Parquet's path.

    Raises
    ------
    LedgerError
        The shard has spoilt lines: it is left as it is, so that nothing that might be saved by hand is thrown away.
    """
    sealed = path.with_suffix(PARQUET_SUFFIX)
    temporary = sealed.with_name(f".{sealed.name}.tmp")
    skipped: Counter[str] = Counter()
    try:
        with path.open("rb") as lines, temporary.open("wb") as stream:
            with parquet_writer(stream, table) as writer:
                rows: list[dict[str, Any]] = []
                for row in iter_rows(lines, table, skipped):
                    rows.append(row)
                    if len(rows) == ROW_GROUP_ROWS:
                        writer.write_table(table_from_rows(table, rows))
                        rows = []
                if rows:
                    writer.write_table(table_from_rows(table, rows))
            _check_whole(path, skipped)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(sealed)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(sealed.parent)
    path.unlink()
    return sealed


def _check_whole(path: Path, skipped: Counter[str]) -> None:
    if skipped:
        raise LedgerError(
            f"Sealing needs whole lines, but {path} has {skipped.total()} spoilt ones ({', '.join(skipped)}). "
            "It is left as it is."
        )


def parquet_writer(stream: Any, table: str) -> pq.ParquetWriter:
    """Open a Parquet writer with the ledger's settings for one table."""
    return pq.ParquetWriter(stream, arrow_schema(table), compression="zstd", compression_level=_COMPRESSION_LEVEL)
