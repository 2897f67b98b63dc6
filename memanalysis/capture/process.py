"""Read how much memory a process uses and may use, from what the system reports.

RSS is one ``pread`` on a descriptor that stays open and is checked before (about 4 µs together), so it can be asked on
every tick. PSS and USS walk the process's whole memory map (10 ms and more at 1 GB), and threads and descriptors are
listed one by one: ask them rarely. Bytes and counts; None where the system does not show them.

Source: ``proc(5)`` for ``statm`` and ``smaps_rollup``, ``mallinfo(3)`` for the C allocator; psutil on other systems.
"""

import contextlib
import os
import re
import sys
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from memanalysis._descriptors import OwnDescriptor
from memanalysis.capture.cgroup import find_limit_files, find_oom_files, parse_limit_bytes
from memanalysis.units import KIB

if TYPE_CHECKING:
    from collections.abc import Callable

    import psutil

__all__ = [
    "ProcessReader",
    "find_oom_file",
    "parse_pss_bytes",
    "parse_rss_pages",
    "parse_uss_bytes",
    "read_allocator_free_bytes",
    "read_allocator_used_bytes",
    "read_limit_bytes",
]

STATM_BYTES = 256
"""Enough for the seven numbers of ``statm``."""

_GONE = (FileNotFoundError, PermissionError, ProcessLookupError)
_STATM = re.compile(rb"\d+ (\d+)(?: \d+){5}\n?")
_ROLLUP_FIELD = re.compile(r"^(\w+): +(\d+) kB$", re.MULTILINE)


class ProcessReader:
    """Read what one process uses; this process when ``pid`` is not given, also after a fork.

    Parameters
    ----------
    pid : int, optional
        Another process of this machine. When it is gone, every reading is None.
    """

    def __init__(self, pid: int | None = None) -> None:
        self.pid = pid
        self._statm: _StatmFile | None = None
        self._psutil_process: psutil.Process | None = None

    def read_rss_bytes(self) -> int | None:
        """Resident set size: pages in memory, shared ones in full."""
        statm = self._statm
        if statm is not None and statm.opened_by == os.getpid():
            rss_bytes = statm.read_rss_bytes()
            if rss_bytes is not None or self.pid is not None:
                return rss_bytes
        if not _has_proc():
            return _pick(self._read_psutil("memory_info"), "rss")
        self._open_statm()  # also when somebody closed our descriptor, perhaps while becoming a daemon
        return None if self._statm is None else self._statm.read_rss_bytes()

    def read_pss_bytes(self) -> int | None:
        """Proportional set size: shared pages split among those who share them. Expensive: walks the memory map."""
        if not _has_proc():
            return _pick(self._read_psutil("memory_full_info"), "pss")
        text = self._read_rollup()
        return None if text is None else parse_pss_bytes(text)

    def read_uss_bytes(self) -> int | None:
        """Unique set size: pages of this process alone. Expensive: walks the memory map."""
        if not _has_proc():
            return _pick(self._read_psutil("memory_full_info"), "uss")
        text = self._read_rollup()
        return None if text is None else parse_uss_bytes(text)

    def read_pss_and_uss_bytes(self) -> tuple[int | None, int | None]:
        """PSS and USS in one walk over the memory map instead of two."""
        if not _has_proc():
            full = self._read_psutil("memory_full_info")
            return _pick(full, "pss"), _pick(full, "uss")
        text = self._read_rollup()
        return (None, None) if text is None else (parse_pss_bytes(text), parse_uss_bytes(text))

    def read_thread_count(self) -> int | None:
        """Threads of the process, also those that Python does not know. Costs time for each."""
        if not _has_proc():
            return _as_int(self._read_psutil("num_threads"))
        threads = self._list("task")
        return None if threads is None else len(threads)

    def read_descriptor_count(self) -> int | None:
        """Descriptors that the process holds open (handles on Windows). Costs time for each."""
        if not _has_proc():
            return _as_int(self._read_psutil("num_handles" if sys.platform == "win32" else "num_fds"))
        descriptors = self._list("fd")
        if descriptors is None:
            return None
        return len(descriptors) - (self.pid is None)  # the folder itself is open while it is listed

    def close(self) -> None:
        """Close the descriptor; the next reading opens it again."""
        if self._statm is not None:
            self._statm.close()
            self._statm = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_statm(self) -> None:
        self.close()
        with contextlib.suppress(*_GONE):
            self._statm = _StatmFile(f"/proc/{self.pid or 'self'}/statm")

    def _list(self, folder: str) -> list[str] | None:
        try:
            return os.listdir(f"/proc/{self.pid or 'self'}/{folder}")  # noqa: PTH208  thousands of names, and only counted
        except OSError:
            return None

    def _read_rollup(self) -> str | None:
        try:
            return Path(f"/proc/{self.pid or 'self'}/smaps_rollup").read_text(encoding="ascii")
        except _GONE:
            return None

    def _read_psutil(self, method: str) -> object | None:
        import psutil  # only where the system has no /proc: the watched process loads nothing it does not use

        try:
            if self._psutil_process is None or (self.pid is None and self._psutil_process.pid != os.getpid()):
                self._psutil_process = psutil.Process(self.pid)
            reading: object = getattr(self._psutil_process, method)()
        except psutil.Error:
            return None
        return reading


class _StatmFile:
    """The open ``statm`` of one process; its descriptor is neither read nor closed once it is another file's."""

    def __init__(self, path: str) -> None:
        self.opened_by = os.getpid()
        self._page_bytes = os.sysconf("SC_PAGESIZE")
        self._descriptor = OwnDescriptor(os.open(path, os.O_RDONLY))

    def read_rss_bytes(self) -> int | None:
        if self._descriptor.stat() is None:
            return None
        try:
            pages = parse_rss_pages(os.pread(self._descriptor.number, STATM_BYTES, 0))
        except OSError:  # the process is gone
            return None
        return None if pages is None else pages * self._page_bytes

    def close(self) -> None:
        self._descriptor.close()


def parse_rss_pages(statm: bytes) -> int | None:
    """Resident pages from the bytes of ``statm``, or None when these are not the bytes of a ``statm``."""
    match = _STATM.fullmatch(statm)
    return int(match[1]) if match else None


def parse_pss_bytes(smaps_rollup: str) -> int | None:
    """PSS from the text of ``smaps_rollup``."""
    return _sum_fields(smaps_rollup, "Pss")


def parse_uss_bytes(smaps_rollup: str) -> int | None:
    """USS from the text of ``smaps_rollup``: its private pages, clean, dirty and huge."""
    return _sum_fields(smaps_rollup, "Private_Clean", "Private_Dirty", "Private_Hugetlb")


def read_limit_bytes(pid: int | None = None) -> int | None:
    """Memory limit of the process's cgroup: the least along its ancestors; None where there is none."""
    limits = []
    for file in _find_cgroup_files(find_limit_files, pid):
        with contextlib.suppress(OSError):  # the limit of an ancestor that cannot be read is unknown
            limits.append(parse_limit_bytes(Path(file).read_text(encoding="ascii")))
    return min((limit for limit in limits if limit is not None), default=None)


def find_oom_file() -> str | None:
    """Return the file that counts what the kernel killed in the cgroup of this process for lack of memory.

    The first one there is, of the cgroup itself or of the nearest ancestor.
    """
    files = _find_cgroup_files(find_oom_files, None)
    return next((file for file in files if os.access(file, os.R_OK)), None)


def read_allocator_free_bytes() -> int | None:
    """Bytes that the C allocator of this process holds free, in glibc 2.33 and later; None elsewhere."""
    mallinfo2 = _load_mallinfo2()
    return None if mallinfo2 is None else int(mallinfo2().fordblks)


def read_allocator_used_bytes() -> int | None:
    """Bytes that the C allocator has handed out and not got back, in glibc 2.33 and later; None elsewhere.

    To the byte, but for small blocks that each thread keeps ready for itself and that count as handed out.
    """
    mallinfo2 = _load_mallinfo2()
    if mallinfo2 is None:
        return None
    info = mallinfo2()
    return int(info.uordblks) + int(info.hblkhd)


@cache
def _has_proc() -> bool:
    return sys.platform == "linux" and Path("/proc/self/statm").exists()


@cache
def _load_mallinfo2() -> "Callable[[], Any] | None":
    try:
        import ctypes  # loaded at the first question: most processes never ask
    except ImportError:
        return None

    class MallInfo2(ctypes.Structure):
        _fields_ = [
            (name, ctypes.c_size_t)
            for name in (
                "arena",
                "ordblks",
                "smblks",
                "hblks",
                "hblkhd",
                "usmblks",
                "fsmblks",
                "uordblks",
                "fordblks",
                "keepcost",
            )
        ]

    try:
        function = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):  # no glibc, an older one, or a system without a global namespace
        return None
    function.restype = MallInfo2
    function.argtypes = []
    return function


def _find_cgroup_files(find: "Callable[[str, str], list[str]]", pid: int | None) -> list[str]:
    """Return the files of the process's cgroup and its ancestors that may be there."""
    folder = Path(f"/proc/{pid or 'self'}")
    try:
        return find((folder / "cgroup").read_text(encoding="utf-8"), (folder / "mountinfo").read_text(encoding="utf-8"))
    except OSError:
        return []


def _sum_fields(smaps_rollup: str, *names: str) -> int | None:
    sizes = [int(kib) * KIB for name, kib in _ROLLUP_FIELD.findall(smaps_rollup) if name in names]
    return sum(sizes) if sizes else None


def _pick(reading: object | None, name: str) -> int | None:
    return _as_int(getattr(reading, name, None))


def _as_int(value: Any) -> int | None:
    return None if value is None else int(value)
