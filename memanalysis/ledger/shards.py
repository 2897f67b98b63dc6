"""How one process writes one table: a file of JSON lines of its own, and a new one when that has grown.

A shard is written with one ``write`` a batch on an append-only descriptor: a line is whole or absent, and then outlives
the process. The descriptor holds an advisory lock that nobody waits for: whoever tidies a ledger sees by it that the
writer lives, and the system takes it away with the process. Standard library only.
"""

import itertools
import os
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from memanalysis.errors import LedgerFormatError
from memanalysis.ledger.paths import JSONL_SUFFIX, PARQUET_SUFFIX

try:
    import fcntl
except ImportError:  # Windows: there a file that is open cannot be removed, which does as well
    fcntl = None  # type: ignore[assignment]

__all__ = ["MAX_PENDING_BYTES", "Segment", "Shard", "lock_file"]

MAX_PENDING_BYTES = 8 * 1024**2
"""What a table keeps in memory before it is written, and while the disk refuses: about a day of samples, the newest."""

CHECK_INTERVAL_S = 1.0
"""How often a shard is looked at: whether it is still there, and how old it is."""

MAX_DESCRIBED = 20_000
"""Sites whose description is known to stand in a file; beyond that they are described anew."""

_SHARD_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)

Segment = tuple[str, Path, int]
"""A file that is full: its table, its path and the descriptor that still locks it."""


class Shard:
    """One table's files of one run; nothing is made before the first write that the disk takes.

    Parameters
    ----------
    table : str
    root, folder : Path
        The ledger, and the folder of the service in it.
    run_id : str
        Names the files.
    fsync : bool
        Whether each write goes on to the disk.

    Attributes
    ----------
    pending : deque of (bytes, int)
        Lines not written yet, with the number of their rows.
    pending_bytes : int
        Their size.
    """

    def __init__(self, table: str, *, root: Path, folder: Path, run_id: str, fsync: bool) -> None:
        self.table = table
        self.folder = folder
        self.pending: deque[tuple[bytes, int]] = deque()
        self.pending_bytes = 0
        self._described: dict[str, int] = {}
        self._described_in_pending: dict[str, int] = {}
        self._root = root
        self._run_id = run_id
        self._fsync = fsync
        self._path: Path | None = None
        self._descriptor: int | None = None
        self._number = 1
        self._size = 0
        self._opened_at = self._checked_at = 0.0
        self._is_writing = False
        self._is_torn = False

    def add(self, lines: bytes, n_rows: int, described: Mapping[str, int]) -> None:
        """Take lines to be written, and hashes of the descriptions of sites that stand in them."""
        self.pending.append((lines, n_rows))
        self.pending_bytes += len(lines)
        if described:
            self._described_in_pending |= described

    def find_description(self, site_id: str) -> int | None:
        """Hash of what this file says of a site; None while lines are pending, which may be dropped."""
        return None if self.pending else self._described.get(site_id)

    def write(self) -> None:
        """Hand what is pending to the operating system; raises an `OSError` where that refuses, and keeps it then."""
        if self._is_writing:  # called amid a write of this thread: the outer call takes what was added
            return
        self._is_writing = True
        try:
            while self.pending:
                batches = len(self.pending)
                first = self.pending[0][0]  # mostly the only one
                lines = (
                    first if batches == 1 else b"".join(batch for batch, _ in itertools.islice(self.pending, batches))
                )
                self._write_lines(lines)
                for _ in range(batches):
                    self.pending.popleft()
                self.pending_bytes -= len(lines)
            if self._described_in_pending:
                if len(self._described) > MAX_DESCRIBED:
                    self._described.clear()
                self._described |= self._described_in_pending
                self._described_in_pending.clear()
        finally:
            self._is_writing = False

    def is_beyond_bound(self) -> bool:
        """Tell whether more is pending than memory is to hold."""
        return self.pending_bytes > MAX_PENDING_BYTES

    def forget_oldest(self) -> int:
        """Drop the oldest pending rows beyond the bound; how many."""
        n_dropped = 0
        while self.is_beyond_bound() and len(self.pending) > 1:
            dropped, n_rows = self.pending.popleft()
            self.pending_bytes -= len(dropped)
            n_dropped += n_rows
        if n_dropped:
            self._described_in_pending.clear()  # it may have stood in what is dropped
        return n_dropped

    def look_after(self, *, max_bytes: int, max_age_s: float) -> Segment | None:
        """Leave a file that was removed; give the file away when it is full, or spans that much time."""
        if self._descriptor is None:
            return None
        now = time.monotonic()
        is_full = self._size >= max_bytes
        if not is_full and now - self._checked_at < CHECK_INTERVAL_S:
            return None
        self._checked_at = now
        if os.fstat(self._descriptor).st_nlink == 0:  # somebody removed the ledger: what comes goes into a new file
            os.close(self._descriptor)
            self._leave()
            return None
        return self.release() if is_full or now - self._opened_at >= max_age_s else None

    def release(self) -> Segment | None:
        """Give the file away, with its descriptor; the next write makes a new one."""
        if self._descriptor is None or self._path is None:
            return None
        segment = (self.table, self._path, self._descriptor)
        self._leave()
        return segment

    def _leave(self) -> None:
        self._path = self._descriptor = None
        self._number += 1
        self._size = 0
        self._is_torn = False
        self._described.clear()

    def _write_lines(self, lines: bytes) -> None:
        descriptor = self._open() if self._descriptor is None else self._descriptor
        if self._is_torn:  # a half line that could not be cut off must not run into the next
            lines = b"\n" + lines
        written = 0
        try:
            written = os.write(descriptor, lines)
            while written < len(lines):
                written += os.write(descriptor, memoryview(lines)[written:])
            if self._fsync:
                os.fsync(descriptor)
        except OSError:
            if written:
                self._is_torn = True
                with suppress(OSError):
                    os.ftruncate(descriptor, self._size)
                    self._is_torn = False
            raise
        self._is_torn = False
        self._size += written

    def _open(self) -> int:
        """Make a new file of this run; a second writer with the same run id gets the next name."""
        if not self.folder.resolve().is_relative_to(self._root.resolve()):
            raise LedgerFormatError(
                f"LedgerWriter needs folders inside the ledger, but {self.folder} is a link that leads out of it. "
                "Remove the link."
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(self._number):
            stem = self._run_id if number == 1 else f"{self._run_id}.{number}"
            path, sealed = self.folder / (stem + JSONL_SUFFIX), self.folder / (stem + PARQUET_SUFFIX)
            try:
                descriptor = os.open(path, _SHARD_FLAGS, 0o666)
            except FileExistsError:
                continue
            # both are asked after the making: a Parquet that appears later is this writer's own
            if lock_file(descriptor) is not False and not sealed.exists() and os.fstat(descriptor).st_nlink:
                break
            os.close(descriptor)
            path.unlink(missing_ok=True)
        self._path, self._descriptor, self._number = path, descriptor, number
        self._opened_at = self._checked_at = time.monotonic()
        return descriptor


def lock_file(descriptor: int) -> bool | None:
    """Lock a file until its last descriptor is closed; False if another holds it, None where files cannot be locked."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
