"""Estimate what the variables of a few frames hold, in a few milliseconds: which name to blame for memory.

Arrays, frames and tables give their own size. Of lists, dicts and other containers some entries are measured and count
for all. What two names hold counts for both.
"""

import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from types import FrameType, ModuleType
from typing import Any

from memanalysis.capture.user_frames import is_library_file
from memanalysis.units import MIB

__all__ = ["NameSize", "estimate_bytes", "find_largest_names"]

SECONDS = 0.2
"""For all names together."""

NAME_SECONDS = 0.02
"""For one of them."""

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
    skipped = frozenset(map(id, spaces))
    found: dict[int, NameSize] = {}
    for space in reversed(spaces):
        for name, value in list(space.items()):
            if time.perf_counter() >= until:
                break
            if not name.startswith("_") and not issubclass(type(value), ModuleType | type) and id(value) not in found:
                size_bytes = 0
                with suppress(Exception):  # the program's objects, in any state
                    stop_at = min(until, time.perf_counter() + NAME_SECONDS)
                    size_bytes = estimate_bytes(value, until=stop_at, skipped=skipped)
                if size_bytes >= MIN_BYTES:
                    found[id(value)] = NameSize(name, size_bytes, type(value).__name__)
    return sorted(found.values(), key=lambda each: -each.size_bytes)[:most]


def estimate_bytes(value: Any, *, until: float, skipped: frozenset[int] = frozenset(), depth: int = 0) -> int:
    """Estimate what an object holds.

    Parameters
    ----------
    until : float
        Of ``perf_counter``; what is not measured before counts nothing.
    skipped : frozenset of int
        ``id()`` of objects that are not entered, such as the variables of a module.

    Examples
    --------
    >>> estimate_bytes([bytes(1_000_000)] * 3, until=float("inf")) // 1_000_000
    3
    """
    own_bytes = _array_bytes(value)
    if own_bytes is not None:
        return own_bytes
    kind, size_bytes = type(value), 0
    with suppress(Exception):  # a ``__sizeof__`` of the program's own
        size_bytes = sys.getsizeof(value, 0)
    if depth >= MAX_DEPTH or time.perf_counter() >= until or id(value) in skipped:
        return size_bytes

    def sum_sample(entries: Sequence[object], n_all: int) -> int:
        """Bytes of all entries, from those that are measured."""
        sizes = [estimate_bytes(entry, until=until, skipped=skipped, depth=depth + 1) for entry in entries]
        return int(sum(sizes) * n_all / len(sizes)) if sizes else 0

    if issubclass(kind, dict):  # by the methods of dict itself: those of a subclass are the program's
        pairs = list(islice(dict.items(value), SAMPLE))
        return size_bytes + sum_sample([part for pair in pairs for part in pair], 2 * dict.__len__(value))
    container: Any = next((each for each in _CONTAINERS if issubclass(kind, each)), None)
    if container is not None:
        n_all = container.__len__(value)
        step = max(1, n_all // SAMPLE) if container is list else 1
        return size_bytes + sum_sample(list(islice(container.__iter__(value), 0, 2 * SAMPLE * step, step)), n_all)
    try:
        names = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return size_bytes
    if type(names) is not dict:
        return size_bytes
    return size_bytes + estimate_bytes(names, until=until, skipped=skipped, depth=depth + 1)


def _array_bytes(value: object) -> int | None:
    """What an array, a frame or a table says of itself; None for anything else."""
    package = str(type(value).__module__).partition(".")[0]
    if package not in _ARRAY_PACKAGES or issubclass(type(value), type):
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
