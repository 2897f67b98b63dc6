"""How much a child process holds: not the memory of its parent, in which it runs until it begins its own program.

``vfork`` and ``posix_spawn``, by which Python starts programs, lend the child the parent's memory until then, and the
system shows all of it as the child's. That takes a millisecond, or longer where the machine is busy. A child of
``fork`` has a copy: of what both still share, half counts as its own.

Source: Linux ``vfork(2)``; ``starttime`` and ``startstack`` of ``proc(5)``.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

from memanalysis._process_identity import parse_stat_fields
from memanalysis.capture.process import ProcessReader

__all__ = ["read_child_bytes"]

YOUNG_S = 1.0
"""A program is begun sooner after the child's start."""

SAME_SHARE = 0.05
"""By less than this share of it what is read twice of one memory differs, while its process runs."""

MIN_UNIQUE_SHARE = 0.5
"""Of the memory of a process before it has a copy; of a copy that is so young most is shared."""

_START_TIME, _START_STACK = 19, 25
"""Places among the fields behind the name of a process."""

_PROC = Path("/proc")


def read_child_bytes(pid: int, *, parent: int) -> int | None:
    """Return the proportional memory of a child process, or its resident memory where the system shows no other.

    Parameters
    ----------
    pid : int
        The child.
    parent : int
        The process that started it.

    Returns
    -------
    int or None
        None where the child has ended, or has no memory of its own yet.
    """
    may_be_borrowed = _is_young_copy(pid, parent)  # asked before: afterwards it may have begun its program
    with ProcessReader(pid) as process:
        pss_bytes, uss_bytes = process.read_pss_and_uss_bytes()
        size_bytes = process.read_rss_bytes() if pss_bytes is None else pss_bytes
    if may_be_borrowed and pss_bytes and uss_bytes and _is_memory_of(parent, pss_bytes, uss_bytes):
        return None
    return size_bytes or None  # one that has ended and waits for its parent has none


def _is_young_copy(pid: int, parent: int) -> bool:
    """Whether a child has just started and runs its parent's program: the start of the stack is random at each exec."""
    with suppress(OSError, ValueError):
        child, theirs = (
            parse_stat_fields((_PROC / str(each) / "stat").read_bytes(), count=_START_STACK + 1)
            for each in (pid, parent)
        )
        age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - int(child[_START_TIME]) / os.sysconf("SC_CLK_TCK")
        return age_s < YOUNG_S and child[_START_STACK] == theirs[_START_STACK]
    return False


def _is_memory_of(pid: int, pss_bytes: int, uss_bytes: int) -> bool:
    """Whether these are the figures of that process: with a copy of its memory it would share most."""
    if uss_bytes < MIN_UNIQUE_SHARE * pss_bytes:
        return False
    with ProcessReader(pid) as process:
        theirs = process.read_pss_and_uss_bytes()
    pairs = zip((pss_bytes, uss_bytes), theirs, strict=True)
    return all(their is not None and abs(own - their) <= SAME_SHARE * their for own, their in pairs)
