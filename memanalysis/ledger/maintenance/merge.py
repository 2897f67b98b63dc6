"""Merge many small sealed files into a few, without a moment at which their rows are lost or doubled.

A process that lives for a second leaves a file a table. The sealed files of runs that have ended are merged into one a
service and day, of 64 MiB at most. The rows lie by run and time, so that the row groups of one run can be found by the
statistics of ``run_id``. The merged file is written and synced, the journal names its sources, a rename makes it one of
the ledger's files, and only then the sources are removed (see `journal`). The caller holds the ledger's lock.
"""

import os
import uuid
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from memanalysis._atomic import open_atomic, write_atomic
from memanalysis.errors import LedgerError
from memanalysis.ledger.arrow import arrow_schema
from memanalysis.ledger.files import LocalFiles
from memanalysis.ledger.maintenance.seal import SealedWriter
from memanalysis.ledger.merge_journal import (
    JOURNAL_NAME,
    MERGED_PREFIX,
    MergeJournal,
    MergeSource,
    is_source,
    read_journal,
)
from memanalysis.ledger.paths import JSONL_SUFFIX, PARQUET_SUFFIX, run_of_stem
from memanalysis.ledger.reading.footers import DOWNSAMPLED_KEY, open_parquet, read_footer, read_span
from memanalysis.ledger.reading.native_files import read_native
from memanalysis.ledger.values import format_timestamp
from memanalysis.ledger.walk import FoundFile, walk_ledger
from memanalysis.schema import SCHEMA_VERSION, TABLES

__all__ = ["MAX_MERGED_BYTES", "Merged", "finish_merge", "merge_sealed"]

MAX_MERGED_BYTES = 64 * 1024**2
"""A merged file is no larger."""

MAX_SOURCE_BYTES = 16 * 1024**2
"""A larger file stays as it is: it is read whole, which takes some 10 times as much memory."""

BATCH_FILES = 256
BATCH_BYTES = 4 * 1024**2
"""Files, and bytes of files, read at a time."""

SLICE_ROWS = 50_000
"""Rows handed on at a time, so that a row group is no larger than elsewhere."""

THREADS = min(4, os.cpu_count() or 1)

Group = tuple[str, str, str, float | None]
"""Table, folder of the service, day of the newest row in UTC, and interval of down-sampling."""


@dataclass(slots=True)
class Merged:
    """What was merged: files before and after, and what could not be, each with its path and reason."""

    sources: int = 0
    files: int = 0
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Member:
    """One file that may be merged."""

    name: str
    size: int
    place: tuple[str, list[int], str]


def merge_sealed(files: LocalFiles, *, dry_run: bool = False) -> Merged:
    """Merge the sealed files of ended runs.

    A file stays as it is where its run has lines that are not sealed, where it is another tool's or another version's,
    and where it cannot be read.
    """
    done = Merged()
    if not dry_run:
        finish_merge(files, done)
        if files.kind(JOURNAL_NAME) is not None:  # of a merge that cannot be finished: it must not be forgotten
            return done
    for group, members in sorted(_find_groups(files, done).items(), key=lambda item: str(item[0])):
        for chosen in _fill_bins(members):
            if dry_run:
                done.sources += len(chosen)
                done.files += 1
                continue
            try:
                _merge(files, group, chosen, done)
            except (OSError, pa.ArrowException) as exc:
                done.failed.append(f"{files.root}/{group[0]}/{group[1]}: cannot be merged: {exc}")
                if files.kind(JOURNAL_NAME) is not None:
                    return done
    return done


def finish_merge(files: LocalFiles, done: Merged | None = None) -> None:
    """Do what a merge that was cut short left to do: remove sources whose rows are in the merged file."""
    failed = [] if done is None else done.failed
    journal = read_journal(files)
    if journal is not None and _is_whole(files, journal):
        for source in journal.sources:
            path = f"{journal.folder}/{source.name}"
            try:
                if is_source(files, journal, source):
                    files.remove(path)
            except OSError as exc:
                failed.append(f"{files.root}/{path}: cannot be removed, though it is merged: {exc.strerror or exc}")
                return
    files.remove(JOURNAL_NAME)


def _is_whole(files: LocalFiles, journal: MergeJournal) -> bool:
    path = f"{journal.folder}/{journal.merged}"
    try:
        with files.open(path) as stream, open_parquet(stream, path):
            return True
    except OSError:
        return False


def _find_groups(files: LocalFiles, done: Merged) -> dict[Group, list[_Member]]:
    sealed = [file for file in walk_ledger(files).files if file.suffix == PARQUET_SUFFIX]
    # listed after the sealed ones: a run without lines now had sealed its files before
    lines = [file for file in walk_ledger(files).files if file.suffix == JSONL_SUFFIX]
    live = {(file.partition, stem) for file in lines for stem in (file.stem, run_of_stem(file.stem))}
    candidates = [
        file
        for file in sealed
        if (file.partition, file.stem) not in live and (file.partition, run_of_stem(file.stem)) not in live
    ]
    groups: dict[Group, list[_Member]] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for found in pool.map(lambda file: _describe(files, file, live), candidates):
            if isinstance(found, str):
                done.failed.append(found)
            elif found is not None:
                groups.setdefault(found[0], []).append(found[1])
    return groups


def _describe(files: LocalFiles, file: FoundFile, live: set[tuple[str, str]]) -> tuple[Group, _Member] | str | None:
    """Group of a file and what is to be known of it; None of one that stays, and text of one that is corrupt."""
    try:
        size = files.size(file.path)
        if size > MAX_SOURCE_BYTES:
            return None
        with files.open(file.path) as stream:
            metadata = pq.read_metadata(stream)
        footer = read_footer(metadata, file.table, name=file.path)
        if footer.version != SCHEMA_VERSION or not _is_ours(metadata, file.table):
            return None
        day = _newest_day(metadata, file.table)
    except FileNotFoundError:
        return None
    except (LedgerError, OSError, ValueError, pa.ArrowException) as exc:
        return f"{files.root}/{file.path}: left as it is: {exc}"
    order = footer.order
    if order is not None and (file.partition, order.run_id) in live:
        return None
    place = (run_of_stem(file.stem), [], file.stem) if order is None else (order.run_id, order.first, file.stem)
    return (file.table, file.partition, day, footer.downsampled_s), _Member(file.name, size, place)


def _is_ours(metadata: pq.FileMetaData, table: str) -> bool:
    """Return whether a file has the table's columns and no others, as promised."""
    found = metadata.schema.to_arrow_schema()
    return len(found) == len(TABLES[table]) and dict(zip(found.names, found.types, strict=True)) == {
        f.name: f.type for f in arrow_schema(table)
    }


def _newest_day(metadata: pq.FileMetaData, table: str) -> str:
    """Day of the newest row in UTC, from the statistics."""
    column = list(TABLES[table]).index("started" if table == "runs" else "timestamp")
    spans = (read_span(metadata.row_group(number), column) for number in range(metadata.num_row_groups))
    lasts = [span.last for span in spans if span.last is not None]
    return format_timestamp(max(lasts))[:10].replace("-", "") if lasts else "undated"


def _fill_bins(members: list[_Member]) -> Iterator[list[_Member]]:
    """Files to be merged into one each, in the order of their runs, two at least."""
    chosen: list[_Member] = []
    free_bytes = MAX_MERGED_BYTES
    for member in sorted(members, key=lambda member: member.place):
        if member.size > free_bytes:
            if len(chosen) > 1:
                yield chosen
            chosen, free_bytes = [], MAX_MERGED_BYTES
        chosen.append(member)
        free_bytes -= member.size
    if len(chosen) > 1:
        yield chosen


class _TooFewSourcesError(Exception):
    """The files to be merged went away or are corrupt, all but one: the merged file is given up."""


def _merge(files: LocalFiles, group: Group, members: Sequence[_Member], done: Merged) -> None:
    table, partition, day, downsampled_s = group
    folder = Path(files.root, table, partition)
    name = f"{MERGED_PREFIX}{day}-{uuid.uuid4().hex[:8]}{PARQUET_SUFFIX}"
    metadata = {} if downsampled_s is None else {DOWNSAMPLED_KEY: str(downsampled_s)}
    try:
        # a table's folder holds whole Parquet only
        with open_atomic(folder / name, temporary_folder=Path(files.root)) as stream:
            sources = _write(files, group, members, stream, metadata, done)
            # written before the merged file gets its name: a journal without its merged file is passed over
            journal = MergeJournal(table, partition, name, tuple(sources))
            write_atomic(Path(files.root, JOURNAL_NAME), journal.to_bytes())
    except _TooFewSourcesError:
        return
    finish_merge(files, done)
    done.sources += len(sources)
    done.files += 1


def _write(
    files: LocalFiles, group: Group, members: Sequence[_Member], stream: Any, metadata: dict[str, str], done: Merged
) -> list[MergeSource]:
    """Write the rows of the files, as far as each can be read whole, and return what was written, two at least."""
    table, partition = group[:2]
    writer = SealedWriter(stream, table, metadata=metadata)
    sources: list[MergeSource] = []
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            for batch in _split(members):
                paths = [f"{table}/{partition}/{member.name}" for member in batch]
                rows = []
                for path, found in zip(
                    paths, pool.map(lambda path: _read_whole(files, path, table), paths), strict=True
                ):
                    if isinstance(found, str):
                        done.failed.append(f"{files.root}/{path}: left as it is: {found}")
                    elif found is not None:
                        sources.append(found[0])
                        rows.append(found[1])
                if rows:
                    _write_slices(writer, _join(rows, table))
        writer.close()
    except BaseException:  # an interrupt too: no half file stays, and the error goes on
        writer.abandon()
        raise
    if len(sources) < 2:
        raise _TooFewSourcesError
    return sources


def _split(members: Sequence[_Member]) -> Iterator[list[_Member]]:
    batch: list[_Member] = []
    n_bytes = 0
    for member in members:
        if batch and (len(batch) == BATCH_FILES or n_bytes + member.size > BATCH_BYTES):
            yield batch
            batch, n_bytes = [], 0
        batch.append(member)
        n_bytes += member.size
    if batch:
        yield batch


def _read_whole(files: LocalFiles, path: str, table: str) -> tuple[MergeSource, pa.Table] | str | None:
    """One file and its rows; text where it cannot be read, None where it is gone."""
    texts = ["traceback"] if table == "sites" else []
    try:
        with files.open(path) as stream:
            content = read_native(stream)
        with pq.ParquetFile(pa.BufferReader(content), read_dictionary=texts) as parquet:
            rows = parquet.read(columns=_find_known(parquet.metadata, table), use_threads=False)
            if rows.num_rows != parquet.metadata.num_rows:
                return f"its footer states {parquet.metadata.num_rows} rows, but {rows.num_rows} can be read"
    except FileNotFoundError:
        return None
    except (LedgerError, OSError, pa.ArrowException) as exc:
        return str(exc)
    source = MergeSource(path.rpartition("/")[2], len(content), zlib.crc32(content))
    return source, rows.replace_schema_metadata(None)


def _find_known(metadata: pq.FileMetaData, table: str) -> list[str]:
    """Columns that are not null throughout, by the statistics: each that is read takes time."""
    if metadata.num_row_groups != 1:
        return list(TABLES[table])
    group = metadata.row_group(0)
    known = []
    for name, number in _number_columns(group):
        statistics = group.column(number).statistics
        if statistics is None or not statistics.has_null_count or statistics.null_count < group.num_rows:
            known.append(name)
    return known or list(TABLES[table])


def _number_columns(group: pq.RowGroupMetaData) -> Iterator[tuple[str, int]]:
    for number in range(group.num_columns):
        yield group.column(number).path_in_schema, number


def _join(rows: Sequence[pa.Table], table: str) -> pa.Table:
    """Rows of several files; a column that none of them knows is null."""
    found = pa.concat_tables(rows, promote_options="default").combine_chunks()
    wanted = arrow_schema(table)
    columns = [
        found[field.name] if field.name in found.column_names else pa.nulls(found.num_rows, field.type)
        for field in wanted
    ]
    return pa.table(columns, names=wanted.names)


def _write_slices(writer: SealedWriter, rows: pa.Table) -> None:
    for begin in range(0, rows.num_rows, SLICE_ROWS):
        writer.write(rows.slice(begin, SLICE_ROWS))
