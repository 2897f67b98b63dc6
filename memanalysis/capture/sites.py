"""Which lines of code hold the traced memory, and how much each? From tracemalloc, in one pass, grouped by traceback.

The totals are tracemalloc's own, to the byte. What memanalysis and tracemalloc's Python part hold is kept apart: it
counts in ``own_bytes`` and makes no row.
"""

import gc
import hashlib
import tracemalloc
from _tracemalloc import _get_traces
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import chain
from operator import itemgetter
from typing import Any, cast

from memanalysis.capture.functions import name_functions
from memanalysis.capture.grouping import RawFrames, RawGroup, RawTrace, group_traces
from memanalysis.capture.notebook_cells import display_file
from memanalysis.capture.user_frames import find_user_frame
from memanalysis.capture.wrapper_frames import is_own_file, is_wrapper_frame, make_portable
from memanalysis.errors import CaptureError

__all__ = [
    "SiteTable",
    "build_site_table",
    "describe_place",
    "find_own_groups",
    "hash_site",
    "make_rows",
    "read_raw_traces",
    "read_site_table",
]

SITE_ID_BYTES = 8
"""64 bits: among 100,000 sites two of them agree by chance once in 4 * 10**9 programs."""

_get_file = itemgetter(0)
_get_size_and_count = itemgetter(1, 2)


@dataclass(frozen=True, slots=True)
class SiteTable:
    """Traced memory by traceback at one moment, the most bytes first.

    Parameters
    ----------
    groups : sequence of (frames, bytes, blocks)
        The program's groups; frames are most recent call first.
    own_bytes, own_blocks : int
        What memanalysis and tracemalloc's Python part hold, which is in no group.
    """

    groups: Sequence[RawGroup]
    own_bytes: int
    own_blocks: int

    def pick(self, top: int | None = None, *, first_sizes: Mapping[int, int] | None = None) -> list[RawGroup]:
        """Pick at most ``top`` groups, the most bytes first; with ``first_sizes`` half of them by what they grew.

        Parameters
        ----------
        top : int, optional
            All when not given.
        first_sizes : mapping, optional
            What `read_sizes` gave earlier. A small site that grows is then seen long before it is among the biggest.
        """
        if top is None or top >= len(self.groups) or not first_sizes:
            return list(self.groups[:top])
        biggest, rest = self.groups[: (top + 1) // 2], self.groups[(top + 1) // 2 :]
        grown = nlargest(top // 2, rest, key=lambda group: group[1] - first_sizes.get(hash(group[0]), 0))
        return sorted([*biggest, *grown], key=_get_size_and_count, reverse=True)

    def read_sizes(self, top: int) -> dict[int, int]:
        """Bytes of the ``top`` biggest groups, by the hash of their frames, which holds in this process only."""
        return {hash(frames): size for frames, size, _ in self.groups[:top]}


def read_site_table() -> SiteTable:
    """Read and group all traced blocks of this process.

    Raises
    ------
    CaptureError
        tracemalloc is not tracing.
    """
    if not tracemalloc.is_tracing():
        raise CaptureError(
            "A snapshot of allocation sites needs tracemalloc tracing, but it is off. Call tracemalloc.start() first."
        )
    collects = gc.isenabled()
    gc.disable()  # a tuple is made for each block, and not one of them is garbage
    try:
        return build_site_table(read_raw_traces())
    finally:
        if collects:
            gc.enable()


def read_raw_traces() -> Sequence[RawTrace]:
    """Read one tuple a traced block."""
    return cast("Sequence[RawTrace]", _get_traces())


def make_rows(
    groups: Sequence[RawGroup], *, functions: Mapping[RawFrames, Sequence[str | None]] | None = None
) -> list[dict[str, Any]]:
    """Rows of the table ``sites`` without run, seq and time.

    Parameters
    ----------
    groups : sequence of (frames, bytes, blocks)
    functions : mapping, optional
        Names of the functions of the frames of each group, where they are known; else they are found.
    """
    named = functions or _name_frames(groups)
    return [_make_row(group, named[group[0]]) for group in groups]


def _name_frames(groups: Sequence[RawGroup]) -> dict[RawFrames, list[str | None]]:
    found = name_functions(set(chain.from_iterable(frames for frames, _, _ in groups)))
    return {frames: [found[frame] for frame in frames] for frames, _, _ in groups}


def _make_row(group: RawGroup, functions: Sequence[str | None]) -> dict[str, Any]:
    frames, size, count = group
    user = find_user_frame(frames)
    places = zip(frames, functions, strict=True)
    return {
        "site_id": hash_site(frames),
        "file": display_file(frames[0][0]),
        "line": frames[0][1],
        "function": functions[0],
        "traceback": [[display_file(file), line, *([name] if name else [])] for (file, line), name in places][::-1],
        "user_file": None if user is None else display_file(user[0]),
        "user_line": None if user is None else user[1],
        "user_function": None if user is None else functions[frames.index(user)],
        "size_bytes": size,
        "live_allocations": count,
    }


def describe_place(row: Mapping[str, Any]) -> str:
    """Return file, line and function of the user's own frame of a row, or of the one that allocates."""
    role = "" if row["user_file"] is None else "user_"
    function = row[f"{role}function"]
    return f"{row[f'{role}file']}:{row[f'{role}line']}" + (f" in {function}" if function else "")


def build_site_table(traces: Sequence[RawTrace]) -> SiteTable:
    """Group raw traces into the program's sites and the total of our own; pure."""
    groups = group_traces(traces)
    own = find_own_groups(groups)
    theirs = [group for group, is_own in zip(groups, own, strict=True) if not is_own]
    theirs.sort(key=_get_size_and_count, reverse=True)
    return SiteTable(
        theirs,
        own_bytes=sum(size for (_, size, _), is_own in zip(groups, own, strict=True) if is_own),
        own_blocks=sum(count for (_, _, count), is_own in zip(groups, own, strict=True) if is_own),
    )


def find_own_groups(groups: Sequence[RawGroup]) -> list[bool]:
    """Return for each group whether memanalysis or tracemalloc's Python part allocated it.

    That is so when its innermost frame is ours, or the first that is ours on the way out is no wrapper frame: what lies
    beyond one (such as a decorator) is the program's, whoever called it.
    """
    files = set(map(_get_file, chain.from_iterable(frames for frames, _, _ in groups)))
    own = frozenset(filter(is_own_file, files))
    inner = frozenset(file for file in own if not is_wrapper_frame(file))
    return [_is_own(frames, own, inner) for frames, _, _ in groups]


def _is_own(frames: RawFrames, own: frozenset[str], inner: frozenset[str]) -> bool:
    if frames[0][0] in own:
        return True
    if inner.isdisjoint(map(_get_file, frames)):
        return False
    return next(file for file, _ in frames if file in own) in inner


def hash_site(frames: RawFrames) -> str:
    """Short hash of a traceback, the same in every run of the same code, wherever it is installed."""
    text = "\n".join(f"{make_portable(file)}:{line}" for file, line in frames)
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=SITE_ID_BYTES).hexdigest()
