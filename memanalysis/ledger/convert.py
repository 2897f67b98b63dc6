"""How a ledger of one shape becomes one of another: folder, ``.parquet``, ``.jsonl`` or an array in ``.json``.

What the other shape has no place for is left out and reported. The target appears whole or not at all.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from memanalysis._atomic import sync_folder
from memanalysis.errors import InvalidArgumentError, LedgerError
from memanalysis.ledger.files import Files, LocalFiles, files_at
from memanalysis.ledger.maintenance.seal import SealedWriter
from memanalysis.ledger.marker import write_marker
from memanalysis.ledger.paths import MARKER_NAME, PARQUET_SUFFIX, PARTITION_PREFIX, is_run_id, slug_of_service
from memanalysis.ledger.reading.ledger import Ledger, open_ledger
from memanalysis.ledger.values import dump_json
from memanalysis.ledger.writing.row_encoder import encode_cells
from memanalysis.schema import TABLES
from memanalysis.units import mb_from_bytes

__all__ = ["Converted", "convert_ledger"]

BATCH_ROWS = 5_000
"""Rows held as Python objects at a time."""

_COUNTS = ("object_count", "allocation_count", "deallocation_count", "gc_collections")
_HASH_DIGITS = 16


@dataclass(slots=True)
class Converted:
    """Rows that were written, by table, and sentences on what was left out."""

    rows: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def convert_ledger(
    source: str | os.PathLike[str], target: str | os.PathLike[str], *, overwrite: bool = False
) -> Converted:
    """Write a ledger in another shape, or at another place; the shape follows from the target's suffix.

    Parameters
    ----------
    source, target : path or URL
        ``.parquet``, ``.jsonl`` and ``.json`` are files; a target without a suffix is a folder.
    overwrite : bool
        Whether a ledger that is there already is replaced.

    Raises
    ------
    InvalidArgumentError
        The target is of no such shape, or is there already.
    LedgerError
        The source cannot be read, or the target not be written.
    """
    ledger = open_ledger(source)
    files = files_at(target)
    name = PurePosixPath(files.root.rstrip("/")).name
    suffix = "" if os.fspath(target).endswith("/") else PurePosixPath(name).suffix.lower()
    write = _WRITERS.get(suffix)
    if write is None:
        raise InvalidArgumentError(
            f"convert needs a target that is a folder, .parquet, .jsonl or .json, but got {os.fspath(target)!r}. "
            "Name one of these."
        )
    _check_free(files, overwrite=overwrite)
    done = Converted()
    try:
        with _workplace(files) as folder:
            made = Path(folder) / f"made{suffix}"
            write(ledger, made, done)
            _move(made, files)
    except LedgerError:
        raise
    except OSError as exc:
        raise LedgerError(
            f"convert needs to write {files.root}, but cannot: {exc.strerror or exc}. "
            "Free some space, or give another path."
        ) from exc
    if ledger.damage:
        done.left_out.append(f"{len(ledger.damage)} damaged places of the source; memanalysis info lists them")
    return done


def _check_free(files: Files, *, overwrite: bool) -> None:
    kind = files.kind("")
    if kind is None or (kind == "folder" and not files.list_folder("")):
        return
    if not overwrite:
        raise InvalidArgumentError(
            f"convert needs a target that is not there yet, but {files.root} is. "
            "Give another path, or allow to overwrite it."
        )
    if kind == "folder" and not any(entry.name == MARKER_NAME for entry in files.list_folder("")):
        raise InvalidArgumentError(
            f"convert overwrites ledgers only, but {files.root} is another folder. Give another path."
        )


def _workplace(files: Files) -> "tempfile.TemporaryDirectory[str]":
    """Make a folder beside the target, so that what is made there can be renamed; for a URL anywhere."""
    if not isinstance(files, LocalFiles):
        return tempfile.TemporaryDirectory(prefix="memanalysis-")
    parent = Path(files.root).absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=".memanalysis-", suffix=".tmp", dir=parent)


def _move(made: Path, files: Files) -> None:
    if isinstance(files, LocalFiles):
        target = Path(files.root).absolute()
        if target.is_dir():
            target.rename(made.parent / "replaced")
        made.replace(target)
        sync_folder(target.parent)
    elif made.is_dir():
        for path in sorted(path for path in made.rglob("*") if path.is_file()):
            files.put(path, path.relative_to(made).as_posix())
    else:
        files.put(made, "")


def _write_folder(ledger: Ledger, target: Path, done: Converted) -> None:
    target.mkdir()
    write_marker(target)
    for table in TABLES:
        rows = ledger.read_arrow(table)
        done.rows[table] = rows.num_rows
        for piece in _runs_of(rows):
            service, run_id = (piece[name][0].as_py() for name in ("service", "run_id"))
            folder = target / table / (PARTITION_PREFIX + slug_of_service(service))
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / (_stem(run_id) + PARQUET_SUFFIX)).open("xb") as stream:
                _write_sealed(stream, table, piece)


def _write_parquet(ledger: Ledger, target: Path, done: Converted) -> None:
    with target.open("xb") as stream:
        rows = ledger.read_arrow("samples")
        _write_sealed(stream, "samples", rows)
    done.rows["samples"] = rows.num_rows
    _note_other_tables(ledger, done, "a Parquet file holds samples only")


def _write_lines(ledger: Ledger, target: Path, done: Converted) -> None:
    with target.open("xb") as stream:
        for table in TABLES:
            rows = ledger.read_arrow(table)
            done.rows[table] = rows.num_rows
            for row in _python_rows(rows, table):
                cells = encode_cells(table, row)
                stream.write(f'{{"table":"{table}"{"," if cells else ""}{cells}}}\n'.encode())


def _write_json_array(ledger: Ledger, target: Path, done: Converted) -> None:
    samples = ledger.read_arrow("samples")
    n_rows = n_untold = n_unknown = 0
    with target.open("xb") as stream:
        stream.write(b"[")
        for row in _python_rows(samples, "samples"):
            if row["timestamp"] is None or not row["service"]:
                n_untold += 1
                continue
            traced = row["traced_bytes"]
            n_unknown += traced is None
            entry = {
                "timestamp": row["timestamp"].timestamp(),
                "service_name": row["service"],
                "memory_usage_mb": None if traced is None else mb_from_bytes(traced),
                **{name: row[name] for name in _COUNTS},
            }
            stream.write((b",\n" if n_rows else b"\n") + dump_json(entry))
            n_rows += 1
        stream.write(b"\n]\n")
    done.rows["samples"] = n_rows
    if n_untold:
        done.left_out.append(f"{n_untold:,} samples without a service or a timestamp")
    if n_unknown:
        done.left_out.append(f"the memory of {n_unknown:,} samples: it is the traced memory, and nothing was traced")
    kept = {"service", "timestamp", "traced_bytes", *_COUNTS}
    lost = [name for name in samples.column_names if name not in kept and samples[name].null_count < samples.num_rows]
    if lost:
        done.left_out.append(f"columns without a field in the JSON array: {', '.join(lost)}")
    _note_other_tables(ledger, done, "the JSON array holds samples only")


_WRITERS: dict[str, Callable[[Ledger, Path, Converted], None]] = {
    "": _write_folder,
    ".parquet": _write_parquet,
    ".jsonl": _write_lines,
    ".json": _write_json_array,
}


def _note_other_tables(ledger: Ledger, done: Converted, why: str) -> None:
    counts = {table: ledger.read_arrow(table, columns=["service"]).num_rows for table in TABLES if table != "samples"}
    rows = [f"{count:,} {table}" for table, count in counts.items() if count]
    if rows:
        done.left_out.append(f"{', '.join(rows)}: {why}")


def _write_sealed(stream: Any, table: str, rows: pa.Table) -> None:
    writer = SealedWriter(stream, table)
    for begin in range(0, rows.num_rows, BATCH_ROWS):
        writer.write(rows.slice(begin, BATCH_ROWS))
    writer.close()
    stream.flush()
    os.fsync(stream.fileno())


def _runs_of(rows: pa.Table) -> Iterator[pa.Table]:
    """Pieces of one run each, of rows that come by service and run."""
    if not rows.num_rows:
        return
    is_new = np.zeros(rows.num_rows, dtype=bool)
    is_new[0] = True
    for name in ("service", "run_id"):
        codes = rows[name].combine_chunks().dictionary_encode()
        codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
        numbers = codes.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        is_new[1:] |= numbers[1:] != numbers[:-1]
    starts = np.flatnonzero(is_new).tolist()
    for begin, end in zip(starts, [*starts[1:], rows.num_rows], strict=True):
        yield rows.slice(begin, end - begin)


def _stem(run_id: str | None) -> str:
    if run_id is None:
        return "no-run"
    if is_run_id(run_id):
        return run_id
    return "run-" + hashlib.sha256(run_id.encode()).hexdigest()[:_HASH_DIGITS]


def _python_rows(rows: pa.Table, table: str) -> Iterator[dict[str, Any]]:
    texts = [name for name, kind in TABLES[table].items() if kind == "json"]
    for begin in range(0, rows.num_rows, BATCH_ROWS):
        for row in rows.slice(begin, BATCH_ROWS).to_pylist():
            for name in texts:
                if row[name] is not None:
                    row[name] = _parse(row[name])
            yield row


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # a foreign file's plain text
        return text
