"""The shapes a ledger can have, read as Arrow tables: a folder of shards, a Parquet, a JSON-lines or a JSON file.

What is spoilt is passed over and told as `Damage`, a record a file and reason; only a file that *is* the ledger and
cannot be read at all is an error.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from memanalysis.errors import LedgerError, LedgerFormatError
from memanalysis.ledger.arrow import VERSION_KEY, conform_table, empty_table, table_from_rows
from memanalysis.ledger.files import Files, visible
from memanalysis.ledger.founding import parse_entries, rows_from_entries
from memanalysis.ledger.jsonl import NOT_A_ROW, iter_objects, iter_rows, row_from_object
from memanalysis.ledger.marker import check_version, parse_marker
from memanalysis.ledger.paths import (
    JSONL_SUFFIX,
    MARKER_NAME,
    PARQUET_SUFFIX,
    SERVICE_PREFIX,
    decode_service,
)
from memanalysis.schema import TABLES

__all__ = ["Damage", "FolderSource", "FoundingSource", "LinesSource", "ParquetSource", "Reading", "Source"]


@dataclass(frozen=True, slots=True)
class Damage:
    """What a reader had to leave out of one file, and why; ``lines_skipped`` is None where it cannot be counted."""

    file: str
    lines_skipped: int | None
    reason: str


@dataclass(slots=True)
class Reading:
    """What one read gave: the rows, and for each file that was looked into, what had to be left out."""

    table: pa.Table
    damage: dict[str, list[Damage]] = field(default_factory=dict)


class Source(Protocol):
    """One shape of ledger."""

    def check(self) -> None:
        """Raise a `LedgerError` if what is there is no ledger."""

    def read(self, table: str, *, columns: Sequence[str], services: Collection[str] | None) -> Reading:
        """Rows of a table, with those columns, of at least those services, in any order."""

    def services(self) -> list[str]:
        """Names of the services that have rows, sorted."""


class FolderSource:
    """A folder of shards, one a process and table, under ``<table>/service=<encoded>/``."""

    def __init__(self, files: Files) -> None:
        self._files = files

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

    def read(self, table: str, *, columns: Sequence[str], services: Collection[str] | None) -> Reading:
        """Rows of the shards of those services."""
        wanted = None if services is None else {name.casefold() for name in services}
        reading = Reading(empty_table(table, columns))
        pieces = [reading.table]
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
            for stem, suffixes in self._stems(folder):
                piece = self._read_stem(f"{folder}/{stem}", suffixes, table, columns, reading)
                if piece is not None:
                    pieces.append(_fill_service(piece, service if whole else None))
        reading.table = pa.concat_tables(pieces)
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

    def _partitions(self, table: str) -> list[str]:
        if self._files.kind(table) != "folder":
            return []
        folders = visible(self._files.list_folder(table), "folder")
        return [name for name in folders if name.startswith(SERVICE_PREFIX)]

    def _stems(self, folder: str) -> list[tuple[str, set[str]]]:
        stems: dict[str, set[str]] = {}
        for name in visible(self._files.list_folder(folder), "file"):
            path = PurePosixPath(name)
            if path.suffix in {JSONL_SUFFIX, PARQUET_SUFFIX}:
                stems.setdefault(path.stem, set()).add(path.suffix)
        return sorted(stems.items())

    def _read_stem(
        self, path: str, suffixes: set[str], table: str, columns: Sequence[str], reading: Reading
    ) -> pa.Table | None:
        """Rows of one shard: its Parquet if that is there, else its lines, and none if it went away meanwhile."""
        for suffix in (PARQUET_SUFFIX, JSONL_SUFFIX, PARQUET_SUFFIX):
            if suffix not in suffixes:
                continue
            name = path + suffix
            read = self._read_parquet if suffix == PARQUET_SUFFIX else self._read_lines
            try:
                return read(name, table, columns, reading)
            except FileNotFoundError as exc:
                if isinstance(exc, LedgerError):
                    raise
                suffixes = {PARQUET_SUFFIX}  # sealed between the listing and now, or dropped by retention
            except (LedgerFormatError, OSError) as exc:
                if isinstance(exc, LedgerError) and not isinstance(exc, LedgerFormatError):
                    raise
                reading.damage[name] = [Damage(name, None, str(exc))]
        return None

    def _read_parquet(self, path: str, table: str, columns: Sequence[str], reading: Reading) -> pa.Table:
        found = _read_parquet(self._files, path, table, columns)
        reading.damage[path] = []
        return found

    def _read_lines(self, path: str, table: str, columns: Sequence[str], reading: Reading) -> pa.Table:
        skipped: Counter[str] = Counter()
        with self._files.open(path) as stream:
            rows = list(iter_rows(stream, table, skipped))
        reading.damage[path] = _damages(path, skipped)
        return table_from_rows(table, rows, columns)

    def _note_links(self, folder: str, reading: Reading, *, only: str | None = None) -> None:
        for entry in self._files.list_folder(folder):
            if entry.kind == "link" and only in {None, entry.name}:
                path = f"{folder}/{entry.name}".lstrip("/")
                reading.damage[path] = [Damage(path, None, "a link, which is not followed")]

    def _names_in_rows(self, table: str, partition: str) -> set[str]:
        names: set[str] = set()
        reading = Reading(empty_table(table))
        for stem, suffixes in self._stems(f"{table}/{partition}"):
            piece = self._read_stem(f"{table}/{partition}/{stem}", suffixes, table, ["service"], reading)
            if piece is not None:
                names |= _names(piece)
            if names:
                break
        return names


class ParquetSource:
    """One Parquet file of samples."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def check(self) -> None:
        """Read the footer."""
        with self._files.open("") as stream, _open_parquet(stream, self._files.root) as parquet:
            known = set(parquet.schema_arrow.names) & set(TABLES["samples"])
            if not known:
                raise LedgerFormatError(
                    f"open_ledger needs columns such as service, timestamp and rss_bytes, but {self._files.root} has "
                    f"{parquet.schema_arrow.names}. Rename the columns."
                )

    def read(self, table: str, *, columns: Sequence[str], services: Collection[str] | None) -> Reading:
        """Rows of the file; it has samples only."""
        if table != "samples":
            return Reading(empty_table(table, columns))
        return Reading(_read_parquet(self._files, "", table, columns), {self._files.root: []})

    def services(self) -> list[str]:
        """Names in the rows."""
        return sorted(_names(self.read("samples", columns=["service"], services=None).table))


class LinesSource:
    """One file of JSON lines: samples, or rows of any table that say so under the key ``table``."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def check(self) -> None:
        """Look for one good line."""
        skipped: Counter[str] = Counter()
        with self._files.open("") as stream:
            if next(iter_objects(stream, skipped), None) is not None:
                return
        raise LedgerFormatError(
            f"open_ledger needs a JSON object a line, but {self._files.root} has {skipped.total()} lines "
            f"and none is one ({', '.join(skipped) or 'all blank'}). Name a file of JSON lines."
        )

    def read(self, table: str, *, columns: Sequence[str], services: Collection[str] | None) -> Reading:
        """Rows of one table of the file."""
        skipped: Counter[str] = Counter()
        with self._files.open("") as stream:
            rows = list(_rows_of(iter_objects(stream, skipped), table, skipped))
        name = self._files.root
        return Reading(table_from_rows(table, rows, columns), {name: _damages(name, skipped)})

    def services(self) -> list[str]:
        """Names in the rows of any table."""
        names: set[str] = set()
        for table in TABLES:
            names |= _names(self.read(table, columns=["service"], services=None).table)
        return sorted(names)


class FoundingSource:
    """The founding JSON array: one object an entry, with the seven founding fields."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def check(self) -> None:
        """Read the whole array: it is small, and its end tells whether it is whole."""
        self._rows()

    def read(self, table: str, *, columns: Sequence[str], services: Collection[str] | None) -> Reading:
        """Entries as samples; the file has nothing else."""
        if table != "samples":
            return Reading(empty_table(table, columns))
        return Reading(table_from_rows(table, self._rows(), columns), {self._files.root: []})

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
            row = row_from_object(TABLES[table], found)
            if row is None:
                skipped[NOT_A_ROW] += 1
            else:
                yield row
        elif stated not in TABLES:
            skipped["of no table that is known"] += 1


def _read_parquet(files: Files, path: str, table: str, columns: Sequence[str]) -> pa.Table:
    name = f"{files.root}/{path}" if path else files.root
    with files.open(path) as stream, _open_parquet(stream, name) as parquet:
        present = [column for column in parquet.schema_arrow.names if column in set(columns)]
        try:
            found = parquet.read(columns=present) if present else _rows_without_columns(parquet.metadata.num_rows)
        except (pa.ArrowException, OSError) as exc:
            raise _broken_parquet(name, exc) from exc
    return conform_table(found, table, name=name, columns=columns)


def _open_parquet(stream: Any, name: str) -> pq.ParquetFile:
    try:
        parquet = pq.ParquetFile(stream)
    except (pa.ArrowException, OSError) as exc:
        raise _broken_parquet(name, exc) from exc
    version = (parquet.metadata.metadata or {}).get(VERSION_KEY, b"1")
    if version.isdigit():
        check_version(int(version), name=name)
    return parquet


def _broken_parquet(name: str, exc: Exception) -> LedgerFormatError:
    return LedgerFormatError(
        f"open_ledger needs a whole Parquet file, but {name} is none: {str(exc).rstrip('.')}. Restore it from a copy."
    )


def _rows_without_columns(n_rows: int) -> pa.Table:
    return pa.table({"": pa.nulls(n_rows)})


def _fill_service(piece: pa.Table, service: str | None) -> pa.Table:
    """Name the service after the folder where rows have none, as in Parquet that another tool partitioned."""
    if service is None or "service" not in piece.column_names or piece["service"].null_count == 0:
        return piece
    position = piece.column_names.index("service")
    return piece.set_column(position, piece.schema.field(position), piece["service"].fill_null(service))


def _names(table: pa.Table) -> set[str]:
    return {name for name in table["service"].unique().to_pylist() if name is not None}


def _damages(name: str, skipped: Counter[str]) -> list[Damage]:
    return [Damage(name, count, reason) for reason, count in sorted(skipped.items())]
