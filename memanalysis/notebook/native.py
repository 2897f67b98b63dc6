"""Memory that Python does not allocate: what libraries count themselves, and what child processes hold.

Only libraries that the program has loaded are asked. Bytes; None is unknown.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memanalysis.capture.child_memory import read_child_bytes

__all__ = ["LibraryCounter", "list_children", "read_children_bytes", "read_counters"]

TASKS = Path("/proc/self/task")


@dataclass(frozen=True, slots=True)
class LibraryCounter:
    """What a library reports as held now, and the most it ever held."""

    name: str
    now_bytes: int
    highest_bytes: int


def read_counters() -> dict[str, LibraryCounter]:
    """Read the counters of the loaded libraries that have one, by the name of the library."""
    return {counter.name: counter for counter in (*_read_arrow(), *_read_torch())}


def list_children() -> list[int]:
    """Process ids of the children of this process; empty where the system does not list them."""
    found: list[int] = []
    try:
        threads = os.listdir(TASKS)  # noqa: PTH208  names are enough
    except OSError:
        return found
    for thread in threads:
        try:
            found.extend(map(int, (TASKS / thread / "children").read_bytes().split()))
        except OSError:  # a thread that ended, or a kernel without the file
            continue
    return found


def read_children_bytes() -> int | None:
    """Proportional memory of all children; None where there is none.

    Pages that forked children share with this process count in the part that is theirs, not in full. Where the system
    shows no proportional memory it is resident memory.
    """
    sizes = [read_child_bytes(child, parent=os.getpid()) for child in list_children()]
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def _read_arrow() -> Iterator[LibraryCounter]:
    pool_of = getattr(sys.modules.get("pyarrow"), "default_memory_pool", None)
    if pool_of is not None:
        pool = pool_of()
        yield LibraryCounter("pyarrow", pool.bytes_allocated(), pool.max_memory() or 0)


def _read_torch() -> Iterator[LibraryCounter]:
    cuda: Any = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is not None and cuda.is_initialized():  # asking an idle one would start it
        yield LibraryCounter("torch on the GPU", cuda.memory_allocated(), cuda.max_memory_allocated())
