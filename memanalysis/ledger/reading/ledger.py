"""What a ledger holds, as DataFrames, whatever its shape and wherever it is.

``open_ledger`` checks what is there. The tables are read each time they are asked for, because a ledger may be growing
meanwhile. Only the columns, services and time that are asked for are kept.
"""

import logging
import os
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath

import pandas as pd
import pyarrow as pa

from memanalysis.errors import (
    InvalidArgumentError,
    LedgerError,
    LedgerFormatError,
    LedgerNotFoundError,
)
from memanalysis.ledger.files import Files, files_at, unreadable
from memanalysis.ledger.reading.dataframes import (
    encode_known,
    filter_rows,
    frame_from_table,
    keep_last_of_runs,
    sort_rows,
)
from memanalysis.ledger.reading.dataset_source import FolderSource
from memanalysis.ledger.reading.file_sources import (
    JsonArraySource,
    LinesSource,
    ParquetSource,
    ScanRequest,
    ScanResult,
    SkippedRows,
    Source,
)
from memanalysis.ledger.reading.ledger_part import WHOLE, LedgerPart
from memanalysis.ledger.reading.read_arguments import find_order_columns, list_needed, parse_bound
from memanalysis.schema import TABLES

__all__ = ["Ledger", "SkippedRows", "open_ledger"]

_log = logging.getLogger(__name__)

_FILE_SOURCES: dict[str, Callable[[Files], Source]] = {
    ".parquet": ParquetSource,
    ".jsonl": LinesSource,
    ".json": JsonArraySource,
}


def open_ledger(path_or_url: str | os.PathLike[str]) -> "Ledger":
    """Open a ledger of any shape: a folder, or one ``.parquet``, ``.jsonl`` or ``.json`` file; a path or a URL.

    Raises
    ------
    LedgerNotFoundError
        Nothing is there.
    LedgerFormatError
        What is there is no ledger, or a broken one.
    LedgerVersionError
        It was written by a newer memanalysis.
    LedgerError
        It cannot be read.

    See Also
    --------
    memanalysis.assess : The verdicts on a ledger.

    Examples
    --------
    >>> import memanalysis
    >>> ledger = memanalysis.open_ledger("sample_ledgers/leaking_service")
    >>> ledger.services
    ['leaky_service']
    >>> samples = ledger.read("samples", columns=["elapsed_s", "rss_bytes"])
    >>> list(samples.columns), len(samples)
    (['elapsed_s', 'rss_bytes'], 101)
    """
    files = files_at(path_or_url)
    try:
        source = _source_of(files)
        source.check()
    except Exception as exc:  # whatever a file holds, what comes out is an error of ours that names it
        raise _ledger_error(files.root, exc) from exc
    return Ledger(files.root, source)


class Ledger:
    """A ledger that was opened: five tables, read when asked for.

    Frames have exactly the columns of ``memanalysis.schema``, as ``string``, ``Int64``, ``float64``,
    ``datetime64[us, UTC]`` and Python objects for JSON; rows come by service, run and time.
    """

    def __init__(self, path: str, source: Source) -> None:
        self.path = path
        self._source = source
        self._damage: dict[str, list[SkippedRows]] = {}
        self._checked: set[str] = set()
        self._logged: set[SkippedRows] = set()

    def __repr__(self) -> str:
        return f"Ledger({self.path!r})"

    def __reduce__(self) -> tuple[object, ...]:
        """Open it again where it is sent to: another process may run in another folder."""
        is_url = "://" in self.path or "::" in self.path
        return open_ledger, (self.path if is_url else str(Path(self.path).absolute()),)

    @property
    def samples(self) -> pd.DataFrame:
        """One tick a row."""
        return self.read("samples")

    @property
    def sites(self) -> pd.DataFrame:
        """One allocation site in one snapshot a row."""
        return self.read("sites")

    @property
    def objects(self) -> pd.DataFrame:
        """One type in one census a row."""
        return self.read("objects")

    @property
    def events(self) -> pd.DataFrame:
        """One thing that happened a row."""
        return self.read("events")

    @property
    def runs(self) -> pd.DataFrame:
        """One process lifetime a row; ``ended`` is null for one that lives, or was killed unseen."""
        return self.read("runs")

    @property
    def services(self) -> list[str]:
        """Names of the services, sorted."""
        try:
            return self._source.services()
        except Exception as exc:  # as in open_ledger
            raise _ledger_error(self.path, exc) from exc

    @property
    def reads_by_service(self) -> bool:
        """Whether the rows of one service are found without reading those of the others."""
        return isinstance(self._source, FolderSource)

    def partitions(self, table: str) -> dict[str, int]:
        """Folders of the services of a table, and the bytes of each as Parquet; none of a ledger that is a file."""
        try:
            return self._source.partitions(table) if isinstance(self._source, FolderSource) else {}
        except Exception as exc:  # as in open_ledger
            raise _ledger_error(self.path, exc) from exc

    @property
    def damage(self) -> list[SkippedRows]:
        """What had to be left out, a record a file and reason; of what was not read yet every page is decoded first."""
        for table in TABLES:
            if table not in self._checked:
                result = self._read_source(
                    table, list(TABLES[table]), ScanRequest(reduce=_drop_rows, checks_files=True)
                )
                self._note_damage(table, result, columns=TABLES[table], is_whole=True)
        return self.damage_found

    @property
    def damage_found(self) -> list[SkippedRows]:
        """What had to be left out of what was read so far."""
        return [record for file in sorted(self._damage) for record in self._damage[file]]

    @property
    def odd_entries(self) -> list[SkippedRows]:
        """Entries of its folders that are none of its files, such as a socket; no file is read."""
        try:
            return self._source.list_odd_entries() if isinstance(self._source, FolderSource) else []
        except Exception as exc:  # as in open_ledger
            raise _ledger_error(self.path, exc) from exc

    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        services: Collection[str] | None = None,
        since: float | str | datetime | None = None,
        until: float | str | datetime | None = None,
        part: LedgerPart = WHOLE,
    ) -> pd.DataFrame:
        """Read one table, or the part of it that is asked for.

        Parameters
        ----------
        table : {"runs", "samples", "sites", "objects", "events"}
        columns : sequence of str, optional
            These only, in this order.
        services : collection of str, optional
            Rows of these only.
        since, until : epoch seconds, ISO 8601 text or datetime, optional
            Rows with ``since <= timestamp < until``; runs that overlap that time. Without a zone: UTC.
        part : LedgerPart, optional
            Rows of this part of the ledger only.

        Raises
        ------
        InvalidArgumentError
            No such table, or no such moment.
        MissingColumnError
            The table has no such column.
        LedgerError
            The ledger went away, or broke, since it was opened.
        """
        rows = self.read_arrow(table, columns=columns, services=services, since=since, until=until, part=part)
        return frame_from_table(rows, table, columns)

    def read_arrow(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        services: Collection[str] | None = None,
        since: float | str | datetime | None = None,
        until: float | str | datetime | None = None,
        part: LedgerPart = WHOLE,
    ) -> pa.Table:
        """Read the same as an Arrow table, as DuckDB and Polars take it without a copy; JSON is text there."""
        needed = list_needed(table, columns, timed=since is not None or until is not None)
        if isinstance(services, str):
            raise InvalidArgumentError(
                f"Ledger.read needs services as a list of names, but got {services!r}. Pass [{services!r}]."
            )
        bounds = {"since": parse_bound("since", since), "until": parse_bound("until", until)}
        unasked = find_order_columns(table, columns, services=services, part=part, **bounds)
        request = ScanRequest(services, since=bounds["since"], until=bounds["until"], order_columns=unasked, part=part)
        result = self._read_source(table, needed, request)
        is_whole = services is None and since is None and until is None and part.is_whole
        self._note_damage(table, result, columns=needed, is_whole=is_whole)
        rows = result.table
        if table == "runs":  # first of all: the row of a run's beginning must not outlive that of its end in a filter
            rows = keep_last_of_runs(rows if result.is_ordered else sort_rows(rows))
        rows = filter_rows(rows, services=services, run_ids=part.run_ids, **bounds)
        rows = rows if result.is_ordered else sort_rows(rows)
        return rows.select(list(TABLES[table]) if columns is None else list(columns))

    def read_unordered(self, table: str, *, columns: Sequence[str], part: LedgerPart = WHOLE) -> pa.Table:
        """Read columns for an engine that groups and sorts itself: rows in any order, text as dictionaries.

        Columns in which nothing is known are left out.
        """
        wanted = columns if part.run_ids is None else {*columns, "run_id"}
        needed = [column for column in list_needed(table, columns, timed=False) if column in wanted]
        result = self._read_source(table, needed, ScanRequest(unordered=True, part=part))
        self._note_damage(table, result, columns=needed, is_whole=part.is_whole)
        rows = filter_rows(result.table, run_ids=part.run_ids)
        return encode_known(rows.select([column for column in rows.column_names if column in columns]))

    def aggregate(
        self,
        table: str,
        reduce: Callable[[pa.Table], pa.Table],
        *,
        columns: Sequence[str],
        services: Collection[str] | None = None,
        since: float | str | datetime | None = None,
        part: LedgerPart = WHOLE,
    ) -> pa.Table:
        """Return what a function makes of some rows at a time, joined, so that a table of any size is not held.

        Parameters
        ----------
        table : {"samples", "sites", "objects", "events"}
        reduce : callable
            Takes rows of these columns in any order, and returns fewer, such as one a run. It is called with no rows
            where there are none.
        columns : sequence of str
            What it needs.
        services, since, part
            As for `read`. Of a ledger that is a file, all rows are held.

        Raises
        ------
        InvalidArgumentError, MissingColumnError, LedgerError
            As for `read`.
        """
        bound = parse_bound("since", since)
        used = {*columns, *(["service"] if services is not None else []), *(["timestamp"] if bound is not None else [])}
        used |= {"run_id"} if part.run_ids is not None else set()
        needed = [column for column in list_needed(table, columns, timed=False) if column in used]

        def reduce_wanted(rows: pa.Table) -> pa.Table:
            wanted = filter_rows(rows, services=services, since=bound, run_ids=part.run_ids)
            return reduce(wanted.select(list(columns)))

        request = ScanRequest(services, since=bound, part=part, reduce=reduce_wanted)
        result = self._read_source(table, needed, request)
        self._note_damage(table, result, columns=needed, is_whole=False)
        return result.table if self.reads_by_service else reduce_wanted(result.table)

    def _read_source(self, table: str, columns: Sequence[str], request: ScanRequest) -> ScanResult:
        try:
            return self._source.read(table, columns=columns, request=request)
        except Exception as exc:  # as in open_ledger
            raise _ledger_error(self.path, exc) from exc

    def _note_damage(self, table: str, result: ScanResult, *, columns: Collection[str], is_whole: bool) -> None:
        for file, records in result.damage.items():
            earlier = [] if any(record.lines_skipped is None for record in records) else self._damage.get(file, [])
            others = [record for record in earlier if record.column is not None and record.column not in columns]
            self._damage[file] = [*records, *others]
        if is_whole and not result.is_indexed and set(columns) >= set(TABLES[table]):
            self._checked.add(table)
        found = {record for records in result.damage.values() for record in records}
        if fresh := found - self._logged:
            self._logged |= fresh
            _log.warning(
                "memanalysis left out %d lines, %d values and %d whole files or folders of ledger %s; "
                "Ledger.damage lists them with the reasons",
                sum(record.lines_skipped or 0 for record in fresh),
                sum(record.values_removed for record in fresh),
                sum(record.lines_skipped is None for record in fresh),
                self.path,
            )


def _drop_rows(rows: pa.Table) -> pa.Table:
    return rows.schema.empty_table()


def _ledger_error(path: str, exc: Exception) -> LedgerError:
    """The error itself where it is one of the ledger's, else one that names the path."""
    if isinstance(exc, LedgerError):
        return exc
    if isinstance(exc, OSError):
        return unreadable(path, exc)
    return LedgerFormatError(
        f"open_ledger needs a whole ledger, but {path} cannot be read: {type(exc).__name__}: {exc}. "
        "Restore it from a copy."
    )


def _source_of(files: Files) -> Source:
    kind = files.kind("")
    if kind is None:
        raise LedgerNotFoundError(
            f"open_ledger needs a ledger, but nothing is at {files.root}. Check the path, or record with watch(...)."
        )
    if kind == "folder":
        return FolderSource(files)
    suffix = PurePosixPath(files.root).suffix.lower()
    source = _FILE_SOURCES.get(suffix)
    if kind != "file" or source is None:
        what = f"a file of kind {suffix or 'unknown'!r}" if kind == "file" else "no regular file"
        raise LedgerFormatError(
            f"open_ledger needs a folder or a {', '.join(_FILE_SOURCES)} file, but {files.root} is {what}. "
            "Name one of these."
        )
    if files.size("") == 0:
        raise LedgerFormatError(
            f"open_ledger needs a ledger, but {files.root} is empty (0 bytes). Restore it from a copy."
        )
    return source(files)
