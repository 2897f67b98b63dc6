"""The index of runs: the rows of many sealed files of ``runs`` in one file a day, so that fewer files are read.

An index is a copy, and nothing depends on it. Of each row it has the file that the row is in, and how large that file
was. A reader lists the files first, and takes from the index the rows of those that are there with that name and size;
it reads every other file. What a broken index has is read from the files themselves, and the index is listed as damage.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from memanalysis import schema
from memanalysis.errors import LedgerError, LedgerFormatError
from memanalysis.ledger.arrow import VERSION_KEY, arrow_schema
from memanalysis.ledger.files import Files, LocalFiles
from memanalysis.ledger.paths import INDEX_FOLDER
from memanalysis.ledger.reading.file_sources import SkippedRows
from memanalysis.ledger.reading.footers import broken_parquet
from memanalysis.ledger.reading.impossible_values import Removed, null_impossible
from memanalysis.ledger.reading.map_ahead import map_ahead
from memanalysis.ledger.reading.native_files import read_native
from memanalysis.ledger.reading.size_limits import check_decoded_size
from memanalysis.schema import TABLES

__all__ = [
    "INDEX_VERSION",
    "INDEX_VERSION_KEY",
    "SOURCE_BYTES_COLUMN",
    "SOURCE_COLUMN",
    "IndexedRuns",
    "index_schema",
    "read_index",
    "read_index_file",
]

INDEX_VERSION = 1
INDEX_VERSION_KEY = b"memanalysis.index_version"
"""Key of the Parquet footer; an index of another version, of itself or of the rows, is not used."""

SOURCE_COLUMN = "source_file"
"""The file that a row is in, below the ledger's root, with ``/``."""

SOURCE_BYTES_COLUMN = "source_bytes"
"""Bytes that this file had."""

THREADS = 8
"""Files of an index that are read at once behind a URL."""


@dataclass(slots=True)
class IndexedRuns:
    """Rows that the index has of some files.

    Parameters
    ----------
    rows : pyarrow.Table
        In the order of the files.
    places : array of int
        Place of the file of each row.
    damage : dict
        What is wrong with each file of the index; empty lists where nothing is.
    """

    rows: pa.Table
    places: NDArray[np.int64]
    damage: dict[str, list[SkippedRows]] = field(default_factory=dict)

    def split(self, n_files: int) -> list[pa.Table | int]:
        """Return the files one after the other: the rows of those that are indexed, and the place of each other."""
        are_indexed = np.zeros(n_files, dtype=bool)
        are_indexed[self.places] = True
        pieces: list[pa.Table | int] = []
        for is_indexed, group in groupby(range(n_files), are_indexed.__getitem__):
            places = list(group)
            if is_indexed:
                begin = int(np.searchsorted(self.places, places[0]))
                end = int(np.searchsorted(self.places, places[-1], side="right"))
                pieces.append(self.rows.slice(begin, end - begin))
            else:
                pieces += places
        return pieces


def index_schema(columns: Sequence[str] | None = None) -> pa.Schema:
    """Arrow schema of an index: columns of ``runs``, all or some, and of each row the file that it is in."""
    sources = [pa.field(SOURCE_COLUMN, pa.string()), pa.field(SOURCE_BYTES_COLUMN, pa.int64())]
    metadata = {VERSION_KEY: str(schema.SCHEMA_VERSION), INDEX_VERSION_KEY: str(INDEX_VERSION)}
    return pa.schema([*arrow_schema("runs", columns), *sources], metadata=metadata)


def read_index(
    files: Files, names: Sequence[str], columns: Sequence[str], paths: Sequence[str | None], sizes: Mapping[str, int]
) -> IndexedRuns:
    """Return what the index has of some files.

    Parameters
    ----------
    files : Files
        The ledger's.
    names : sequence of str
        Files of the index.
    columns : sequence of str
        Of the table ``runs``.
    paths : sequence of str or None
        Files that are there, sealed ones, in the order in which they would be read; None for another.
    sizes : mapping
        Bytes of a file, by its path, where they are known from a list.
    """
    places = {path: place for place, path in enumerate(paths) if path is not None}
    damage: dict[str, list[SkippedRows]] = {}
    chosen: list[pa.Table] = [index_schema(columns).empty_table()]
    found_places: list[int] = []
    known = dict(sizes)
    taken: set[str] = set()

    def read(name: str) -> pa.Table | str | None:
        try:
            return read_index_file(files, name, columns)
        except Exception as exc:  # the boundary of a file: whatever it holds, the files of the runs are read
            return str(exc) or type(exc).__name__

    for name, rows in zip(names, _map(files, read, names), strict=True):
        path = f"{INDEX_FOLDER}/{name}"
        damage[path] = [] if not isinstance(rows, str) else [SkippedRows(path, None, rows)]
        if not isinstance(rows, pa.Table):
            continue
        sources = list(zip(rows[SOURCE_COLUMN].to_pylist(), rows[SOURCE_BYTES_COLUMN].to_pylist(), strict=True))
        candidates = {source for source in sources if source[0] in places and source[0] not in taken}
        fitting = {source for source in candidates if _fits(files, *source, known)}
        taken |= {path for path, _ in fitting}
        own = [places[source[0]] if source in fitting else -1 for source in sources]
        chosen.append(rows.filter(pa.array([place >= 0 for place in own], pa.bool_())))
        found_places += [place for place in own if place >= 0]
    numbers = np.array(found_places, dtype=np.int64)
    order = np.argsort(numbers, kind="stable")
    joined = pa.concat_tables(chosen).select(list(arrow_schema("runs", columns).names)).combine_chunks()
    return IndexedRuns(joined.take(pa.array(order)), numbers[order], damage)


def read_index_file(files: Files, name: str, columns: Sequence[str]) -> pa.Table | None:
    """Return the rows of one file of the index; None where it is gone, or of another version.

    Raises
    ------
    LedgerFormatError
        It is no whole index.
    OSError
        It cannot be read.
    """
    title = f"{files.root}/{INDEX_FOLDER}/{name}"
    try:
        with files.open(f"{INDEX_FOLDER}/{name}") as stream:
            content = read_native(stream)
    except FileNotFoundError:  # replaced or removed meanwhile
        return None
    wanted = index_schema(columns)
    try:
        with pq.ParquetFile(pa.BufferReader(content)) as parquet:
            keys = parquet.metadata.metadata or {}
            if any(keys.get(key) != value for key, value in wanted.metadata.items()):
                return None
            check_decoded_size(parquet.metadata, wanted.names, name=title)
            _check_columns(parquet.schema_arrow, wanted, title=title)
            rows = parquet.read(columns=wanted.names, use_threads=False).select(wanted.names)
    except LedgerError:
        raise
    except Exception as exc:  # what is corrupt makes Arrow and Python's codecs raise in many ways
        raise broken_parquet(title, exc) from exc
    if _has_impossible(rows):
        raise LedgerFormatError(f"{title} has values that cannot be in an index of runs.")
    return rows.replace_schema_metadata(None)


def _check_columns(found: pa.Schema, wanted: pa.Schema, *, title: str) -> None:
    types = dict(zip(found.names, found.types, strict=True))
    if len(types) < len(found) or any(types.get(one.name) != one.type for one in wanted):
        raise LedgerFormatError(f"{title} has other columns than an index of runs.")


def _has_impossible(rows: pa.Table) -> bool:
    removed: Removed = Counter()
    null_impossible(rows.select([name for name in rows.column_names if name in TABLES["runs"]]), "runs", removed)
    try:
        rows[SOURCE_COLUMN].validate(full=True)
    except pa.ArrowInvalid:
        return True
    return bool(removed) or bool(rows[SOURCE_COLUMN].null_count or rows[SOURCE_BYTES_COLUMN].null_count)


def _map(files: Files, read: Any, names: Sequence[str]) -> Any:
    return map(read, names) if isinstance(files, LocalFiles) else map_ahead(read, names, threads=THREADS)


def _fits(files: Files, path: str, size: int, sizes: dict[str, int]) -> bool:
    """Return whether a file that is there has the size that the index states."""
    if path not in sizes:
        try:
            sizes[path] = files.size(path)
        except OSError:  # gone, or not to be read: the reader of the file shows it
            return False
    return sizes[path] == size
