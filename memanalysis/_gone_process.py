"""What shows from outside why a process is gone? Counters of the kernel, and lines of its log.

A process that is killed records nothing itself. `read_state` is kept when it starts, and `find_traces` is asked when it
is found gone. Linux only: elsewhere nothing is known. Standard library only.

Source: Linux ``Documentation/admin-guide/cgroup-v2.rst`` (``memory.events``), ``cgroup-v1/memory.rst``
(``memory.oom_control``), ``proc(5)`` (``vmstat``, ``boot_id``) and ``Documentation/ABI/testing/dev-kmsg``.
"""

import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from memanalysis._process_identity import is_still_running

__all__ = ["find_traces", "parse_kernel_record", "parse_oom_kills", "read_state", "runs_on_this_kernel"]

OOM_FILES = ("memory.events", "memory.oom_control")
"""Files of a cgroup that count the processes killed for lack of memory, of version 2 and 1."""

MAX_RECORDS = 20_000
"""Of the kernel's log: its buffer mostly holds a few thousand."""

RECORD_BYTES = 8192
"""The kernel gives one record a read, and no longer ones."""

TOLERANCE_S = 2.0
"""The clock of the kernel's log is not exactly that of the process."""

_OOM_KILL = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_KILLED = re.compile(r"out of memory.*?\bkill(?:ed)? process (\d+)\b", re.IGNORECASE)
_VMSTAT, _BOOT_ID, _KERNEL_LOG = "/proc/vmstat", "/proc/sys/kernel/random/boot_id", "/dev/kmsg"


def read_state(oom_file: str | None) -> dict[str, Any]:
    """Return what a later `find_traces` compares with; unknown is left out.

    Parameters
    ----------
    oom_file : str or None
        File of the process's cgroup that counts what was killed for lack of memory.
    """
    state = {
        "boot_id": _read_boot_id(),
        "oom_file": oom_file,
        "oom_kills": None if oom_file is None else _read_oom_kills(oom_file),
        "host_oom_kills": _read_oom_kills(_VMSTAT),
    }
    return {name: value for name, value in state.items() if value is not None}


def runs_on_this_kernel(state: Mapping[str, Any]) -> bool:
    """Return whether the kernel of that state is the one that runs now, also in another container."""
    boot_id = _read_boot_id()
    return boot_id is not None and state.get("boot_id") == boot_id


def find_traces(pid: int | None, *, started: float, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is seen of a process that recorded no end, as far as it is known.

    Parameters
    ----------
    pid : int or None
        Its number as this process sees it; None where it had a number of its own, in another container.
    started : float
        Epoch seconds of its beginning.
    state : mapping
        What `read_state` gave then.

    Returns
    -------
    dict
        ``machine_restarted`` or ``still_runs``, and then nothing else; ``oom_kills`` and ``host_oom_kills``: processes
        that the kernel killed since for lack of memory, in the cgroup and on the machine; ``kernel``: the record of its
        log that names the process.
    """
    boot_id = _read_boot_id()
    if boot_id is not None and state.get("boot_id") not in (None, boot_id):
        return {"machine_restarted": True}
    if pid is not None and is_still_running(pid, seen_at=started):
        return {"still_runs": True}
    traces: dict[str, Any] = {}
    oom_file = state.get("oom_file")
    for name, path in (("oom_kills", oom_file if _is_oom_file(oom_file) else None), ("host_oom_kills", _VMSTAT)):
        before, now = state.get(name), None if path is None else _read_oom_kills(path)
        if isinstance(before, int) and now is not None and now > before:
            traces[name] = now - before
    if pid is not None and (word := _read_kernel_word(pid, since=started)) is not None:
        traces["kernel"] = word
    return traces


def parse_oom_kills(text: str) -> int | None:
    r"""Parse how many processes were killed, of a cgroup's file or of ``/proc/vmstat``.

    Examples
    --------
    >>> parse_oom_kills("low 0\noom 3\noom_kill 2\n")
    2
    """
    found = _OOM_KILL.search(text)
    return None if found is None else int(found[1])


def parse_kernel_record(record: str) -> tuple[int, float, str] | None:
    """Parse a record of ``/dev/kmsg`` into the process that was killed, seconds since the boot, and the text.

    None where the record is about something else.

    Examples
    --------
    >>> parse_kernel_record("3,9,2500000,-;Memory cgroup out of memory: Killed process 77 (python3) total-vm:9kB")
    (77, 2.5, 'Memory cgroup out of memory: Killed process 77 (python3) total-vm:9kB')
    """
    head, _, text = record.partition(";")
    text = text.partition("\n")[0]
    found, fields = _KILLED.search(text), head.split(",")
    if found is None or len(fields) < 3 or not fields[2].isdecimal():
        return None
    return int(found[1]), int(fields[2]) / 1e6, text


def _is_oom_file(path: object) -> bool:
    """Return whether a path from a ledger is such a file of a cgroup, and nothing else."""
    if not isinstance(path, str):
        return False
    parts = PurePosixPath(path).parts
    return parts[:4] == ("/", "sys", "fs", "cgroup") and ".." not in parts and parts[-1] in OOM_FILES


def _read_boot_id() -> str | None:
    try:
        return Path(_BOOT_ID).read_text(encoding="ascii").strip()
    except OSError:
        return None


def _read_oom_kills(path: str) -> int | None:
    try:
        return parse_oom_kills(Path(path).read_text(encoding="ascii", errors="replace"))
    except OSError:
        return None


def _read_kernel_word(pid: int, *, since: float) -> str | None:
    """Return what the kernel's log records of the kill of a process, where it may be read."""
    try:
        log = os.open(_KERNEL_LOG, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    booted = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    word = None
    try:
        for _ in range(MAX_RECORDS):
            with suppress(BrokenPipeError):  # a record was overwritten before it was read
                found = parse_kernel_record(os.read(log, RECORD_BYTES).decode("utf-8", "replace"))
                if found is not None and found[0] == pid and booted + found[1] >= since - TOLERANCE_S:
                    word = found[2]
    except OSError:  # no further record, or none that may be read
        return word
    finally:
        os.close(log)
    return word
