"""How do a million traced blocks become a few hundred groups? Without a Python object made for each block.

tracemalloc hands out one tuple a block, and blocks with the same traceback share one traceback tuple. Grouping by value
hashes every frame of every block; grouping by ``id()`` makes an int a block, and each of those is itself traced. So the
identity is taken in bulk: ``marshal`` writes an object that it has seen before as ``r`` and four bytes of its number,
which turns a list of tracebacks into a string of group numbers at memory speed. Its bytes are then used as keys one by
one, since CPython keeps the ints 0 to 255 ready made. The layout is checked on every call, with a plain loop where it
does not hold.
"""

import marshal
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from operator import getitem, itemgetter
from typing import Any

__all__ = ["RawFrames", "RawGroup", "RawTrace", "group_traces"]

RawFrames = tuple[tuple[str, int], ...]
"""File and line of each frame, most recent call first, as tracemalloc hands them out."""

RawTrace = tuple[int, int, RawFrames, int]
"""Domain, size in bytes, traceback and the number of frames before the cut."""

RawGroup = tuple[RawFrames, int, int]
"""Traceback, bytes and blocks of one group."""

REFERENCE_BYTES = 5
"""A marshalled reference: the letter ``r`` and a little-endian number of four bytes."""

_get_size = itemgetter(1)
_get_frames = itemgetter(2)


def group_traces(traces: Sequence[RawTrace]) -> list[RawGroup]:
    """Group blocks by their traceback, in no order.

    Parameters
    ----------
    traces : sequence of RawTrace
        What ``_tracemalloc._get_traces()`` gives.

    Notes
    -----
    tracemalloc shares one tuple among equal tracebacks, but for those that were cut at its limit from stacks of
    different depth: these are joined by value.
    """
    groups = _group_in_bulk(traces)
    if groups is None:
        groups = _group_one_by_one(traces)
    totals: list[RawGroup] = []
    cut: dict[RawFrames, tuple[int, int]] = {}
    for group in groups:
        _, _, frames, depth = group[0]
        size, count = sum(map(_get_size, group)), len(group)
        if depth == len(frames):
            totals.append((frames, size, count))
        else:
            size_before, count_before = cut.get(frames, (0, 0))
            cut[frames] = size_before + size, count_before + count
    totals.extend((frames, size, count) for frames, (size, count) in cut.items())
    return totals


def _group_in_bulk(traces: Sequence[RawTrace]) -> Iterator[list[RawTrace]] | None:
    """Group by identity through marshal; None where its output is not laid out as expected."""
    if not traces:
        return iter(())
    frames = list(map(_get_frames, traces))
    try:  # the second list holds nothing that the first does not: every item of it is written as a reference
        written = marshal.dumps([frames, frames[:]])
    except ValueError:  # a frame holds something that marshal cannot write
        return None
    references = memoryview(written)[-REFERENCE_BYTES * len(frames) :]
    if bytes(references[0::REFERENCE_BYTES]) != b"r" * len(frames):
        return None
    planes = [bytes(references[place::REFERENCE_BYTES]) for place in range(1, REFERENCE_BYTES)]
    while len(planes) > 1 and not any(planes[-1]):
        planes.pop()
    tree = _make_tree(len(planes))
    leaves: Any = map(tree.__getitem__, planes.pop())
    while planes:
        leaves = map(getitem, leaves, planes.pop())
    deque(map(list.append, leaves, traces), maxlen=0)
    return _walk_leaves(tree)


def _make_tree(depth: int) -> defaultdict[int, Any]:
    """Nested dicts, one level for each byte of the group number; lists at the end."""
    return defaultdict(list if depth == 1 else lambda: _make_tree(depth - 1))


def _walk_leaves(tree: defaultdict[int, Any]) -> Iterator[list[RawTrace]]:
    for branch in tree.values():
        if isinstance(branch, list):
            yield branch
        else:
            yield from _walk_leaves(branch)


def _group_one_by_one(traces: Sequence[RawTrace]) -> Iterator[list[RawTrace]]:
    groups: dict[int, list[RawTrace]] = {}
    for trace in traces:
        groups.setdefault(id(trace[2]), []).append(trace)
    return iter(groups.values())
