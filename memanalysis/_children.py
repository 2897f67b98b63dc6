"""What of child processes would be seen by the program: those it has, and orphans it takes in. Linux."""

import contextlib
import os
import signal
import sys
from pathlib import Path

__all__ = ["adopts_orphans", "find_child_watch"]

_PR_GET_CHILD_SUBREAPER = 37


def find_child_watch() -> str | None:
    """Return why a further child might disturb the program, or None where nothing speaks against one.

    A program that handles SIGCHLD learns of every child, and one that has children may be waiting for any of them.
    """
    if sys.platform == "win32":
        return None
    handler = signal.getsignal(signal.SIGCHLD)
    if handler is not signal.SIG_DFL and handler is not signal.SIG_IGN:
        return "the program handles SIGCHLD"
    has_children = _has_children()
    if has_children is None:
        return "it is not known whether the program has child processes"
    return "the program has child processes, for which it may be waiting" if has_children else None


def adopts_orphans() -> bool:
    """Return whether a process whose parent has ended becomes a child of this one, as of the first in a container."""
    if os.getpid() == 1:
        return True
    try:
        import ctypes

        found = ctypes.c_int(0)
        failed = ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(found), 0, 0, 0)
    except (ImportError, AttributeError, OSError, TypeError):
        return True  # unknown: be careful
    return bool(failed or found.value)


def _has_children() -> bool | None:
    """Return whether this process has children; None where the system does not show it."""
    tasks = Path("/proc/self/task")
    try:
        threads = os.listdir(tasks)  # noqa: PTH208  names are enough
    except OSError:
        return None
    n_read = 0
    for thread in threads:
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):  # a thread that ended, or an older kernel
            if (tasks / thread / "children").read_bytes():
                return True
            n_read += 1
    return False if n_read else None
