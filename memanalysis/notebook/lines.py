"""Attribute allocations to lines: of the cell, of a module of the user, or of a tool. Pure: rows in, lines out.

Input are the rows of two site tables (``memanalysis.schema.SITES``), taken before and after a cell. An allocation made
deep inside a library belongs to the line of the cell that called it: its traceback is read from the allocation
outwards, past library files, to the first file that is a cell, a module of the user, or a tool (IPython, the kernel).
What a tool allocated on its own behalf is left out, as the capture package leaves out what memanalysis holds. What was
allocated so deep in libraries that the tracer's few frames do not reach its caller is one line of that name.
"""

import os
import re
import sysconfig
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from memanalysis.capture.user_frames import is_library_file
from memanalysis.schema import Row

__all__ = ["DEEP_LIBRARIES", "LineMemory", "Place", "add_native", "find_place", "kind_of_file", "sum_lines"]

TOOLS = ("IPython", "ipykernel", "jupyter_client", "zmq", "tornado", "matplotlib_inline")
"""Packages that run around a cell, not in it."""

DEEP_LIBRARIES = "libraries"
"""Stands for the file of what libraries allocated too deep to be attributed."""

_CELL = re.compile(r"In\[\d+\]")
_TOOL_FILES = ("linecache.py",)

FileKind = Literal["cell", "user", "library", "tool"]


@dataclass(frozen=True, slots=True)
class Place:
    """A line that can be shown, and where in a library the allocation was made, if it was.

    ``line`` is 0 where ``file`` is ``DEEP_LIBRARIES``.
    """

    file: str
    line: int
    via: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineMemory:
    """Memory that one line holds more (or, negative, less) than before the cell; ``native_bytes`` is part of it."""

    place: Place
    size_bytes: int
    live_allocations: int
    native_bytes: int = 0


def add_native(lines: Iterable[LineMemory], native: Mapping[Place, int]) -> list[LineMemory]:
    """Add native bytes to the lines that they belong to; the most bytes first."""
    left = {(place.file, place.line): size for place, size in native.items()}
    found = []
    for line in lines:
        size = left.pop((line.place.file, line.place.line), 0)
        found.append(replace(line, size_bytes=line.size_bytes + size, native_bytes=size) if size else line)
    found += [
        LineMemory(place=Place(file, line), size_bytes=size, live_allocations=0, native_bytes=size)
        for (file, line), size in left.items()
        if size
    ]
    return sorted(found, key=lambda each: -each.size_bytes)


def sum_lines(
    before: Iterable[Row], after: Iterable[Row], *, find_deep: Callable[[Row], Place | None] = lambda _: None
) -> list[LineMemory]:
    """Memory by line, as the difference of two site tables; most bytes first, tools left out.

    ``find_deep`` gives the line that stands for what a library allocated in a thread of its own, where it is known.
    """
    sizes: dict[tuple[str, int], int] = defaultdict(int)
    counts: dict[tuple[str, int], int] = defaultdict(int)
    deepest: dict[tuple[str, int], tuple[int, str | None]] = {}
    for sign, rows in ((-1, before), (1, after)):
        for row in rows:
            place = find_place(row["traceback"])
            if place is None:
                continue
            deep = find_deep(row) if place.file == DEEP_LIBRARIES else None
            if deep is not None:
                place = Place(deep.file, deep.line, via=place.via)
            key = (place.file, place.line)
            sizes[key] += sign * row["size_bytes"]
            counts[key] += sign * row["live_allocations"]
            if sign > 0 and row["size_bytes"] > deepest.get(key, (-1, None))[0]:
                deepest[key] = (row["size_bytes"], place.via)
    lines = [
        LineMemory(
            place=Place(file, line, via=deepest.get((file, line), (0, None))[1]),
            size_bytes=size,
            live_allocations=counts[file, line],
        )
        for (file, line), size in sizes.items()
        if size or counts[file, line]
    ]
    return sorted(lines, key=lambda each: -each.size_bytes)


def find_place(traceback: Sequence[Sequence[object]]) -> Place | None:
    """The line to show for an allocation with this traceback (most recent call last), or None if a tool made it."""
    if not traceback:
        return None
    inner_file, inner_line = _frame(traceback[-1])
    for position in range(len(traceback) - 1, -1, -1):
        file, line = _frame(traceback[position])
        kind = kind_of_file(file)
        if kind == "tool":
            return None
        if kind == "library":
            continue
        calling_cell = _find_cell(traceback[: position + 1])
        file, line = calling_cell or (file, line)
        here = (file, line) == (inner_file, inner_line)
        hides = here or inner_file.startswith("<")
        return Place(file, line, via=None if hides else f"{_short_file(inner_file)}:{inner_line}")
    return Place(DEEP_LIBRARIES, 0, via=f"{_short_file(inner_file)}:{inner_line}")


@lru_cache(maxsize=4096)
def kind_of_file(file: str) -> FileKind:
    """Who wrote the code of this file."""
    if _CELL.fullmatch(file):
        return "cell"
    if file.startswith("<frozen"):
        return "library"
    if file.startswith("<"):
        return "user"  # exec'd text, %timeit, doctest: code that the user handed over
    if _is_under(file, _tool_roots()) or Path(file).name in _TOOL_FILES:
        return "tool"
    return "library" if is_library_file(file) else "user"


def _find_cell(frames: Sequence[Sequence[object]]) -> tuple[str, int] | None:
    """The innermost line of a cell among frames, if a cell is there at all."""
    for frame in reversed(frames):
        file, line = _frame(frame)
        if _CELL.fullmatch(file):
            return file, line
    return None


def _frame(frame: Sequence[object]) -> tuple[str, int]:
    return str(frame[0]), int(str(frame[1]))


def _short_file(file: str) -> str:
    """Path of a library file from its package on; the name alone of any other."""
    for root in _library_roots():
        if file.startswith(root):
            return file[len(root) :].lstrip("/\\")
    return Path(file).name


def _is_under(file: str, roots: Iterable[str]) -> bool:
    return any(file.startswith(root) for root in roots)


@lru_cache(maxsize=1)
def _library_roots() -> tuple[str, ...]:
    """Directories of installed packages and of the standard library, the longest first."""
    paths: Mapping[str, str] = sysconfig.get_paths()
    roots = {Path(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib") if name in paths}
    roots |= {root.resolve() for root in roots}
    return tuple(sorted((f"{root}{os.sep}" for root in roots), key=len, reverse=True))


@lru_cache(maxsize=1)
def _tool_roots() -> tuple[str, ...]:
    found = (find_spec(name) for name in TOOLS)
    folders = (Path(where) for spec in found if spec is not None for where in (spec.submodule_search_locations or ()))
    return tuple(f"{folder}{os.sep}" for folder in folders)
