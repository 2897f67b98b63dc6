"""Which lines of code hold the traced memory, and how much each? From tracemalloc, in one pass, grouped by traceback.

The totals are tracemalloc's own, to the byte. What memanalysis and tracemalloc's Python part hold is told apart: it
counts in ``own_bytes`` and makes no row.
"""

import hashlib
import tracemalloc
from _tracemalloc import _get_traces
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any, cast

from memanalysis.capture.cells import display_file
from memanalysis.capture.functions import name_functions
from memanalysis.capture.grouping import RawFrames, RawGroup, RawTrace, group_traces
from memanalysis.capture.paths import is_door, is_own_file, make_portable
from memanalysis.errors import CaptureError

__all__ = ["SiteTable", "build_site_table", "find_own_groups", "hash_site", "read_site_table", "snapshot_sites"]

SITE_ID_BYTES = 8
"""64 bits: among 100,000 sites two of them agree by chance once in 4 * 10**9 programs."""

_get_file = itemgetter(0)


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

    def make_rows(self, *, top: int | None = None) -> list[dict[str, Any]]:
        """Rows of the table ``sites`` without run, seq and time, for the ``top`` biggest groups or for all."""
        groups = self.groups if top is None else self.groups[:top]
        functions = name_functions(frames[0] for frames, _, _ in groups)
        return [
            {
                "site_id": hash_site(frames),
                "file": display_file(frames[0][0]),
                "line": frames[0][1],
                "function": functions[frames[0]],
                "traceback": [[display_file(file), line] for file, line in reversed(frames)],
                "size_bytes": size,
                "live_allocations": count,
            }
            for frames, size, count in groups
        ]


def snapshot_sites(*, top: int | None = None) -> list[dict[str, Any]]:
    """Read which allocation sites hold the traced memory of this process, the biggest first.

    Parameters
    ----------
    top : int, optional
        Rows to give at most; all when not given.

    Returns
    -------
    list of dict
        ``site_id``, ``file``, ``line``, ``function`` (None where unknown), ``traceback`` (``[file, line]`` pairs, most
        recent call last), ``size_bytes``, ``live_allocations``.

    Raises
    ------
    CaptureError
        tracemalloc is not tracing.
    """
    return read_site_table().make_rows(top=top)


def read_site_table() -> SiteTable:
    """Read and group all traced blocks of this process.

    Raises
    ------
    CaptureError
        tracemalloc is not tracing.
    """
    if not tracemalloc.is_tracing():
        raise CaptureError(
            "A snapshot of allocation sites needs tracemalloc tracing, but it is off. "
            "Call TracemallocIntegration().start() or tracemalloc.start() first."
        )
    return build_site_table(cast("Sequence[RawTrace]", _get_traces()))


def build_site_table(traces: Sequence[RawTrace]) -> SiteTable:
    """Group raw traces into the program's sites and the total of our own; pure."""
    groups = group_traces(traces)
    own = find_own_groups(groups)
    theirs = [group for group, is_own in zip(groups, own, strict=True) if not is_own]
    theirs.sort(key=itemgetter(1, 2), reverse=True)
    return SiteTable(
        theirs,
        own_bytes=sum(size for (_, size, _), is_own in zip(groups, own, strict=True) if is_own),
        own_blocks=sum(count for (_, _, count), is_own in zip(groups, own, strict=True) if is_own),
    )


def find_own_groups(groups: Sequence[RawGroup]) -> list[bool]:
    """Tell of each group whether memanalysis or tracemalloc's Python part allocated it.

    That is so when its innermost frame is ours, or any frame is that is no door: what lies beyond a door (a decorator,
    say) is the program's.
    """
    files = set(map(_get_file, chain.from_iterable(frames for frames, _, _ in groups)))
    own = frozenset(filter(is_own_file, files))
    inner = frozenset(file for file in own if not is_door(file))
    return [frames[0][0] in own or not inner.isdisjoint(map(_get_file, frames)) for frames, _, _ in groups]


def hash_site(frames: RawFrames) -> str:
    """Short hash of a traceback, the same in every run of the same code, wherever it is installed."""
    text = "\n".join(f"{make_portable(file)}:{line}" for file, line in frames)
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=SITE_ID_BYTES).hexdigest()
