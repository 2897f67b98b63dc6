"""The segments of one table as one process writes them: a file of JSON lines, and the next one when it has grown.

A shard is written with one ``write`` a batch on an append-only descriptor: a line is whole or absent, and then outlives
the process. The descriptor holds an advisory lock that nobody waits for: whoever maintains a ledger sees by it that the
writer lives, and the system takes it away with the process.

The descriptor stays open for the lock, and the watched program may close it. So it is checked before each use (see
`memanalysis._descriptors`); once it is closed or another file's, its number is forgotten. The file is then opened again
by its path if it is still the same, of the same size and not locked by somebody else, and a new file is begun if not.
A file that was removed is left as well: what went into it during the removal is written again into the new one.

Standard library only.
"""

import errno
import itertools
import os
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from memanalysis._descriptors import OwnDescriptor
from memanalysis._links import resolve_links
from memanalysis.errors import LedgerFormatError
from memanalysis.ledger.marker import DEFAULT_FILE_MODE
from memanalysis.ledger.paths import JSONL_SUFFIX, sealed_path

try:
    import fcntl
except ImportError:  # Windows: there a file that is open cannot be removed, which does as well
    fcntl = None  # type: ignore[assignment]

__all__ = ["MAX_PENDING_BYTES", "Incident", "Segment", "Shard", "lock_file"]

MAX_PENDING_BYTES = 8 * 1024**2
"""What a table keeps in memory before it is written, and while the disk refuses: about a day of samples, the newest."""

MAX_DESCRIBED = 20_000
"""Sites whose description is known to stand in a file; beyond that they are described again."""

_OPEN_FLAGS = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_MAKE_FLAGS = _OPEN_FLAGS | os.O_CREAT | os.O_EXCL

_MAKE_TRIES = 100
"""Times a folder is made again that was removed before a file was in it."""

Segment = tuple[str, Path, OwnDescriptor]
"""A file that is full: its table, its path and the descriptor that still locks it."""

Incident = Literal["descriptor", "removed"]
"""What the program or a person did to an open file: took its descriptor, or removed it."""


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
    file_mode : int
        Permissions of the files, less the umask.

    Attributes
    ----------
    incidents : list of str
        What was done to its files since somebody emptied the list.
    pending : deque of (bytes, int)
        Lines not written yet, with the number of their rows.
    pending_bytes : int
        Their size.
    """

    def __init__(
        self, table: str, *, root: Path, folder: Path, run_id: str, fsync: bool, file_mode: int = DEFAULT_FILE_MODE
    ) -> None:
        self.table = table
        self.folder = folder
        self.pending: deque[tuple[bytes, int]] = deque()
        self.pending_bytes = 0
        self.incidents: list[Incident] = []
        self._described: dict[str, int] = {}
        self._described_in_pending: dict[str, int] = {}
        self._root = root
        self._run_id = run_id
        self._fsync = fsync
        self._file_mode = file_mode
        self._path: Path | None = None
        self._name = ""
        self._descriptor: OwnDescriptor | None = None
        self._number = 1
        self._size = 0
        self._opened_at = 0.0
        self._is_writing = False
        self._is_torn = False

    def add(self, lines: bytes, n_rows: int, described: Mapping[str, int]) -> None:
        """Take lines to be written, and hashes of the descriptions of sites that stand in them."""
        self.pending.append((lines, n_rows))
        self.pending_bytes += len(lines)
        if described:
            self._described_in_pending |= described

    def find_description(self, site_id: str) -> int | None:
        """Hash of what this file holds of a site; None while lines are pending, which may be dropped."""
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
        """Return whether more is pending than memory is to hold."""
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

    @property
    def place(self) -> tuple[Path, OwnDescriptor] | None:
        """Path and descriptor of the file that is written now; None where there is none."""
        return None if self._path is None or self._descriptor is None else (self._path, self._descriptor)

    def rotate_if_due(self, *, max_bytes: int, max_age_s: float) -> Segment | None:
        """Give the file away when it is full, or spans that much time."""
        if self._descriptor is None:
            return None
        is_due = self._size >= max_bytes or time.monotonic() - self._opened_at >= max_age_s
        return self.release() if is_due else None

    def check(self) -> None:
        """Let go of a descriptor that is no longer ours, and of a file that was removed; noted in ``incidents``."""
        if self._descriptor is None or self._path is None:
            return
        if self._descriptor.stat() is None and not self._regain(self._descriptor, self._path):
            return
        if not self._is_in_place(self._descriptor):
            self._leave_removed(self._descriptor)

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
        """Write to a file that is there before and after: one that was removed in between is no place for rows."""
        while True:
            descriptor = self._hold()
            # a half line that could not be cut off must not run into the next
            self._write_all(descriptor, b"\n" + lines if self._is_torn else lines)
            if self._is_in_place(descriptor):
                return
            status = descriptor.stat()
            is_unlinked = status is not None and status.st_nlink == 0
            self._leave_removed(descriptor)
            if not is_unlinked:  # moved elsewhere, with these lines
                return

    def _write_all(self, descriptor: OwnDescriptor, lines: bytes) -> None:
        written = 0
        try:
            written = os.write(descriptor.number, lines)
            while written < len(lines):
                _check_ours(descriptor)
                written += os.write(descriptor.number, memoryview(lines)[written:])
            if self._fsync:
                _check_ours(descriptor)
                os.fsync(descriptor.number)
        except OSError:
            if written:
                self._is_torn = True
                with suppress(OSError):
                    _check_ours(descriptor)
                    os.ftruncate(descriptor.number, self._size)
                    self._is_torn = False
            raise
        self._is_torn = False
        self._size += written

    def _hold(self) -> OwnDescriptor:
        """Return a descriptor that was ours a moment ago, of a file that is linked."""
        descriptor = self._descriptor
        if descriptor is not None:
            status = descriptor.stat()
            if status is not None and status.st_nlink:
                return descriptor
            self.check()
        return self._open() if self._descriptor is None else self._descriptor

    def _regain(self, lost: OwnDescriptor, path: Path) -> bool:
        """Forget a number that is no longer ours, and open the file again; False if a new file must be begun."""
        self.incidents.append("descriptor")
        try:
            descriptor = os.open(path, _OPEN_FLAGS)
        except OSError:
            self._leave()
            return False
        # it may be sealed by somebody else since the lock went with the descriptor
        is_free = lock_file(descriptor) is not False and not sealed_path(path).exists()
        status = os.fstat(descriptor)
        if is_free and lost.is_same_file(status) and status.st_nlink:
            if self._is_torn and status.st_size > self._size:  # by a write of ours during which the descriptor went
                os.ftruncate(descriptor, self._size)
                self._is_torn = False
                status = os.fstat(descriptor)
            if status.st_size == self._size:
                self._descriptor = OwnDescriptor(descriptor)
                return True
        os.close(descriptor)
        self._leave()
        return False

    def _is_in_place(self, descriptor: OwnDescriptor) -> bool:
        """Return whether the path still leads to the file that is written."""
        try:
            return descriptor.is_same_file(os.stat(self._name, follow_symlinks=False))  # noqa: PTH116  quicker
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # such as a program that gave up its rights: what is open can still be written
            return True

    def _leave_removed(self, descriptor: OwnDescriptor) -> None:
        """Close a file whose name is gone: the next row goes into a new one."""
        self.incidents.append("removed")
        descriptor.close()
        self._leave()

    def _open(self) -> OwnDescriptor:
        """Make a new file of this run; a second writer with the same run id gets the next name."""
        if not resolve_links(self.folder).is_relative_to(resolve_links(self._root)):
            raise LedgerFormatError(
                f"LedgerWriter needs folders inside the ledger, but {self.folder} is a link that leads out of it. "
                "Remove the link."
            )
        for number in itertools.count(self._number):
            stem = self._run_id if number == 1 else f"{self._run_id}.{number}"
            path = self.folder / (stem + JSONL_SUFFIX)
            try:
                descriptor = self._make(path)
            except FileExistsError:
                continue
            # both are asked after the making: a Parquet that appears later is this writer's own
            if lock_file(descriptor) is not False and not sealed_path(path).exists() and os.fstat(descriptor).st_nlink:
                break
            os.close(descriptor)
            path.unlink(missing_ok=True)
        own = OwnDescriptor(descriptor)
        self._path, self._descriptor, self._number = path, own, number
        self._name = str(path)
        self._opened_at = time.monotonic()
        return own

    def _make(self, path: Path) -> int:
        """Make a file and its folder, which whoever seals the last file in it removes."""
        for _ in range(_MAKE_TRIES):
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                return os.open(path, _MAKE_FLAGS, self._file_mode)
            except FileNotFoundError:
                continue
        return os.open(path, _MAKE_FLAGS, self._file_mode)


def _check_ours(descriptor: OwnDescriptor) -> None:
    if descriptor.stat() is None:
        raise OSError(errno.EBADF, "the program took the descriptor")


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
