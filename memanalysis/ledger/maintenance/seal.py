"""Turns a file of JSON lines into Parquet without a moment at which its rows are lost or doubled.

Rows of one run that come in order are marked so in the footer (``memanalysis.order``): a reader then neither reads
their keys nor sorts. Rows of ``sites`` lie by site and then by time, which makes a tenth of them: a site changes
little from one snapshot to the next.
"""

import os
import stat
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from memanalysis._atomic import open_atomic, sync_folder
from memanalysis._links import resolve_links
from memanalysis.errors import LedgerError
from memanalysis.ledger.arrow import VERSION_KEY, arrow_schema, table_from_rows
from memanalysis.ledger.jsonl import TORN_TAIL, iter_rows
from memanalysis.ledger.paths import sealed_path
from memanalysis.ledger.reading.row_order import OrderCheck
from memanalysis.schema import SCHEMA_VERSION, TABLES

__all__ = ["SealedWriter", "copy_permissions", "remove_sealed_lines", "seal_shard"]

ROW_GROUP_ROWS = 50_000
"""Rows a row group, as Arrow some 10 MB at most."""

SITES_GROUP_ROWS = 200_000
"""More snapshots share one dictionary of tracebacks; a row of them is 40 bytes beside that."""

PARSED_ROWS = 1_000
"""Rows held as Python objects at a time: a site with a deep traceback is 5 KB, and a host's memory is not ours."""

_COMPRESSION_LEVEL = 9
"""Of zstd: sealing happens once; 9 is where time begins to grow faster than files shrink."""

_DICTIONARY_BYTES = 64 * 1024**2
"""Beyond Parquet's usual 1 MiB the tracebacks of a snapshot would be written out again and again."""


def seal_shard(path: Path, table: str, *, cut_tail: bool = False) -> Path:
    """Turn a shard into Parquet, remove the JSON lines, and return the Parquet's path.

    Parameters
    ----------
    path : Path
    table : str
    cut_tail : bool
        Whether a torn last line, as a killed process leaves it, is given up.

    Raises
    ------
    LedgerError
        The shard has corrupt lines, or Parquet cannot hold it: it is left as it is, so that nothing that might be
        saved by hand is thrown away.
    """
    sealed = sealed_path(path)
    try:
        # the temporary file lies beside the lines: a table's folder holds whole Parquet only
        with open_atomic(sealed, file_mode=0o600, temporary_folder=path.parent) as stream:
            copy_permissions(path, stream.fileno())
            _check_whole(path, _write_rows(path, stream, table), cut_tail=cut_tail)
            _make_sealed_folder(sealed.parent, live=path.parent)
    except pa.ArrowException as exc:
        raise LedgerError(f"Sealing needs rows that Parquet can hold, but {path} has others: {exc}.") from exc
    remove_sealed_lines(path)
    return sealed


def copy_permissions(path: Path, target: Path | int) -> None:
    """Give a file or folder the mode of another, and its owner where root compacts for others."""
    if not hasattr(os, "fchmod"):
        return
    status = path.stat()
    if os.geteuid() == 0:
        os.chown(target, status.st_uid, status.st_gid)
    os.chmod(target, stat.S_IMODE(status.st_mode))  # noqa: PTH101  an open file too


def remove_sealed_lines(path: Path) -> None:
    """Remove a file of JSON lines, and the folders below ``live`` that are empty then."""
    path.unlink(missing_ok=True)
    for folder in path.parents[:3]:
        try:
            folder.rmdir()
        except OSError:  # another file is in it
            return


class SealedWriter:
    """Writes the rows of one table as Parquet with the ledger's settings.

    Whole numbers and timestamps are written as differences: in rows by time they halve the file. Any reader since 2022
    knows that encoding; the one that would suit floats (byte stream split) Spark's does not.

    Parameters
    ----------
    stream : binary file
    table : str
    metadata : mapping of str to str, optional
        More for the footer.
    """

    def __init__(self, stream: Any, table: str, *, metadata: dict[str, str] | None = None) -> None:
        kinds = TABLES[table]
        texts = [name for name, kind in kinds.items() if kind in {"string", "json"}]
        numbers = [name for name, kind in kinds.items() if kind in {"int64", "timestamp"}]
        self._table = table
        self._group_rows = SITES_GROUP_ROWS if table == "sites" else ROW_GROUP_ROWS
        self._pieces: list[pa.Table] = []
        self._n_rows = 0
        self._order = OrderCheck(table)
        self._metadata = metadata or {}
        self._writer = pq.ParquetWriter(
            stream,
            _written_schema(table),
            compression="zstd",
            compression_level=_COMPRESSION_LEVEL,
            use_dictionary=texts,
            column_encoding=dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
            dictionary_pagesize_limit=_DICTIONARY_BYTES,
            write_statistics=[name for name, kind in kinds.items() if kind != "json"],  # a traceback is no bound
            store_schema=False,  # every type is one of Parquet's own
        )

    def write(self, rows: pa.Table) -> None:
        """Add rows that conform to the table."""
        if not rows.num_rows:
            return
        self._order.update(rows)
        if self._table == "sites":
            position = rows.column_names.index("traceback")
            rows = rows.set_column(position, "traceback", rows["traceback"].dictionary_encode())
        self._pieces.append(rows)
        self._n_rows += rows.num_rows
        if self._n_rows >= self._group_rows:
            self._write_group()

    def close(self) -> None:
        """Write what is left, and the footer."""
        if self._pieces:
            self._write_group()
        version = {VERSION_KEY.decode(): str(SCHEMA_VERSION)}
        self._writer.add_key_value_metadata({**version, **self._metadata, **self._order.to_metadata()})
        self._writer.close()

    def abandon(self) -> None:
        """Close without a whole file: the caller throws it away."""
        self._writer.close()

    def _write_group(self) -> None:
        group = pa.concat_tables(self._pieces)
        self._pieces, self._n_rows = [], 0
        if self._table == "sites":
            group = _by_site(group)
        self._writer.write_table(group, row_group_size=group.num_rows)


def _written_schema(table: str) -> pa.Schema:
    schema = arrow_schema(table)
    if table != "sites":
        return schema
    position = schema.get_field_index("traceback")
    return schema.set(position, pa.field("traceback", pa.dictionary(pa.int32(), pa.string())))


def _by_site(group: pa.Table) -> pa.Table:
    """Rows by traceback, then as they came, with the tracebacks' dictionary sorted: neighbours are alike."""
    column = group["traceback"].unify_dictionaries().combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0)
    words = np.array(column.dictionary.to_pylist(), dtype=object)
    order = np.argsort(words)
    rank = np.empty(len(words) + 1, dtype=np.int64)
    rank[order] = np.arange(len(words))
    rank[-1] = len(words)  # of null
    rows = np.argsort(rank[column.indices.fill_null(-1).to_numpy(zero_copy_only=False)], kind="stable")
    position = group.column_names.index("traceback")
    plain = column.dictionary.take(pa.array(order))
    codes = pa.array(rank[column.indices.fill_null(-1).to_numpy(zero_copy_only=False)][rows], pa.int32())
    is_known = pa.compute.less(codes, len(words))
    indices = pa.compute.if_else(is_known, codes, None)
    rest = group.drop_columns(["traceback"]).take(pa.array(rows))
    return rest.add_column(position, "traceback", pa.DictionaryArray.from_arrays(indices, plain))


def _write_rows(path: Path, stream: Any, table: str) -> Counter[str]:
    skipped: Counter[str] = Counter()
    writer = SealedWriter(stream, table)
    try:
        with path.open("rb") as lines:
            rows = iter_rows(lines, table, skipped)
            while parsed := list(islice(rows, PARSED_ROWS)):
                writer.write(table_from_rows(table, parsed))
        writer.close()
    except BaseException:  # an interrupt too: no half file stays; it is raised on
        writer.abandon()
        raise
    return skipped


def _make_sealed_folder(folder: Path, *, live: Path) -> None:
    """Make a service's folder and that of its table, with the permissions and owners of those of the live files."""
    root = live.parents[2]
    if not resolve_links(folder).is_relative_to(resolve_links(root)):
        raise LedgerError(
            f"Sealing needs folders inside the ledger, but {folder} is a link that leads out of it. Remove the link."
        )
    for made, like in ((folder.parent, live.parent), (folder, live)):
        if not made.is_dir():
            made.mkdir(exist_ok=True)
            copy_permissions(like, made)
            sync_folder(made.parent)


def _check_whole(path: Path, skipped: Counter[str], *, cut_tail: bool) -> None:
    if cut_tail:
        del skipped[TORN_TAIL]
    if skipped:
        raise LedgerError(
            f"Sealing needs whole lines, but {path} has {skipped.total()} corrupt ones ({', '.join(skipped)}). "
            "It is left as it is."
        )
