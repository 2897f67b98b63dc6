"""How much memory a process uses together with its children, and the container that it is in.

The family is the process and all that descend from it, each with its proportional memory (PSS), in which a page that
several share is counted once. The container is the cgroup whose memory is limited, with its files in memory less those
that were not used lately, which the kernel drops first.

Source: Linux ``Documentation/admin-guide/cgroup-v1/memory.rst`` and ``cgroup-v2.rst``; ``proc(5)``.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from memanalysis._process_identity import parse_stat_fields
from memanalysis.capture.cgroup import find_limit_files, parse_limit_bytes
from memanalysis.capture.child_memory import read_child_bytes

__all__ = ["GroupReader", "count_siblings", "find_family", "parse_parent_pid", "parse_working_set"]

MAX_CGROUPS = 100
"""A limited cgroup with more below it is a machine's, and not one service's."""

_PARENT, _START_STACK = 1, 25
"""Places of ``ppid`` and ``startstack`` of ``proc(5)`` among the fields behind the name of a process."""

MAX_THREADS = 64
"""Threads of a parent that are asked for their children."""

_INACTIVE = re.compile(r"^(?:total_)?inactive_file (\d+)$", re.MULTILINE)


class GroupReader:
    """Reads the family and the container of a process.

    Parameters
    ----------
    pid : int, optional
        The oldest of the family; this process when not given.
    shares_container : bool
        Read the container also where processes of others are in it.
    share : float
        Of the time, what reading may take: it is repeated less often where it takes long.
    proc : Path
        Where the system shows its processes.
    """

    def __init__(
        self,
        pid: int | None = None,
        *,
        shares_container: bool = False,
        share: float = 0.001,
        proc: Path = Path("/proc"),
    ) -> None:
        self.share = share
        self._pid = pid
        self._shares_container = shares_container
        self._proc = proc
        self._has_family = False

    def read(self) -> tuple[int | None, int | None]:
        """Bytes of the family and of the container.

        The family is unknown until the process first has a child. The container is where its memory is limited and all
        that run in it are of the family or above it; it is unknown elsewhere.
        """
        parents = _read_parents(self._proc)
        pid = self._pid or os.getpid()
        family = find_family(pid, parents)
        self._has_family = self._has_family or len(family) > 1
        family_bytes = _sum_family(pid, family, parents) if self._has_family else None
        return family_bytes, self._read_container(pid, {*family, *_find_ancestors(pid, parents)})

    def _read_container(self, pid: int, own: set[int]) -> int | None:
        with suppress(OSError, ValueError):
            texts = [(self._proc / str(pid) / name).read_text(encoding="utf-8") for name in ("cgroup", "mountinfo")]
            for file in map(Path, find_limit_files(*texts)):
                if not _is_limited(file):
                    continue
                if not self._shares_container and not _holds_only(file.parent, own):
                    return None
                usage = "memory.current" if file.name == "memory.max" else "memory.usage_in_bytes"
                return parse_working_set((file.parent / usage).read_text(), (file.parent / "memory.stat").read_text())
        return None


def _sum_family(oldest: int, family: set[int], parents: Mapping[int, int]) -> int | None:
    sizes = (read_child_bytes(pid, parent=0 if pid == oldest else parents.get(pid, 0)) for pid in family)
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def _read_parents(proc: Path) -> dict[int, int]:
    """Return the parent of each process that the system shows."""
    parents = {}
    with suppress(OSError):
        for name in os.listdir(proc):  # noqa: PTH208 - some hundred names, and most are read
            if name.isdecimal():
                with suppress(OSError, ValueError):
                    parents[int(name)] = parse_parent_pid((proc / name / "stat").read_bytes())
    return parents


def parse_parent_pid(stat: bytes) -> int:
    """Parse the parent out of ``/proc/<pid>/stat``.

    Raises
    ------
    ValueError
        It is no such text.

    Examples
    --------
    >>> parse_parent_pid(b"7 (a (b) c) S 1 7 7 0 -1")
    1
    """
    return int(parse_stat_fields(stat, count=2)[_PARENT])


def count_siblings(pid: int | None = None, *, proc: Path = Path("/proc")) -> int:
    """Return how many children the parent of a forked process has, the process itself among them.

    Parameters
    ----------
    pid : int, optional
        This process when not given.
    proc : Path
        Where the system shows its processes.

    Returns
    -------
    int
        1 where the system does not show it, and for a process that runs a program of its own: with the other children
        of a shell or a supervisor it has nothing in common.
    """
    children: set[bytes] = set()
    with suppress(OSError, ValueError):
        own = parse_stat_fields((proc / str(pid or os.getpid()) / "stat").read_bytes(), count=_START_STACK + 1)
        parent = int(own[_PARENT])
        theirs = parse_stat_fields((proc / str(parent) / "stat").read_bytes(), count=_START_STACK + 1)
        if int(own[_START_STACK]) > 0 and own[_START_STACK] == theirs[_START_STACK]:  # chosen at random at each exec
            threads = proc / str(parent) / "task"
            for name in os.listdir(threads)[:MAX_THREADS]:  # noqa: PTH208  names alone are wanted
                children.update((threads / name / "children").read_bytes().split())
    return max(1, len(children))


def find_family(pid: int, parents: Mapping[int, int]) -> set[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for child, parent in parents.items():
        children.setdefault(parent, []).append(child)
    family, waiting = {pid}, [pid]
    while waiting:
        new = [child for child in children.get(waiting.pop(), ()) if child not in family]
        family.update(new)
        waiting += new
    return family


def parse_working_set(usage: str, stat: str) -> int | None:
    r"""Return the bytes that a cgroup cannot do without, from its usage and its ``memory.stat``.

    Examples
    --------
    >>> parse_working_set("1000", "anon 600\ninactive_file 300\n")
    700
    """
    inactive = _INACTIVE.findall(stat)  # version 1 has that of the cgroup alone first, and the total of those below it
    used = int(usage)
    return max(0, used - (int(inactive[-1]) if inactive else 0))


def _find_ancestors(pid: int, parents: Mapping[int, int]) -> Iterator[int]:
    seen = {pid}
    while (parent := parents.get(pid)) is not None and parent not in seen:
        seen.add(parent)
        yield parent
        pid = parent


def _is_limited(file: Path) -> bool:
    with suppress(OSError):
        return parse_limit_bytes(file.read_text(encoding="ascii")) is not None
    return False


def _holds_only(folder: Path, own: set[int]) -> bool:
    """Whether all processes in a cgroup and those below it are of these; a kernel thread or another's has the pid 0."""
    for number, (path, _, files) in enumerate(os.walk(folder)):
        if number >= MAX_CGROUPS:
            return False
        if "cgroup.procs" in files and not own.issuperset(map(int, (Path(path) / "cgroup.procs").read_text().split())):
            return False
    return True
