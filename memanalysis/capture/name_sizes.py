"""Estimate what the variables of a few frames hold, in a few milliseconds: which name to blame for memory.

Arrays, frames and tables give their own size. Of lists, dicts and other containers some entries are measured and count
for all. What two names hold counts for both.
"""

import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import FrameType, ModuleType
from typing import Any

from memanalysis.capture.user_frames import is_library_file
from memanalysis.units import MIB

__all__ = ["NameSize", "estimate_bytes", "find_largest_names"]

SECONDS = 0.05
"""For all names together."""

SAMPLE = 200
"""Entries of one container that are measured."""

MAX_DEPTH = 5
MAX_FRAMES = 50
MIN_BYTES = MIB
"""Names that hold less are left out."""

_CONTAINERS = (list, tuple, set, frozenset, deque)
_ARRAY_PACKAGES = frozenset({"cupy", "numpy", "pandas", "polars", "pyarrow", "scipy", "torch"})


@dataclass(frozen=True, slots=True)
class NameSize:
    """A variable and the estimated bytes that it holds."""

    name: str
    size_bytes: int
    type_name: str


def find_largest_names(frame: FrameType | None, *, most: int = 3, seconds: float = SECONDS) -> list[NameSize]:
    """Return the variables of a stack's user frames that hold the most: locals, and the globals of the innermost one.

    Parameters
    ----------
    frame : frame or None
        The innermost frame.
    seconds : float
        After so long no further name is measured.
    """
    until = time.perf_counter() + seconds
    spaces: list[Mapping[str, Any]] = []
    for _ in range(MAX_FRAMES):
        if frame is None:
            break
        if not is_library_file(frame.f_code.co_filename):
            if not spaces:
                spaces.append(frame.f_globals)
            if frame.f_code.co_name != "<module>":
                spaces.append(frame.f_locals)
        frame = frame.f_back
    found: dict[int, NameSize] = {}
    for space in reversed(spaces):
        for name, value in list(space.items()):
            if time.perf_counter() >= until:
                break
            if not name.startswith("_") and not isinstance(value, ModuleType | type) and id(value) not in found:
                size_bytes = estimate_bytes(value, until=until)
                if size_bytes >= MIN_BYTES:
                    found[id(value)] = NameSize(name, size_bytes, type(value).__name__)
    return sorted(found.values(), key=lambda each: -each.size_bytes)[:most]


def estimate_bytes(value: object, *, until: float, depth: int = 0) -> int:
    """Estimate what an object holds; what is not measured before ``until`` (of ``perf_counter``) counts nothing.

    Examples
    --------
    >>> estimate_bytes([bytes(1_000_000)] * 3, until=float("inf")) // 1_000_000
    3
    """
    own_bytes = _array_bytes(value)
    if own_bytes is not None:
        return own_bytes
    size_bytes = object.__sizeof__(value) if isinstance(value, type) else sys.getsizeof(value, 0)
    if depth >= MAX_DEPTH or time.perf_counter() >= until:
        return size_bytes
    if isinstance(value, dict):
        entries = [part for pair in list(islice(value.items(), SAMPLE)) for part in pair]
        return size_bytes + _sum_sample(entries, 2 * len(value), until, depth)
    if isinstance(value, _CONTAINERS):
        step = max(1, len(value) // SAMPLE)
        picked = list(islice(value, 0, None, step)) if isinstance(value, list) else list(islice(value, SAMPLE))
        return size_bytes + _sum_sample(picked, len(value), until, depth)
    try:
        names = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return size_bytes
    return size_bytes + (estimate_bytes(names, until=until, depth=depth + 1) if type(names) is dict else 0)


def _sum_sample(entries: Sequence[object], n_all: int, until: float, depth: int) -> int:
    """Bytes of all entries, from those that are measured."""
    sizes = [estimate_bytes(entry, until=until, depth=depth + 1) for entry in entries]
    return int(sum(sizes) * n_all / len(sizes)) if sizes else 0


def _array_bytes(value: object) -> int | None:
    """What an array, a frame or a table says of itself; None for anything else."""
    package = type(value).__module__.partition(".")[0]
    if package not in _ARRAY_PACKAGES or isinstance(value, type):
        return None
    try:
        if package == "pandas" and hasattr(value, "memory_usage"):
            used = value.memory_usage(index=False)
            return int(used if isinstance(used, int) else used.sum())
        if package == "polars" and hasattr(value, "estimated_size"):
            return int(value.estimated_size())
        nbytes = getattr(value, "nbytes", None)
        return int(nbytes) if nbytes is not None else None
    except Exception:  # a library's own method, of an object in any state
        return None
