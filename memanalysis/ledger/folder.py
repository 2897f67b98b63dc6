"""A ledger that is a folder of shards, one a process and table, under ``<table>/service=<encoded>/``.

What is in order already is neither sorted nor read for its keys; what lies outside the time that is asked for is not
read at all; files of this machine are read many at a time.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow.fs import LocalFileSystem

from memanalysis import schema
from memanalysis.errors import LedgerError, LedgerFormatError
from memanalysis.ledger.arrow import arrow_schema, empty_table, table_from_rows
from memanalysis.ledger.files import Files, LocalFiles, visible
from memanalysis.ledger.footers import Footer, broken_parquet, read_footer, read_spans
from memanalysis.ledger.journal import find_replaced
from memanalysis.ledger.jsonl import iter_rows
from memanalysis.ledger.marker import parse_marker
from memanalysis.ledger.order import FileOrder, OrderCheck, is_in_order
from memanalysis.ledger.paths import JSONL_SUFFIX, MARKER_NAME, PARQUET_SUFFIX, SERVICE_PREFIX, decode_service
from memanalysis.ledger.small_files import read_small
from memanalysis.ledger.sources import EVERYTHING, Damage, Part, Reading, damages, names_in, read_parquet
from memanalysis.schema import TABLES

__all__ = ["FolderSource"]

_FORMAT = ds.ParquetFileFormat()
_LOCAL = LocalFileSystem()

THREADS = 4
MANY_FILES = 1_000
"""Files opened at once, in a folder that has so many."""

READ_TRIES = 10
"""Times a folder is read until no file vanishes meanwhile: one that was merged is in another file then."""


@dataclass(slots=True)
class _Piece:
    """Rows of one file: read already, or to be read from a fragment of a data set."""

    path: str
    service: str | None
    order: FileOrder | None = None
    rows: pa.Table | None = None
    fragment: Any = None
    names: frozenset[str] = field(default_factory=frozenset)


class FolderSource:
    """A folder of shards."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._n_gone = 0

    def check(self) -> None:
        """Read the marker; without one, a folder that holds tables is a ledger too."""
        entries = self._files.list_folder("")
        if any(entry.name == MARKER_NAME and entry.kind == "file" for entry in entries):
            with self._files.open(MARKER_NAME) as stream:
                parse_marker(stream.read(), name=f"{self._files.root}/{MARKER_NAME}")
        elif not any(self._partitions(table) for table in TABLES):
            found = ", ".join(entry.name for entry in entries[:5]) if entries else "nothing"
            raise LedgerFormatError(
                f"open_ledger needs a folder with {MARKER_NAME} or <table>/service=<name>/, but {self._files.root} "
                f"holds {found}. Name the folder that was given to watch(ledger=...)."
            )

    def read(self, table: str, *, columns: Sequence[str], part: Part = EVERYTHING) -> Reading:
        """Rows of the shards of those services; in order, where their files tell so."""
        for _ in range(READ_TRIES):
            n_gone = self._n_gone
            reading = self._read_once(table, columns, part)
            if self._n_gone == n_gone:
                break
        return reading

    def _read_once(self, table: str, columns: Sequence[str], part: Part) -> Reading:
        reading = Reading(empty_table(table, columns))
        found = self._pieces(table, columns, part, reading)
        pieces = [piece for piece in found if piece.rows is None or piece.rows.num_rows]
        orders = [piece.order for piece in pieces if piece.order is not None and piece.order.by == "time"]
        if table != "runs" and len(orders) == len(pieces):
            pieces.sort(key=_sort_key)
            orders = [piece.order for piece in pieces if piece.order is not None]
            if is_in_order(orders):
                columns = [column for column in columns if column not in part.order_columns]
                reading.is_ordered = True
        tables = [empty_table(table, columns), *self._read_all(pieces, table, columns, reading)]
        reading.table = pa.concat_tables(tables)
        return reading

    def services(self) -> list[str]:
        """Names from the folders; where a long name was cut, from a row."""
        names = set()
        for table in TABLES:
            for partition in self._partitions(table):
                if not self._stems(f"{table}/{partition}"):
                    continue
                service, whole = decode_service(partition.removeprefix(SERVICE_PREFIX))
                names |= {service} if whole else self._names_in_rows(table, partition)
        return sorted(names)

    def _pieces(self, table: str, columns: Sequence[str], part: Part, reading: Reading) -> Iterator[_Piece]:
        wanted = None if part.services is None else {name.casefold() for name in part.services}
        self._note_links("", reading, only=table)
        if self._files.kind(table) == "folder":
            self._note_links(table, reading)
        for partition in self._partitions(table):
            service, whole = decode_service(partition.removeprefix(SERVICE_PREFIX))
            # without regard to case, as a file system may be; the rows decide afterwards
            if wanted is not None and whole and service.casefold() not in wanted:
                continue
            folder = f"{table}/{partition}"
            self._note_links(folder, reading)
            for piece in self._open_stems(folder, table, columns, part, reading):
                piece.service = service if whole else None
                yield piece

    def _open_stems(
        self, folder: str, table: str, columns: Sequence[str], part: Part, reading: Reading
    ) -> Iterator[_Piece]:
        def open_stem(stem: tuple[str, set[str]]) -> _Piece | None:
            return self._open_stem(f"{folder}/{stem[0]}", stem[1], table, columns, part, reading)

        stems = self._stems(folder)
        if len(stems) < MANY_FILES:
            yield from filter(None, map(open_stem, stems))
            return
        with ThreadPoolExecutor(THREADS) as pool:
            yield from filter(None, pool.map(open_stem, stems))

    def _partitions(self, table: str) -> list[str]:
        if self._files.kind(table) != "folder":
            return []
        folders = visible(self._files.list_folder(table), "folder")
        return [name for name in folders if name.startswith(SERVICE_PREFIX)]

    def _stems(self, folder: str) -> list[tuple[str, set[str]]]:
        stems: dict[str, set[str]] = {}
        names = visible(self._files.list_folder(folder), "file")
        for name in set(names) - find_replaced(self._files, folder, names):
            path = PurePosixPath(name)
            if path.suffix in {JSONL_SUFFIX, PARQUET_SUFFIX}:
                stems.setdefault(path.stem, set()).add(path.suffix)
        return sorted(stems.items(), key=lambda item: _segment_key(item[0]))

    def _open_stem(
        self, path: str, suffixes: set[str], table: str, columns: Sequence[str], part: Part, reading: Reading
    ) -> _Piece | None:
        """One shard: its Parquet if that is there, else its lines, and none if it went away meanwhile."""
        for suffix in (PARQUET_SUFFIX, JSONL_SUFFIX, PARQUET_SUFFIX):
            if suffix not in suffixes:
                continue
            name = path + suffix
            try:
                if suffix == JSONL_SUFFIX:
                    return self._read_lines(name, table, columns, reading)
                return self._open_parquet(name, table, columns, part, reading)
            except FileNotFoundError as exc:
                if isinstance(exc, LedgerError):
                    raise
                suffixes = {PARQUET_SUFFIX}  # sealed between the listing and now, or dropped by retention
            except (LedgerFormatError, OSError) as exc:
                if isinstance(exc, LedgerError) and not isinstance(exc, LedgerFormatError):
                    raise
                reading.damage[name] = [Damage(name, None, str(exc))]
        if name not in reading.damage:
            self._n_gone += 1
        return None

    def _open_parquet(self, path: str, table: str, columns: Sequence[str], part: Part, reading: Reading) -> _Piece:
        if not isinstance(self._files, LocalFiles):
            piece = _Piece(path, None, rows=read_parquet(self._files, path, table, columns))
            reading.damage[path] = []
            return piece
        small = read_small(self._files, path, table, columns)
        if small is not None:
            reading.damage[path] = []
            return _Piece(path, None, order=small[0], rows=small[1])
        name = f"{self._files.root}/{path}"
        fragment = _FORMAT.make_fragment(str(Path(name).absolute()), _LOCAL)
        try:
            metadata = fragment.metadata
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError) as exc:
            raise broken_parquet(name, exc) from exc
        footer = read_footer(metadata, table, name=name)
        reading.damage[path] = []
        if not _is_plain(fragment, footer, arrow_schema(table, columns)):
            return _Piece(path, None, rows=read_parquet(self._files, path, table, columns))
        return _Piece(path, None, order=footer.order, fragment=_narrow(fragment, metadata, table, part))

    def _read_lines(self, path: str, table: str, columns: Sequence[str], reading: Reading) -> _Piece:
        skipped: Counter[str] = Counter()
        with self._files.open(path) as stream:
            rows = table_from_rows(table, list(iter_rows(stream, table, skipped)), columns)
        reading.damage[path] = damages(path, skipped)
        check = OrderCheck(table)
        check.look_at(rows)
        return _Piece(path, None, order=check.found, rows=rows)

    def _read_all(
        self, pieces: Sequence[_Piece], table: str, columns: Sequence[str], reading: Reading
    ) -> Iterator[pa.Table]:
        for is_fragment, group in groupby(pieces, lambda piece: piece.fragment is not None):
            members = list(group)
            if not is_fragment:
                for piece in members:
                    if piece.rows is not None:
                        yield _fill_service(piece.rows, piece.service).select(columns)
                continue
            try:
                found = _read_fragments([piece.fragment for piece in members], table, columns)
            except (pa.ArrowException, OSError):  # one of them is spoilt, or was dropped by retention: which?
                yield from self._read_one_by_one(members, table, columns, reading)
            else:
                if found["service"].null_count if "service" in found.column_names else False:
                    yield from self._read_one_by_one(members, table, columns, reading)
                else:
                    yield found

    def _read_one_by_one(
        self, members: Sequence[_Piece], table: str, columns: Sequence[str], reading: Reading
    ) -> Iterator[pa.Table]:
        for piece in members:
            try:
                rows = _read_fragments([piece.fragment], table, columns)
            except FileNotFoundError:
                self._n_gone += 1
                continue
            except (pa.ArrowException, OSError) as exc:
                reading.damage[piece.path] = [
                    Damage(piece.path, None, str(broken_parquet(f"{self._files.root}/{piece.path}", exc)))
                ]
                continue
            yield _fill_service(rows, piece.service)

    def _note_links(self, folder: str, reading: Reading, *, only: str | None = None) -> None:
        for entry in self._files.list_folder(folder):
            if entry.kind == "link" and only in {None, entry.name}:
                path = f"{folder}/{entry.name}".lstrip("/")
                reading.damage[path] = [Damage(path, None, "a link, which is not followed")]

    def _names_in_rows(self, table: str, partition: str) -> set[str]:
        columns = ["service"]
        reading = Reading(empty_table(table, columns))
        for stem, suffixes in self._stems(f"{table}/{partition}"):
            piece = self._open_stem(f"{table}/{partition}/{stem}", suffixes, table, columns, EVERYTHING, reading)
            if piece is not None:
                for rows in self._read_all([piece], table, columns, reading):
                    if names := names_in(rows):
                        return names
        return set()


def _segment_key(stem: str) -> tuple[str, int]:
    """Order of files: those of one run by the number of the segment, of which the first has none."""
    run, _, number = stem.rpartition(".")
    return (run, int(number)) if run and number.isascii() and number.isdigit() else (stem, 0)


def _is_plain(fragment: Any, footer: Footer, wanted: pa.Schema) -> bool:
    """Tell whether a file has those columns as they are promised, so that it needs no looking after."""
    if footer.version != schema.SCHEMA_VERSION:
        return False
    found = dict(zip(fragment.physical_schema.names, fragment.physical_schema.types, strict=True))
    return all(found.get(field.name) == field.type for field in wanted)


def _narrow(fragment: Any, metadata: pq.FileMetaData, table: str, part: Part) -> Any:
    """Leave out the row groups that lie outside the time asked for."""
    if part.since is None and part.until is None:
        return fragment
    groups = [
        number
        for number, span in enumerate(read_spans(metadata, table))
        if not (part.since is not None and span.last is not None and span.last < part.since)
        and not (part.until is not None and span.first is not None and span.first >= part.until)
    ]
    return fragment if len(groups) == metadata.num_row_groups else fragment.subset(row_group_ids=groups)


def _read_fragments(fragments: Sequence[Any], table: str, columns: Sequence[str]) -> pa.Table:
    wanted = arrow_schema(table, columns)
    return ds.FileSystemDataset(fragments, wanted, _FORMAT, _LOCAL).to_table(columns=wanted.names)


def _sort_key(piece: _Piece) -> tuple[str, str, list[int]]:
    if piece.order is None:
        raise AssertionError
    return piece.order.service, piece.order.run_id, piece.order.first


def _fill_service(piece: pa.Table, service: str | None) -> pa.Table:
    """Name the service after the folder where rows have none, as in Parquet that another tool partitioned."""
    if service is None or "service" not in piece.column_names or piece["service"].null_count == 0:
        return piece
    position = piece.column_names.index("service")
    return piece.set_column(position, piece.schema.field(position), piece["service"].fill_null(service))
