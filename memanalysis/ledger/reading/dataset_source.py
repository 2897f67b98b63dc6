"""A ledger that is a folder of shards, one a process and table, under ``<table>/service_key=<slug>/``.

What is in order already is neither sorted nor read for its keys; what lies outside the time that is asked for is not
read at all; files of this machine are read many at a time. Whatever one file holds, the others are read: what fails is
listed as `SkippedRows` of that file.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import pyarrow as pa

from memanalysis.errors import LedgerError, LedgerFormatError
from memanalysis.ledger.arrow import arrow_schema, empty_table
from memanalysis.ledger.files import Files, LocalFiles
from memanalysis.ledger.jsonl import iter_rows
from memanalysis.ledger.marker import parse_marker
from memanalysis.ledger.paths import (
    INDEX_FOLDER,
    JSONL_SUFFIX,
    MARKER_NAME,
    PARQUET_SUFFIX,
    PARTITION_PREFIX,
    is_service_slug,
    service_of_slug,
    slug_of_service,
)
from memanalysis.ledger.reading.file_sources import (
    EVERYTHING,
    ScanRequest,
    ScanResult,
    SkippedRows,
    check_parquet,
    damages,
    names_in,
    read_parquet,
    removals,
    table_of_cells,
)
from memanalysis.ledger.reading.footers import broken_parquet, read_footer
from memanalysis.ledger.reading.fragments import (
    has_promised_columns,
    make_fragment,
    narrow_fragment,
    read_fragments,
)
from memanalysis.ledger.reading.impossible_values import Removed, null_impossible
from memanalysis.ledger.reading.map_ahead import map_ahead
from memanalysis.ledger.reading.pieces import Piece, fill_service, put_in_order, reduce_read, reduce_rows, split_batches
from memanalysis.ledger.reading.row_order import OrderCheck
from memanalysis.ledger.reading.run_index import read_index
from memanalysis.ledger.reading.shards import Stems, find_stems, measure_partitions
from memanalysis.ledger.reading.size_limits import check_decoded_size
from memanalysis.ledger.reading.small_files import SMALL_ROWS, read_small
from memanalysis.ledger.walk import FoundFile, LedgerWalk, walk_ledger
from memanalysis.schema import TABLES

__all__ = ["FolderSource"]

THREADS = 4
MANY_FILES = 1_000
"""From this number of files on, several are opened at once."""

REMOTE_THREADS = 8
MANY_REMOTE_FILES = 4
"""The same behind a URL, where a file is waited for and not worked on. Stores of objects keep some ten connections."""

READ_TRIES = 10
"""Times a folder is read until no file vanishes meanwhile: one that was merged is in another file then."""


_Shard = tuple[str, str, set[str]]
"""Folder of a service, name of a shard without its suffix, and the suffixes that it has."""


class FolderSource:
    """A folder of shards."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._n_gone = 0

    def check(self) -> None:
        """Read the marker; without one, a folder that holds tables is a ledger too."""
        entries = self._files.list_folder("")
        if any(entry.name == MARKER_NAME and entry.kind == "file" for entry in entries):
            try:
                with self._files.open(MARKER_NAME) as stream:
                    content = stream.read()
            except PermissionError as exc:
                raise LedgerError(
                    f"open_ledger needs to read {self._files.root}/{MARKER_NAME}, but may not. Its files are "
                    "their user's alone: read it as that user, or record it with file_mode=0o640."
                ) from exc
            parse_marker(content, name=f"{self._files.root}/{MARKER_NAME}")
        elif not walk_ledger(self._files).folders:
            found = ", ".join(entry.name for entry in entries[:5]) if entries else "nothing"
            raise LedgerFormatError(
                f"open_ledger needs a folder with {MARKER_NAME} or <table>/{PARTITION_PREFIX}<name>/, but "
                f"{self._files.root} holds {found}. Name the folder that was given to watch(ledger=...)."
            )

    def read(self, table: str, *, columns: Sequence[str], request: ScanRequest = EVERYTHING) -> ScanResult:
        """Rows of the shards of those services; in order, where their files state it."""
        for _ in range(READ_TRIES):
            n_gone = self._n_gone
            result = self._read_once(table, columns, request)
            if self._n_gone == n_gone:
                break
        return result

    def _read_once(self, table: str, columns: Sequence[str], request: ScanRequest) -> ScanResult:
        result = ScanResult(empty_table(table, columns))
        found = self._pieces(table, columns, request, result)
        if request.reduce is not None:  # a file is closed as soon as its rows are reduced
            pieces: Iterable[Piece] = reduce_read(found, columns, request)
        else:
            pieces, is_ordered = put_in_order(found, table)
            if is_ordered:
                columns = [column for column in columns if column not in request.order_columns]
                result.is_ordered = True
        tables = [reduce_rows(empty_table(table, columns), request)]
        tables += self._read_all(pieces, table, columns, result, request)
        result.table = pa.concat_tables(tables)
        return result

    def list_odd_entries(self) -> list[SkippedRows]:
        """Return the entries of the folders of all tables that are no files of a ledger; no file is read."""
        walk = walk_ledger(self._files, tables=list(TABLES))
        return [SkippedRows(entry.path, None, entry.reason) for entry in walk.skipped]

    def partitions(self, table: str) -> dict[str, int]:
        """Folders of a table, and the bytes of each."""
        return measure_partitions(self._files, table)

    def services(self) -> list[str]:
        """Names from the folders; where a folder has a hash in place of the whole name, from a footer or row."""
        names: dict[str, set[str]] = {}
        walk = walk_ledger(self._files)
        for (table, partition), stems in find_stems(self._files, walk).items():
            if not names.get(partition):
                service = service_of_slug(partition.removeprefix(PARTITION_PREFIX))
                names[partition] = self._names_in_rows(table, partition, stems) if service is None else {service}
        return sorted(set().union(*names.values()))

    def _pieces(self, table: str, columns: Sequence[str], request: ScanRequest, result: ScanResult) -> Iterator[Piece]:
        wanted = (
            None if request.services is None else {slug_of_service(name) for name in request.services if name != ""}
        )

        partitions = request.part.partitions

        def is_wanted(partition: str) -> bool:
            slug = partition.removeprefix(PARTITION_PREFIX)
            # a folder that another tool named may hold any service: the rows decide afterwards
            is_part = partitions is None or partition in partitions or not is_service_slug(slug)
            return is_part and (wanted is None or slug in wanted or not is_service_slug(slug))

        walk = walk_ledger(self._files, tables=[table], is_wanted=is_wanted, index=table == "runs")
        for entry in walk.skipped:
            result.damage[entry.path] = [SkippedRows(entry.path, None, entry.reason)]
        stems = find_stems(self._files, walk)
        shards = [(partition, *stem) for (_, partition), of_folder in stems.items() for stem in of_folder]

        def open_shard(shard: _Shard | Piece) -> Piece | None:
            if isinstance(shard, Piece):
                return shard
            piece = self._open_stem(*shard, table, columns, request, result)
            if piece is None:
                return None
            piece.service = service_of_slug(shard[0].removeprefix(PARTITION_PREFIX))
            is_large = piece.rows is not None and piece.n_rows > SMALL_ROWS
            return next(reduce_read(iter([piece]), columns, request)) if is_large else piece

        is_local = isinstance(self._files, LocalFiles)
        threads, many = (THREADS, MANY_FILES) if is_local else (REMOTE_THREADS, MANY_REMOTE_FILES)
        many = 1 if request.checks_files else many  # a file is decoded where it is opened
        work = self._take_indexed(shards, walk, columns, request, result) if walk.index else shards
        opened = map(open_shard, work) if len(work) < many else map_ahead(open_shard, work, threads=threads)
        yield from filter(None, opened)

    def _take_indexed(
        self,
        shards: Sequence[_Shard],
        walk: LedgerWalk,
        columns: Sequence[str],
        request: ScanRequest,
        result: ScanResult,
    ) -> Sequence[_Shard | Piece]:
        """Put the rows that the index of runs has in the place of their files, where that saves reading any."""
        if not request.checks_files and len(shards) <= len(walk.index):
            return shards
        paths = [
            FoundFile("runs", partition, stem + PARQUET_SUFFIX).path if PARQUET_SUFFIX in suffixes else None
            for partition, stem, suffixes in shards
        ]
        sizes = {file.path: file.size_bytes for file in walk.files if file.size_bytes is not None}
        indexed = read_index(self._files, walk.index, columns, paths, sizes)
        result.damage |= indexed.damage
        if request.checks_files:
            return shards
        result.is_indexed = len(indexed.places) > 0
        return [
            shards[piece] if isinstance(piece, int) else Piece(INDEX_FOLDER, None, rows=piece, n_rows=piece.num_rows)
            for piece in indexed.split(len(shards))
        ]

    def _open_stem(
        self,
        partition: str,
        stem: str,
        suffixes: set[str],
        table: str,
        columns: Sequence[str],
        request: ScanRequest,
        result: ScanResult,
    ) -> Piece | None:
        """One shard: its Parquet if that is there, else its lines, and none if it went away meanwhile."""
        for suffix in (PARQUET_SUFFIX, JSONL_SUFFIX, PARQUET_SUFFIX):
            if suffix not in suffixes:
                continue
            name = FoundFile(table, partition, stem + suffix, suffix == JSONL_SUFFIX).path
            try:
                if suffix == JSONL_SUFFIX:
                    return self._read_lines(name, table, columns, result)
                return self._open_parquet(name, table, columns, request, result)
            except FileNotFoundError:
                suffixes = {PARQUET_SUFFIX}  # sealed between the listing and now, or dropped by retention
            except Exception as exc:  # the boundary of a file: whatever it holds, the others are read
                result.damage[name] = [SkippedRows(name, None, str(exc) or type(exc).__name__)]
        if name not in result.damage:
            self._n_gone += 1
        return None

    def _open_parquet(
        self, path: str, table: str, columns: Sequence[str], request: ScanRequest, result: ScanResult
    ) -> Piece:
        if request.checks_files:
            found: Removed = Counter()
            check_parquet(self._files, path, table, found)
            result.damage[path] = removals(path, found)
            return Piece(path, None, rows=empty_table(table, columns))
        if not isinstance(self._files, LocalFiles):
            return self._read_parquet(path, table, columns, request, result)
        small = read_small(self._files, path, table, columns, run_ids=request.part.run_ids)
        if small is not None:
            removed: Removed = Counter()
            rows = null_impossible(small[1], table, removed)
            result.damage[path] = removals(path, removed)
            return Piece(path, None, order=None if removed else small[0], rows=rows, n_rows=rows.num_rows)
        name = f"{self._files.root}/{path}"
        fragment = make_fragment(name)
        try:
            metadata = fragment.metadata
            footer = read_footer(metadata, table, name=name)
            is_plain = has_promised_columns(fragment, footer, arrow_schema(table, columns))
        except (FileNotFoundError, LedgerError):
            raise
        except Exception as exc:  # a corrupt footer makes Arrow and Python's codecs raise in many ways
            raise broken_parquet(name, exc) from exc
        if not is_plain:
            return self._read_parquet(path, table, columns, request, result)
        check_decoded_size(metadata, TABLES[table], name=name)
        result.damage[path] = []
        narrowed = narrow_fragment(fragment, metadata, table, request)
        return Piece(path, None, order=footer.order, fragment=narrowed, n_rows=footer.n_rows)

    def _read_parquet(
        self, path: str, table: str, columns: Sequence[str], request: ScanRequest, result: ScanResult
    ) -> Piece:
        removed: Removed = Counter()
        rows = read_parquet(self._files, path, table, columns, run_ids=request.part.run_ids, removed=removed)
        result.damage[path] = removals(path, removed)
        return Piece(path, None, rows=rows, n_rows=rows.num_rows)

    def _read_lines(self, path: str, table: str, columns: Sequence[str], result: ScanResult) -> Piece:
        skipped: Counter[str] = Counter()
        removed: Removed = Counter()
        with self._files.open(path) as stream:
            rows = table_of_cells(iter_rows(stream, table, skipped), table, columns, removed)
        result.damage[path] = damages(path, skipped) + removals(path, removed)
        check = OrderCheck(table)
        check.update(rows)
        return Piece(path, None, order=check.found, rows=rows, n_rows=rows.num_rows)

    def _read_all(
        self,
        pieces: Iterable[Piece],
        table: str,
        columns: Sequence[str],
        result: ScanResult,
        request: ScanRequest = EVERYTHING,
    ) -> Iterator[pa.Table]:
        for is_fragment, group in groupby(pieces, lambda piece: piece.fragment is not None):
            if is_fragment:
                for batch in split_batches(group):
                    for rows in self._read_batch(batch, table, columns, result):
                        yield reduce_rows(rows, request)
                continue
            for piece in group:
                if piece.rows is not None:
                    yield piece.rows if piece.is_reduced else fill_service(piece.rows, piece.service).select(columns)

    def _read_batch(
        self, members: Sequence[Piece], table: str, columns: Sequence[str], result: ScanResult
    ) -> Iterator[pa.Table]:
        """Rows of many files at once; where something is wrong with one, of each alone, to learn which."""
        removed: Removed = Counter()
        try:
            found = read_fragments([piece.fragment for piece in members], table, columns, removed)
        except Exception:  # one of them is corrupt, or was dropped by retention: reading them one by one shows which
            yield from self._read_one_by_one(members, table, columns, result)
            return
        is_nameless = "service" in found.column_names and found["service"].null_count > 0
        if removed or is_nameless:
            del found
            yield from self._read_one_by_one(members, table, columns, result)
        else:
            yield found

    def _read_one_by_one(
        self, members: Sequence[Piece], table: str, columns: Sequence[str], result: ScanResult
    ) -> Iterator[pa.Table]:
        for piece in members:
            removed: Removed = Counter()
            try:
                rows = read_fragments([piece.fragment], table, columns, removed)
            except FileNotFoundError:
                self._n_gone += 1
                continue
            except Exception as exc:  # the boundary of a file: whatever it holds, the others are read
                reason = str(broken_parquet(f"{self._files.root}/{piece.path}", exc))
                result.damage[piece.path] = [SkippedRows(piece.path, None, reason)]
                continue
            result.damage[piece.path] = removals(piece.path, removed)
            yield fill_service(rows, piece.service)

    def _names_in_rows(self, table: str, partition: str, stems: Stems) -> set[str]:
        """Names in the first file that has any: its footer has it where the rows came in order."""
        columns = ["service"]
        result = ScanResult(empty_table(table, columns))
        for stem, suffixes in stems:
            piece = self._open_stem(partition, stem, suffixes, table, columns, EVERYTHING, result)
            if piece is None:
                continue
            if piece.order is not None:
                return {piece.order.service}
            for rows in self._read_all([piece], table, columns, result):
                if names := names_in(rows):
                    return names
        return set()
