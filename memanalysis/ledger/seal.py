"""How a file of JSON lines becomes Parquet without a moment at which its rows are lost or doubled."""

import os
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from memanalysis.errors import LedgerError
from memanalysis.ledger.arrow import arrow_schema, table_from_rows
from memanalysis.ledger.jsonl import iter_rows
from memanalysis.ledger.marker import sync_folder
from memanalysis.ledger.paths import PARQUET_SUFFIX
from memanalysis.schema import TABLES

__all__ = ["parquet_writer", "seal_shard"]

ROW_GROUP_ROWS = 20_000
"""Rows a row group, as Arrow some 20 MB at most: ten snapshots share one dictionary of tracebacks."""

PARSED_ROWS = 1_000
"""Rows held as Python objects at a time: a site with a deep traceback is 5 KB, and a host's memory is not ours."""

_COMPRESSION_LEVEL = 9
"""Of zstd: sealing happens once; 9 is where time begins to grow faster than files shrink."""


def seal_shard(path: Path, table: str) -> Path:
    """Turn a shard into Parquet beside it and remove the JSON lines; the Parquet's path.

    Raises
    ------
    LedgerError
        The shard has spoilt lines, or Parquet cannot hold it: it is left as it is, so that nothing that might be
        saved by hand is thrown away.
    """
    sealed = path.with_suffix(PARQUET_SUFFIX)
    temporary = sealed.with_name(f".{sealed.name}.tmp")
    try:
        with temporary.open("wb") as stream:
            _check_whole(path, _write_rows(path, stream, table))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(sealed)
    except pa.ArrowException as exc:
        temporary.unlink(missing_ok=True)
        raise LedgerError(f"Sealing needs rows that Parquet can hold, but {path} has others: {exc}.") from exc
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(sealed.parent)
    path.unlink()
    return sealed


def parquet_writer(stream: Any, table: str) -> pq.ParquetWriter:
    """Open a Parquet writer with the ledger's settings for one table.

    Whole numbers and timestamps are written as differences: in rows by time they halve the file. Any reader since 2022
    knows that encoding; the one that would suit floats (byte stream split) Spark's does not.
    """
    schema = arrow_schema(table)
    texts = [name for name, kind in TABLES[table].items() if kind in {"string", "json"}]
    numbers = [name for name, kind in TABLES[table].items() if kind in {"int64", "timestamp"}]
    return pq.ParquetWriter(
        stream,
        schema,
        compression="zstd",
        compression_level=_COMPRESSION_LEVEL,
        use_dictionary=texts,
        column_encoding=dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
    )


def _write_rows(path: Path, stream: Any, table: str) -> Counter[str]:
    skipped: Counter[str] = Counter()
    with path.open("rb") as lines, parquet_writer(stream, table) as writer:
        rows = iter_rows(lines, table, skipped)
        batches: list[pa.Table] = []
        n_rows = 0
        while parsed := list(islice(rows, PARSED_ROWS)):
            batches.append(table_from_rows(table, parsed))
            n_rows += len(parsed)
            if n_rows >= ROW_GROUP_ROWS:
                writer.write_table(pa.concat_tables(batches))
                batches, n_rows = [], 0
        if batches:
            writer.write_table(pa.concat_tables(batches))
    return skipped


def _check_whole(path: Path, skipped: Counter[str]) -> None:
    if skipped:
        raise LedgerError(
            f"Sealing needs whole lines, but {path} has {skipped.total()} spoilt ones ({', '.join(skipped)}). "
            "It is left as it is."
        )
