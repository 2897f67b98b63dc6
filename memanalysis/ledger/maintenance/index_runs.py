"""Write the index of runs: one file a day with the rows of the sealed files of ``runs``, see `reading.run_index`.

A file that is written is new as a whole, and takes the place of the old one at once. What it states holds for files of
that name and size, so nothing has to be locked: a reader beside this, or after a kill, reads what is not indexed from
the files. The index of a day is written again only where files of runs came or went.
"""

import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from memanalysis._atomic import open_atomic
from memanalysis.errors import LedgerError
from memanalysis.ledger.files import Files, LocalFiles
from memanalysis.ledger.maintenance.seal import copy_permissions
from memanalysis.ledger.marker import DEFAULT_FILE_MODE
from memanalysis.ledger.merge_journal import MERGED_PREFIX
from memanalysis.ledger.paths import INDEX_FOLDER, INDEX_PREFIX, MARKER_NAME, PARQUET_SUFFIX
from memanalysis.ledger.reading.file_sources import read_parquet
from memanalysis.ledger.reading.impossible_values import Removed
from memanalysis.ledger.reading.map_ahead import map_ahead
from memanalysis.ledger.reading.run_index import SOURCE_BYTES_COLUMN, SOURCE_COLUMN, index_schema, read_index_file
from memanalysis.ledger.walk import FoundFile, walk_ledger
from memanalysis.schema import TABLES

__all__ = ["Indexed", "index_runs", "measure_index"]

MIN_FILES = 4
"""A day with fewer files of runs has no index: it would not save enough."""

UNDATED = "undated"
"""In place of the day, of files whose names have none."""

THREADS = 8
"""Files that are read at once."""

COMPRESSION_LEVEL = 9
"""Of zstd, as of sealed files."""

_DATE_DIGITS = 8


@dataclass(slots=True)
class Indexed:
    """What of the index was written: files of runs that it has now and had not, files of its own, and what failed."""

    sources: int = 0
    files: int = 0
    failed: list[str] = field(default_factory=list)


def index_runs(files: Files, *, adds: bool = True, dry_run: bool = False) -> Indexed:
    """Bring the index of runs up to date.

    A file of runs that cannot be read whole, or has values that cannot be, is not indexed: each reader names it.

    Parameters
    ----------
    files : Files
        The ledger's.
    adds : bool
        False only takes out of the index what is there no more.
    dry_run : bool
        True only counts.
    """
    done = Indexed()
    if isinstance(files, LocalFiles) and files.kind(INDEX_FOLDER) not in {None, "folder"}:
        return done  # a link may lead out of the ledger: the walk of whoever compacts names it
    walk = walk_ledger(files, tables=["runs"], index=True)
    days: dict[str, dict[str, int]] = {name: {} for name in walk.index}
    for file in walk.files:
        if file.suffix == PARQUET_SUFFIX and (size := _find_size(files, file)) is not None:
            days.setdefault(f"{INDEX_PREFIX}{_find_day(file.stem)}{PARQUET_SUFFIX}", {})[file.path] = size
    for name, sources in sorted(days.items()):
        is_there = name in walk.index
        if is_there or (adds and len(sources) >= MIN_FILES):
            try:
                _index_day(files, name, sources, done, is_there=is_there, adds=adds, dry_run=dry_run)
            except OSError as exc:
                done.failed.append(f"{files.root}/{INDEX_FOLDER}/{name}: cannot be indexed: {exc.strerror or exc}")
    return done


def measure_index(files: Files) -> int:
    """Return the bytes of the index of runs."""
    size = 0
    for name in walk_ledger(files, tables=[], index=True).index:
        with suppress(FileNotFoundError):  # replaced or removed meanwhile
            size += files.size(f"{INDEX_FOLDER}/{name}")
    return size


def _find_size(files: Files, file: FoundFile) -> int | None:
    try:
        return files.size(file.path) if file.size_bytes is None else file.size_bytes
    except OSError:  # merged or dropped meanwhile
        return None


def _find_day(stem: str) -> str:
    """Day of a file of runs by its name, which begins with it where it is ours: it only has to be the same again."""
    day = stem.removeprefix(MERGED_PREFIX)[:_DATE_DIGITS]
    return day if len(day) == _DATE_DIGITS and day.isascii() and day.isdigit() else UNDATED


def _index_day(
    files: Files, name: str, sources: Mapping[str, int], done: Indexed, *, is_there: bool, adds: bool, dry_run: bool
) -> None:
    before = _read_before(files, name) if is_there else None
    listed = {} if before is None else _list_sources(before)
    stays = {path for path, size in sources.items() if listed.get(path) == size}
    fresh = {path: size for path, size in sources.items() if path not in stays} if adds else {}
    added = {} if dry_run else _read_sources(files, fresh)
    n_added = len(fresh) if dry_run else len(added)
    n_sources = len(stays) + n_added
    is_wanted = n_sources >= MIN_FILES
    is_current = before is not None and len(stays) == len(listed) and not n_added
    if is_current if is_wanted else not is_there:
        return
    done.files += 1
    done.sources += n_added if is_wanted else 0
    if dry_run:
        return
    if not is_wanted:
        files.remove(f"{INDEX_FOLDER}/{name}")
        return
    rows = (
        [] if before is None else [before.filter(pc.is_in(before[SOURCE_COLUMN], pa.array(sorted(stays), pa.string())))]
    )
    _write(files, name, pa.concat_tables([*rows, *added.values()]))


def _read_before(files: Files, name: str) -> pa.Table | None:
    """Return what a file of the index has; None where it is broken or of another version, and is written again."""
    try:
        return read_index_file(files, name, list(TABLES["runs"]))
    except LedgerError:
        return None


def _list_sources(rows: pa.Table) -> dict[str, int]:
    return dict(zip(rows[SOURCE_COLUMN].to_pylist(), rows[SOURCE_BYTES_COLUMN].to_pylist(), strict=True))


def _read_sources(files: Files, sizes: Mapping[str, int]) -> dict[str, pa.Table]:
    """Return the rows of those files that are whole, with the file that they are in."""

    def read(path: str) -> pa.Table | None:
        return _read_source(files, path)

    found = map(read, sizes) if isinstance(files, LocalFiles) else map_ahead(read, sizes, threads=THREADS)
    rows = {path: one for path, one in zip(sizes, found, strict=True) if one is not None and one.num_rows}
    for path, one in rows.items():
        source = [pa.repeat(path, one.num_rows), pa.repeat(pa.scalar(sizes[path], pa.int64()), one.num_rows)]
        rows[path] = pa.table([*one.columns, *source], schema=index_schema()).replace_schema_metadata(None)
    return rows


def _read_source(files: Files, path: str) -> pa.Table | None:
    removed: Removed = Counter()
    try:
        rows = read_parquet(files, path, "runs", list(TABLES["runs"]), removed=removed)
    except Exception:  # the boundary of a file: whatever it holds, each reader names it
        return None
    return None if removed or rows["service"].null_count else rows


def _write(files: Files, name: str, rows: pa.Table) -> None:
    rows = rows.take(pc.sort_indices(rows[SOURCE_COLUMN])).cast(index_schema())
    path = f"{INDEX_FOLDER}/{name}"
    if not isinstance(files, LocalFiles):
        with tempfile.TemporaryDirectory(prefix="memanalysis-") as folder:
            temporary = Path(folder, name)
            _write_parquet(rows, temporary)
            files.put(temporary, path)
        return
    root = Path(files.root)
    own = root / INDEX_FOLDER
    if not own.is_dir():
        own.mkdir(exist_ok=True)
        copy_permissions(root, own)
    with open_atomic(own / name, file_mode=DEFAULT_FILE_MODE, temporary_folder=root) as stream:
        if (root / MARKER_NAME).is_file():
            copy_permissions(root / MARKER_NAME, stream.fileno())
        _write_parquet(rows, stream)


def _write_parquet(rows: pa.Table, target: Path | BinaryIO) -> None:
    options = {"compression": "zstd", "compression_level": COMPRESSION_LEVEL, "store_schema": False}
    with pq.ParquetWriter(target, rows.schema, **options) as writer:
        writer.write_table(rows)
        writer.add_key_value_metadata(index_schema().metadata)
