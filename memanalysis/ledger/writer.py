"""How a running process appends to a ledger, and loses nothing when it is killed.

A process has its own shard a table, so writers never share a file and need no locks. A shard is JSON lines, written
with one ``write`` a batch on an append-only descriptor: a line is whole or absent, and then outlives the process.
``close`` seals each shard into Parquet: write, fsync, rename, and only then is the JSON-lines file removed. Readers
pass over a JSON-lines file whose Parquet is there, so a crash at any point leaves each row exactly once.

Standard library only until ``close``. A forked child must not write its parent's rows again: in a process other than
the one that made the writer, every call does nothing (the recorder opens a new run there).
"""

import itertools
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from memanalysis.errors import InvalidArgumentError, LedgerError, LedgerFormatError
from memanalysis.ledger.jsonl import clean_text, encode_row
from memanalysis.ledger.marker import write_marker
from memanalysis.ledger.paths import JSONL_SUFFIX, PARQUET_SUFFIX, SERVICE_PREFIX, check_run_id, encode_service
from memanalysis.schema import SCHEMA_VERSION, TABLES, Row

__all__ = ["FlushPolicy", "LedgerWriter"]

FlushPolicy = Literal["line", "fsync", "manual"]
"""Where a row is after ``append``: with the operating system, on the disk, or in memory until ``flush()``."""

MAX_PENDING_BYTES = 8 * 1024**2
"""What a table keeps in memory before it is written, and while the disk refuses: about a day of samples, the newest."""

_SHARD_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Shard:
    """One table's file of this run; ``descriptor`` is None until the first write that the disk takes."""

    table: str
    folder: Path
    path: Path | None = None
    descriptor: int | None = None
    size: int = 0
    pending: deque[tuple[bytes, int]] = field(default_factory=deque)
    pending_bytes: int = 0
    writing: bool = False
    torn: bool = False


class LedgerWriter:
    """Appends the rows of one run to a directory ledger, which it makes if there is none.

    Parameters
    ----------
    path : path-like
        Folder of the ledger, on this machine.
    run : row of ``runs``
        Has ``run_id`` and ``service``; written at once with ``ended`` null.
    flush : {"line", "fsync", "manual"}
        When rows leave this process: see `FlushPolicy`.

    Raises
    ------
    InvalidArgumentError
        No fit ``run_id`` or ``service``.
    LedgerError
        The folder cannot be made or written, or holds a ledger of a newer version.
    """

    def __init__(self, path: str | os.PathLike[str], *, run: Row, flush: FlushPolicy = "line") -> None:
        self.path = Path(path)
        self.run_id = check_run_id(run.get("run_id"))
        self.service = clean_text(str(run.get("service") or ""))
        self.dropped_rows = 0
        """Rows given up because the disk refused for too long."""
        self._run: dict[str, object] = {"schema_version": SCHEMA_VERSION, **run}
        self._partition = SERVICE_PREFIX + encode_service(self.service)
        self._flush_policy = flush
        self._shards: dict[str, _Shard] = {}
        self._pid = os.getpid()
        self._lock = (
            threading.RLock()
        )  # re-entrant: a signal handler or finalizer of the host may append amid an append
        self._closed = False
        self._prepare()
        self.append("runs", [{"ended": None}])
        if flush == "manual":
            self.flush()

    def append(self, table: str, rows: Iterable[Row]) -> None:
        """Add rows; ``run_id`` and ``service`` are this run's, whatever the rows say.

        Raises
        ------
        InvalidArgumentError
            No such table or column, or a value of a wrong type; no row of the call is added then.
        LedgerError
            The disk refuses. The rows stay in memory (up to 8 MiB a table) and go out with a later call.
        """
        if os.getpid() != self._pid:
            return
        if table not in TABLES:
            raise InvalidArgumentError(f"LedgerWriter.append needs a table of {list(TABLES)}, but got {table!r}.")
        if self._closed:
            raise LedgerError(
                f"LedgerWriter.append needs an open writer, but run {self.run_id!r} is closed. Begin a new run."
            )
        base = self._run if table == "runs" else {}
        lines = [encode_row(table, {**base, **row, "run_id": self.run_id, "service": self.service}) for row in rows]
        if not lines:
            return
        with self._lock:
            shard = self._shards.get(table)
            if shard is None:
                shard = self._shards[table] = _Shard(table, self.path / table / self._partition)
            shard.pending.append((b"".join(lines), len(lines)))
            shard.pending_bytes += len(shard.pending[-1][0])
            if self._flush_policy != "manual" or shard.pending_bytes > MAX_PENDING_BYTES:
                self._write(shard)

    def flush(self) -> None:
        """Hand every row that is still in memory to the operating system."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            for shard in list(self._shards.values()):
                self._write(shard)

    def close(self, *, ended: float | None = None, seal: bool = True) -> None:
        """Write the run's last row, then seal the shards into Parquet; a second call does nothing.

        Parameters
        ----------
        ended : float, optional
            Epoch seconds; now, if not given.
        seal : bool
            False leaves the JSON-lines files, which read as well and spare the process the loading of pyarrow.

        Raises
        ------
        LedgerError
            The disk refuses rows that are still in memory. What was written before stays readable. A seal that fails
            raises nothing: it is logged, and the JSON-lines file stays.
        """
        if os.getpid() != self._pid or self._closed:
            return
        with self._lock:
            try:
                self.append("runs", [{"ended": time.time() if ended is None else ended}])
                self.flush()
            finally:
                self._closed = True
                for shard in self._shards.values():
                    if shard.descriptor is not None:
                        os.close(shard.descriptor)
                        shard.descriptor = None
            if seal:
                for shard in self._shards.values():
                    self._seal(shard)

    def _prepare(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_marker(self.path)
        except (FileExistsError, NotADirectoryError) as exc:
            raise LedgerFormatError(
                f"LedgerWriter needs a folder, but {self.path} is or lies under a file. Give another path."
            ) from exc
        except LedgerError:
            raise
        except OSError as exc:
            raise LedgerError(
                f"LedgerWriter needs a folder that can be written, but {self.path} cannot: {exc.strerror}. "
                "Give another path, or make room or leave to write there."
            ) from exc

    def _forget_oldest(self, shard: _Shard) -> None:
        while shard.pending_bytes > MAX_PENDING_BYTES and len(shard.pending) > 1:
            dropped, n_dropped = shard.pending.popleft()
            shard.pending_bytes -= len(dropped)
            self.dropped_rows += n_dropped

    def _write(self, shard: _Shard) -> None:
        if shard.writing:  # called amid a write of this thread: the outer call takes what was added
            return
        shard.writing = True
        try:
            while shard.pending:
                batches = len(shard.pending)
                lines = b"".join(batch for batch, _ in itertools.islice(shard.pending, batches))
                self._write_lines(shard, lines)
                for _ in range(batches):
                    shard.pending.popleft()
                shard.pending_bytes -= len(lines)
        except LedgerError:
            raise
        except OSError as exc:
            self._forget_oldest(shard)
            raise LedgerError(
                f"LedgerWriter needs to write {shard.pending_bytes} bytes to {shard.folder}, but the system refused: "
                f"{exc.strerror}. The rows stay in memory; make room and append or flush again."
            ) from exc
        finally:
            shard.writing = False

    def _write_lines(self, shard: _Shard, lines: bytes) -> None:
        if shard.descriptor is None:
            shard.path, shard.descriptor = _open_shard(shard.folder, self.run_id, root=self.path)
        if shard.torn:  # a half line that could not be cut off must not run into the next
            lines = b"\n" + lines
        written = 0
        try:
            while written < len(lines):
                written += os.write(shard.descriptor, memoryview(lines)[written:])
            if self._flush_policy == "fsync":
                os.fsync(shard.descriptor)
        except OSError:
            if written:
                shard.torn = True
                with suppress(OSError):
                    os.ftruncate(shard.descriptor, shard.size)
                    shard.torn = False
            raise
        shard.torn = False
        shard.size += written

    def _seal(self, shard: _Shard) -> None:
        if shard.path is None:
            return
        try:
            from memanalysis.ledger.seal import seal_shard  # loads pyarrow

            seal_shard(shard.path, shard.table)
        except (ImportError, RuntimeError, OSError) as exc:  # pyarrow absent or the interpreter going down; or the disk
            _log.warning("memanalysis left %s unsealed, which reads as well: %s", shard.path, exc)


def _open_shard(folder: Path, run_id: str, *, root: Path) -> tuple[Path, int]:
    """Make a new file of this run in the folder; a second writer with the same run id gets the next name."""
    if not folder.resolve().is_relative_to(root.resolve()):
        raise LedgerFormatError(
            f"LedgerWriter needs folders inside the ledger, but {folder} is a link that leads out of it. "
            "Remove the link."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        stem = run_id if number == 1 else f"{run_id}.{number}"
        path, sealed = folder / (stem + JSONL_SUFFIX), folder / (stem + PARQUET_SUFFIX)
        try:
            descriptor = os.open(path, _SHARD_FLAGS, 0o666)
        except FileExistsError:
            continue
        if not sealed.exists():  # asked after the making: a Parquet that appears later is this writer's own
            return path, descriptor
        os.close(descriptor)
        path.unlink()
    raise AssertionError
