"""Puts a ledger in order from outside: killed runs sealed, small files merged, old rows dropped, runs indexed.

A shard belongs to a live process as long as that holds its lock. Where a shard was written on another machine, or files
cannot be locked, it must have rested for a day. Who compacts holds the lock of ``.compact.lock``; writers and readers
never wait.
"""

import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from memanalysis._atomic import TEMPORARY_SUFFIX
from memanalysis.errors import InvalidArgumentError, LedgerBusyError, LedgerError
from memanalysis.ledger.files import Files, LocalFiles, files_at
from memanalysis.ledger.jsonl import MAX_LINE_BYTES
from memanalysis.ledger.maintenance.apply_retention import RetentionResult, apply_retention
from memanalysis.ledger.maintenance.index_runs import Indexed, index_runs
from memanalysis.ledger.maintenance.merge import Merged, merge_sealed
from memanalysis.ledger.maintenance.note_ends import note_ends
from memanalysis.ledger.maintenance.retention import SECONDS_A_DAY, Retention
from memanalysis.ledger.maintenance.seal import remove_sealed_lines, seal_shard
from memanalysis.ledger.maintenance.upload import upload_spool
from memanalysis.ledger.marker import DEFAULT_FILE_MODE
from memanalysis.ledger.paths import JSONL_SUFFIX, MARKER_NAME, sealed_path
from memanalysis.ledger.reading.dataset_source import FolderSource
from memanalysis.ledger.reading.footers import open_parquet
from memanalysis.ledger.walk import open_regular, walk_ledger
from memanalysis.ledger.writing.segment_rotation import lock_file
from memanalysis.ledger.writing.spool import is_url, spool_folder

__all__ = ["LOCK_NAME", "Compacted", "clear_temporaries", "compact_ledger", "hold_lock", "seal_abandoned"]

LOCK_NAME = ".compact.lock"

STALE_S = 3600.0
"""A temporary file of a seal or a save is whole within seconds; one so old was left by a crash."""

RESTED_S = SECONDS_A_DAY
"""A shard that cannot be asked whether its writer lives is taken for abandoned after this."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Compacted:
    """What was done to a ledger; each ``failed``, here and in its parts, names what could not be treated, and why."""

    sealed: int = 0
    live: int = 0
    unsealed: list[str] = field(default_factory=list)
    temporaries: int = 0
    uploaded: int = 0
    merged: Merged = field(default_factory=Merged)
    indexed: Indexed = field(default_factory=Indexed)
    failed: list[str] = field(default_factory=list)
    retention: RetentionResult = field(default_factory=RetentionResult)


def compact_ledger(
    path_or_url: str | os.PathLike[str],
    *,
    retention: Retention | None = None,
    now: float | None = None,
    dry_run: bool = False,
) -> Compacted:
    """Seal what killed runs left, clear stale temporary files, merge small files, apply a retention, index the runs.

    Parameters
    ----------
    path_or_url : path or URL
        A ledger that is a folder. Of a URL, what waits on this machine to be uploaded is uploaded first, and nothing
        is merged.
    retention : Retention, optional
        What is kept; without it nothing is dropped.
    now : float, optional
        Epoch seconds from which ages count; the clock's, if not given.
    dry_run : bool
        True reports what would be done, and does nothing. The index is counted as if nothing were merged before.

    Raises
    ------
    LedgerError
        It is no ledger, or cannot be read or written, or is being compacted already.
    """
    files = files_at(path_or_url)
    moment = time.time() if now is None else now
    if is_url(path_or_url):
        return _compact_url(os.fspath(path_or_url), files, retention, moment, dry_run=dry_run)
    _check_folder(files)
    root = Path(files.root)
    done = Compacted()
    try:
        with hold_lock(root, dry_run=dry_run):
            skipped = sorted(walk_ledger(LocalFiles(root), index=True).skipped, key=lambda entry: entry.path)
            done.failed += [f"{root}/{entry.path}: {entry.reason}" for entry in skipped]
            done.temporaries = clear_temporaries(root, now=moment, dry_run=dry_run, failed=done.failed)
            seal_abandoned(root, done, dry_run=dry_run)
            if retention is not None:  # before merging, which makes files coarser
                done.retention = apply_retention(files, retention, now=moment, dry_run=dry_run)
            done.merged = merge_sealed(LocalFiles(root), dry_run=dry_run)
            done.indexed = index_runs(LocalFiles(root), dry_run=dry_run)
    except LedgerError:
        raise
    except OSError as exc:
        raise LedgerError(
            f"compact needs to change the files of {root}, but cannot: {exc.strerror or exc}. "
            "Check its permissions and the disk."
        ) from exc
    return done


def clear_temporaries(root: Path, *, now: float, dry_run: bool = False, failed: list[str] | None = None) -> int:
    """Remove what crashes left of seals, merges and saves; how many files. What cannot be removed is named."""
    files = LocalFiles(root)
    names = [entry.name for entry in files.list_folder("") if entry.kind == "file"]
    names += [file.path for file in walk_ledger(files, hidden=True).files]
    n_cleared = 0
    for path in (root / name for name in names):
        if not path.name.startswith(".") or not path.name.endswith(TEMPORARY_SUFFIX):
            continue
        if now - _mtime(path, now) < STALE_S:
            continue
        try:
            if not dry_run:
                path.unlink(missing_ok=True)
            n_cleared += 1
        except OSError as exc:
            if failed is not None:
                failed.append(f"{path}: cannot be removed: {exc.strerror or exc}")
    return n_cleared


def seal_abandoned(root: Path, done: Compacted, *, dry_run: bool = False) -> None:
    """Seal the shards that no living process writes any more; one that cannot be is named, and the next is treated."""
    if not dry_run:
        note_ends(root)
    for file in walk_ledger(LocalFiles(root)).files:
        if file.suffix != JSONL_SUFFIX:
            continue
        path = root / file.path
        try:
            _seal_if_abandoned(path, file.table, done, dry_run=dry_run)
        except OSError as exc:
            _log.warning("memanalysis left %s unsealed, which reads as well: %s", path, exc)
            done.failed.append(f"{path}: cannot be sealed: {exc.strerror or exc}")


@contextmanager
def hold_lock(root: Path, *, dry_run: bool = False) -> Iterator[None]:
    """Hold the lock of those who compact a ledger; a dry run needs none.

    Raises
    ------
    LedgerBusyError
        Another holds it.
    """
    if dry_run:
        yield
        return
    descriptor = os.open(root / LOCK_NAME, os.O_RDWR | os.O_CREAT, _read_file_mode(root))
    try:
        if lock_file(descriptor) is False:
            raise LedgerBusyError(
                f"compact needs to be alone, but ledger {root} is being compacted by another process. Wait for that."
            )
        yield
    finally:
        os.close(descriptor)


def _read_file_mode(root: Path) -> int:
    """Return the permissions of the ledger's files, as its marker shows them."""
    try:
        return (root / MARKER_NAME).stat().st_mode & 0o666
    except FileNotFoundError:
        return DEFAULT_FILE_MODE


def _compact_url(url: str, files: Files, retention: Retention | None, now: float, *, dry_run: bool) -> Compacted:
    done = Compacted()
    spool = spool_folder(url)
    if (spool / MARKER_NAME).is_file():
        with hold_lock(spool, dry_run=dry_run):
            seal_abandoned(spool, done, dry_run=dry_run)
            if not dry_run:
                done.uploaded = upload_spool(spool, url)
    _check_folder(files)
    try:
        if retention is not None:
            done.retention = apply_retention(files, retention, now=now, dry_run=dry_run)
        done.indexed = index_runs(files, dry_run=dry_run)
    except LedgerError:
        raise
    except OSError as exc:
        raise LedgerError(f"compact needs to change the files of {url}, but cannot: {exc}.") from exc
    return done


def _check_folder(files: Files) -> None:
    kind = files.kind("")
    if kind != "folder":
        what = "nothing" if kind is None else "a file"
        raise InvalidArgumentError(
            f"compact needs a ledger that is a folder, but {files.root} is {what}. Convert a file into a folder first."
        )
    FolderSource(files).check()


def _seal_if_abandoned(path: Path, table: str, done: Compacted, *, dry_run: bool) -> None:
    try:
        stream = open_regular(path)
    except FileNotFoundError:
        return
    descriptor = stream.fileno()
    try:
        locked = lock_file(descriptor)
        if locked is False or (not _is_ours(path, locked=locked) and time.time() - path.stat().st_mtime < RESTED_S):
            done.live += 1
            return
        if dry_run:
            done.sealed += 1
            return
        if os.fstat(descriptor).st_size == 0:
            remove_sealed_lines(path)
            return
        if sealed_path(path).exists():  # a crash came between the seal and this last step of it
            with sealed_path(path).open("rb") as sealed, open_parquet(sealed, str(path)):
                remove_sealed_lines(path)
            done.sealed += 1
            return
        seal_shard(path, table, cut_tail=True)
        done.sealed += 1
    except FileNotFoundError:  # its writer sealed it meanwhile
        return
    except LedgerError as exc:
        _log.warning("memanalysis left %s unsealed, which reads as well: %s", path, exc)
        done.unsealed.append(str(path))
    finally:
        stream.close()


def _is_ours(path: Path, *, locked: bool | None) -> bool:
    """Return whether a lock taken here shows that the writer is gone: not so for one on another machine."""
    if locked is None:
        return False
    run_id, host = _first_run(path), None
    if run_id is not None:
        runs = path.parents[2] / "runs" / path.parent.name
        host = _first_host(runs / f"{run_id}{JSONL_SUFFIX}")
    return host is None or host == socket.gethostname()


def _first_run(path: Path) -> str | None:
    found = _first_line(path).get("run_id")
    return found if isinstance(found, str) else None


def _first_host(path: Path) -> str | None:
    try:
        found = _first_line(path).get("host")
    except (OSError, ValueError):
        return None
    return found if isinstance(found, str) else None


def _first_line(path: Path) -> dict[str, object]:
    with path.open("rb") as stream:
        try:
            found = json.loads(stream.readline(MAX_LINE_BYTES))
        except (ValueError, RecursionError):
            return {}
    return found if isinstance(found, dict) else {}


def _mtime(path: Path, default: float) -> float:
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return default
