"""Know whether the process that had a number at some moment is still there, or another one has its number by now."""

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["is_still_running", "parse_process_start", "parse_stat_fields"]

TOLERANCE_S = 2.0
"""The system counts from its own start, which it gives in whole seconds."""

_ENDED = frozenset("ZX")
"""States of a process that is over and waits for its parent, of ``proc(5)``."""


def is_still_running(pid: int, *, seen_at: float) -> bool:
    """Return whether the process that had ``pid`` at the moment ``seen_at`` (epoch seconds) runs now, on this host.

    A process of that number that started later is another one. Where the system does not show when it started, it
    counts as the same.
    """
    if pid <= 0:
        return False
    if Path("/proc/self/stat").exists():
        return _is_running_by_proc(pid, seen_at)
    with suppress(ImportError):
        import psutil

        try:
            process = psutil.Process(pid)
            return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= seen_at + TOLERANCE_S
        except psutil.NoSuchProcess:
            return False
        except psutil.Error:
            return True
    return True


def parse_stat_fields(stat: bytes, *, count: int) -> list[bytes]:
    """Parse the first fields behind the name of the process out of ``/proc/<pid>/stat``: the third of ``proc(5)`` on.

    Raises
    ------
    ValueError
        It is no such text.

    Examples
    --------
    >>> parse_stat_fields(b"7 (a (b) c) S 1 7 7 0 -1", count=2)
    [b'S', b'1']
    """
    fields = stat.rpartition(b")")[2].split(None, count)[:count]
    if len(fields) < count:
        raise ValueError(f"/proc/<pid>/stat needs {count} fields behind the name, but is {stat!r}.")
    return fields


def parse_process_start(stat: bytes, *, boot_time: float, ticks_per_s: float) -> tuple[str, float]:
    """Parse ``/proc/<pid>/stat`` into the state of the process and when it started, in epoch seconds.

    Raises
    ------
    ValueError
        It is no such text.

    Examples
    --------
    >>> stat = b"7 (a (b) c) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 250 0 0"
    >>> parse_process_start(stat, boot_time=1000, ticks_per_s=100)
    ('S', 1002.5)
    """
    fields = parse_stat_fields(stat, count=20)
    return fields[0].decode("ascii"), boot_time + int(fields[19]) / ticks_per_s


def _is_running_by_proc(pid: int, seen_at: float) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    except OSError:
        return True
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
        boot_time = float(next(line.split()[1] for line in lines if line.startswith("btime ")))
        state, started = parse_process_start(stat, boot_time=boot_time, ticks_per_s=os.sysconf("SC_CLK_TCK"))
        return state not in _ENDED and started <= seen_at + TOLERANCE_S
    return True
