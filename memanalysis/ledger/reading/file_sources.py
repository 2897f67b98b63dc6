"""Ledgers of one file, read as Arrow tables: a Parquet, a JSON-lines or a JSON file. `folder` reads the other shape.

What is corrupt is left out and listed as `SkippedRows`, a record a file and reason. Only a file that *is* the ledger
and cannot be read at all is an error.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from memanalysis import schema
from memanalysis.errors import LedgerFormatError
from memanalysis.ledger.arrow import arrow_schema, conform_table, empty_table, table_from_rows
from memanalysis.ledger.files import Files
from memanalysis.ledger.json_array import parse_entries, rows_from_entries
from memanalysis.ledger.jsonl import NOT_A_ROW, TORN_TAIL, iter_objects, row_from_object
from memanalysis.ledger.marker import check_version
from memanalysis.ledger.paths import INDEX_FOLDER
from memanalysis.ledger.reading.footers import broken_parquet, find_groups_of_runs, open_parquet, read_footer
from memanalysis.ledger.reading.impossible_values import Removed, null_impossible
from memanalysis.ledger.reading.ledger_part import WHOLE, LedgerPart
from memanalysis.ledger.reading.migrations import NEWER_VERSION, migrate_row
from memanalysis.ledger.reading.size_limits import check_decoded_size
from memanalysis.schema import TABLES

__all__ = [
    "EVERYTHING",
    "JsonArraySource",
    "LinesSource",
    "ParquetSource",
    "ScanRequest",
    "ScanResult",
    "SkippedRows",
    "Source",
    "check_parquet",
    "damages",
    "names_in",
    "read_parquet",
    "removals",
    "table_of_cells",
]

_PARSED_ROWS = 10_000
"""Rows held as Python objects at a time: each takes ten times what it does in Arrow."""

_CHECKED_ROWS = 50_000
"""Rows of a file that are checked at a time: those of a row group of samples."""


@dataclass(frozen=True, slots=True)
class SkippedRows:
    """What a reader had to leave out of one file, and why.

    Parameters
    ----------
    file : str
        Path below the ledger's root, or of the file that is the ledger.
    lines_skipped : int or None
        Rows that were left out; None where they cannot be counted, as of a file that cannot be read.
    reason : str
    column : str or None
        The column whose values became null, where the rows stayed.
    values_removed : int
        How many did.
    """

    file: str
    lines_skipped: int | None
    reason: str
    column: str | None = None
    values_removed: int = 0

    @property
    def is_of_index(self) -> bool:
        """Whether it is of the index of runs, beside which no row is lost."""
        return self.file.split("/")[0] == INDEX_FOLDER

    @property
    def is_torn_tail(self) -> bool:
        """Whether it is only the last line of a file whose writer was killed, or writes at this moment."""
        return self.reason == TORN_TAIL

    def describe(self) -> str:
        """What was left out and why, without the file's name."""
        if self.column is not None:
            values = "1 value" if self.values_removed == 1 else f"{self.values_removed:,} values"
            return f"{values} of {self.column}, {self.reason}"
        if self.lines_skipped is None:
            return self.reason
        return f"{self.lines_skipped:,} line{'' if self.lines_skipped == 1 else 's'}, {self.reason}"


@dataclass(slots=True)
class ScanResult:
    """What one read gave: the rows, and for each file that was read, what had to be left out of those columns.

    Where rows came from the index of runs, ``is_indexed``, their files were not read.
    """

    table: pa.Table
    damage: dict[str, list[SkippedRows]] = field(default_factory=dict)
    is_ordered: bool = False
    is_indexed: bool = False


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What part of a table is wanted: services by name, moments in microseconds; None is all.

    Where ``unordered`` is set, a source may give text as dictionaries, and leave out columns that are not there. A
    folder gives no rows of other partitions than those of ``part``; of other runs any source may. Where ``reduce`` is
    set, a folder gives what that makes of some rows at a time, so that a large table is not held. Of a request that
    ``checks_files``, every page of every file is read, of Parquet no rows are given, and the index of runs is only
    checked.
    """

    services: Collection[str] | None = None
    since: int | None = None
    until: int | None = None
    order_columns: Collection[str] = ()
    unordered: bool = False
    part: LedgerPart = WHOLE
    reduce: Callable[[pa.Table], pa.Table] | None = None
    checks_files: bool = False


EVERYTHING = ScanRequest()


class Source(Protocol):
    """One shape of ledger."""

    def check(self) -> None:
        """Raise a `LedgerError` if what is there is no ledger."""

    def read(self, table: str, *, columns: Sequence[str], request: ScanRequest = EVERYTHING) -> ScanResult:
        """Rows of a table, with those columns, of at least what is requested, in any order.

        A source that gives its rows in order may leave out the columns of ``request.order_columns``.
        """

    def services(self) -> list[str]:
        """Names of the services that have rows, sorted."""


class ParquetSource:
    """One Parquet file of samples."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def check(self) -> None:
        """Read the footer."""
        with self._files.open("") as stream, open_parquet(stream, self._files.root) as parquet:
            known = set(parquet.schema_arrow.names) & set(TABLES["samples"])
            if not known:
                raise LedgerFormatError(
                    f"open_ledger needs columns such as service, timestamp and rss_bytes, but {self._files.root} has "
                    f"{parquet.schema_arrow.names}. Rename the columns."
                )

    def read(self, table: str, *, columns: Sequence[str], request: ScanRequest = EVERYTHING) -> ScanResult:
        """Rows of the file; it has samples only."""
        if table != "samples":
            return ScanResult(empty_table(table, columns))
        removed: Removed = Counter()
        if request.checks_files:
            check_parquet(self._files, "", table, removed)
            return ScanResult(empty_table(table, columns), {self._files.root: removals(self._files.root, removed)})
        unordered, run_ids = request.unordered, request.part.run_ids
        rows = read_parquet(self._files, "", table, columns, unordered=unordered, run_ids=run_ids, removed=removed)
        return ScanResult(rows, {self._files.root: removals(self._files.root, removed)})

    def services(self) -> list[str]:
        """Names in the rows."""
        return sorted(names_in(self.read("samples", columns=["service"]).table))


class LinesSource:
    """One file of JSON lines: samples, or rows of any table that name it under the key ``table``."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def check(self) -> None:
        """Look for one good line."""
        skipped: Counter[str] = Counter()
        with self._files.open("") as stream:
            first = next(iter_objects(stream, skipped), None)
        if first is not None:
            version = first.get("schema_version")
            if type(version) is int:
                check_version(version, name=self._files.root)
            return
        raise LedgerFormatError(
            f"open_ledger needs a JSON object a line, but {self._files.root} has {skipped.total()} lines "
            f"and none is one ({', '.join(skipped) or 'all blank'}). Name a file of JSON lines."
        )

    def read(self, table: str, *, columns: Sequence[str], request: ScanRequest = EVERYTHING) -> ScanResult:
        """Rows of one table of the file."""
        skipped: Counter[str] = Counter()
        removed: Removed = Counter()
        with self._files.open("") as stream:
            rows = table_of_cells(_rows_of(iter_objects(stream, skipped), table, skipped), table, columns, removed)
        name = self._files.root
        return ScanResult(rows, {name: damages(name, skipped) + removals(name, removed)})

    def services(self) -> list[str]:
        """Names in the rows of any table."""
        names: set[str] = set()
        for table in TABLES:
            names |= names_in(self.read(table, columns=["service"]).table)
        return sorted(names)


class JsonArraySource:
    """A JSON array: one object an entry, with the seven fields of the class interface."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def check(self) -> None:
        """Read the whole array: it is small, and its end shows whether it is whole."""
        self._rows()

    def read(self, table: str, *, columns: Sequence[str], request: ScanRequest = EVERYTHING) -> ScanResult:
        """Entries as samples; the file has nothing else."""
        if table != "samples":
            return ScanResult(empty_table(table, columns))
        removed: Removed = Counter()
        rows = table_of_cells(iter(self._rows()), table, columns, removed)
        return ScanResult(rows, {self._files.root: removals(self._files.root, removed)})

    def services(self) -> list[str]:
        """Names in the entries."""
        return sorted({row["service"] for row in self._rows()})

    def _rows(self) -> list[dict[str, Any]]:
        with self._files.open("") as stream:
            entries = parse_entries(stream.read(), name=self._files.root)
        return rows_from_entries(entries, file_name=PurePosixPath(self._files.root.replace("\\", "/")).name)


def _rows_of(objects: Iterator[dict[str, Any]], table: str, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    for found in objects:
        stated = found.get("table", "samples")
        if stated == table:
            current = migrate_row(table, found)
            row = None if current is None else row_from_object(TABLES[table], current)
            if row is None:
                skipped[NEWER_VERSION if current is None else NOT_A_ROW] += 1
            else:
                yield row
        elif stated not in TABLES:
            skipped["of no table that is known"] += 1


def table_of_cells(rows: Iterator[dict[str, Any]], table: str, columns: Sequence[str], removed: Removed) -> pa.Table:
    """Arrow table of parsed rows, a few held as Python objects at a time; what cannot be is null and counted."""
    pieces = [empty_table(table, columns)]
    while parsed := list(islice(rows, _PARSED_ROWS)):
        pieces.append(null_impossible(table_from_rows(table, parsed, columns), table, removed))
    return pa.concat_tables(pieces)


def read_parquet(
    files: Files,
    path: str,
    table: str,
    columns: Sequence[str],
    *,
    unordered: bool = False,
    run_ids: Collection[str | None] | None = None,
    removed: Removed | None = None,
) -> pa.Table:
    """Rows of one Parquet file, conforming to a table; text as dictionaries, and no more columns, ``unordered``.

    Row groups that hold none of ``run_ids`` are not read. Values that cannot be become null and are counted in
    ``removed``.

    Raises
    ------
    LedgerFormatError
        It is no whole Parquet, it takes too much memory, or a column cannot be what it should.
    LedgerVersionError
        It is of a newer version.
    """
    name = f"{files.root}/{path}" if path else files.root
    texts = [column for column in columns if TABLES[table][column] == "string"] if unordered else []
    with files.open(path) as stream, open_parquet(stream, name, dictionaries=texts) as parquet:
        check_decoded_size(parquet.metadata, TABLES[table], name=name)
        version = read_footer(parquet.metadata, table, name=name).version
        is_old = version < schema.SCHEMA_VERSION
        try:
            present = [column for column in parquet.schema_arrow.names if is_old or column in set(columns)]
            found = (
                _read_groups(parquet, present, run_ids) if present else _rows_without_columns(parquet.metadata.num_rows)
            )
        except Exception as exc:  # what is corrupt makes Arrow and Python's codecs raise in many ways
            raise broken_parquet(name, exc) from exc
    if is_old:
        rows = [migrate_row(table, row, version=version) for row in found.to_pylist()]
        found = pa.Table.from_pylist([dict(row) for row in rows if row is not None]) if rows else found
    return conform_table(found, table, name=name, columns=columns, unordered=unordered, removed=removed)


def check_parquet(files: Files, path: str, table: str, removed: Removed) -> None:
    """Read one Parquet file as `read_parquet` does, some rows at a time with text as dictionaries, and give none back.

    Every page is decoded: neither the footer nor the statistics show that one is corrupt, or that text is no UTF-8.

    Raises
    ------
    LedgerFormatError, LedgerVersionError
        As `read_parquet` does.
    """
    name = f"{files.root}/{path}" if path else files.root
    texts = [column for column, kind in TABLES[table].items() if kind in {"string", "json"}]
    with files.open(path) as stream, open_parquet(stream, name, dictionaries=texts) as parquet:
        check_decoded_size(parquet.metadata, TABLES[table], name=name)
        is_old = read_footer(parquet.metadata, table, name=name).version < schema.SCHEMA_VERSION
        present = [one for one in parquet.schema_arrow if one.name in TABLES[table]]
        is_plain = _are_promised(present, table)
        if not (is_plain or is_old):
            conform_table(pa.schema(present).empty_table(), table, name=name, unordered=True)
        for rows in _iter_checked(parquet, [one.name for one in present], name=name) if present and not is_old else ():
            if is_plain:
                null_impossible(rows, table, removed)
            else:
                conform_table(rows, table, name=name, unordered=True, removed=removed)
    if is_old:
        read_parquet(files, path, table, list(TABLES[table]), removed=removed)


def _are_promised(fields: Sequence[pa.Field], table: str) -> bool:
    """Return whether columns are those of a table, each once; text may be dictionaries."""
    wanted = arrow_schema(table)
    types = {one.name: one.type.value_type if pa.types.is_dictionary(one.type) else one.type for one in fields}
    return len(types) == len(fields) and all(wanted.field(name).type == kind for name, kind in types.items())


def _iter_checked(parquet: pq.ParquetFile, columns: Sequence[str], *, name: str) -> Iterator[pa.Table]:
    try:
        for batch in parquet.iter_batches(_CHECKED_ROWS, columns=columns, use_threads=False):
            yield pa.Table.from_batches([batch])
    except Exception as exc:  # what is corrupt makes Arrow and Python's codecs raise in many ways
        raise broken_parquet(name, exc) from exc


def _read_groups(parquet: Any, columns: Sequence[str], run_ids: Collection[str | None] | None) -> pa.Table:
    if run_ids is None:
        return parquet.read(columns=columns, use_threads=False)
    groups = find_groups_of_runs(parquet.metadata, run_ids)
    return parquet.read_row_groups(groups, columns=columns, use_threads=False)


def _rows_without_columns(n_rows: int) -> pa.Table:
    return pa.table({"": pa.nulls(n_rows)})


def names_in(table: pa.Table) -> set[str]:
    """Names of the services in the rows."""
    return {name for name in table["service"].unique().to_pylist() if name is not None}


def damages(name: str, skipped: Counter[str]) -> list[SkippedRows]:
    """Records of the lines that were skipped in a file, one a reason."""
    return [SkippedRows(name, count, reason) for reason, count in sorted(skipped.items())]


def removals(name: str, removed: Removed) -> list[SkippedRows]:
    """Records of the values that became null in a file, one a column and reason."""
    return [SkippedRows(name, 0, reason, column, count) for (column, reason), count in sorted(removed.items())]
