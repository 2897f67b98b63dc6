"""Judge calls whose bytes come in jumps by the number of blocks that they keep.

The table of a dict or a set doubles, so bytes grow in few large jumps, which look like noise to a fit, or like a leak
where a cache has just filled up. The blocks of its entries come one by one.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from memanalysis.analysis.arrays import FloatArray
from memanalysis.leaktest.sequential_test import CallGrowth, find_stretch, judge_calls

__all__ = ["judge_by_blocks"]

MIN_JUMP = 2.0
"""Times as many bytes as the calls between two readings would add on the average: a list is enlarged by an eighth."""

MAX_FALLS_SHARE = 0.1
"""Of the rises: bytes that fall by more go up and down, and do not come in jumps."""

MIN_BLOCK_BYTES = 16
"""The smallest block of CPython's allocator."""

MIN_BLOCKS_SHARE = 0.1
"""Of the bytes: where the smallest blocks would take less, it is not the blocks that grow."""

LEVELLED_OFF = ("plateauing", "slowing", "stable", "stepped", "sawtooth", "shrinking")


def judge_by_blocks(
    growth: CallGrowth, calls: FloatArray, levels: FloatArray, blocks: FloatArray, *, min_per_call: float
) -> CallGrowth:
    """Return the growth, decided by blocks where its bytes come in jumps.

    Parameters
    ----------
    growth : CallGrowth
        What `judge_calls` gives for the bytes. What it cleared stays cleared.
    calls, levels, blocks : arrays of float, shape (n,)
        Calls made before each reading, and bytes and blocks in use then.
    min_per_call : float
        As for `judge_calls`.

    Returns
    -------
    CallGrowth
        A leak where blocks leak, and undecided where bytes seem to leak and blocks have stopped rising. The interval
        of a leak that blocks decide leaves the largest jump out at one end, and counts it twice at the other.
    """
    first = find_stretch(calls.tolist())
    at, heights, counts = calls[first:].tolist(), levels[first:].tolist(), blocks[first:].tolist()
    if growth.is_leak is False or growth.bytes_per_call is None or not _come_in_jumps(at, heights):
        return growth
    grown_bytes, grown_blocks = heights[-1] - heights[0], counts[-1] - counts[0]
    if MIN_BLOCK_BYTES * grown_blocks < MIN_BLOCKS_SHARE * grown_bytes:
        return growth
    bytes_a_block = grown_bytes / grown_blocks
    by_blocks = judge_calls(calls, np.asarray(blocks * bytes_a_block), min_per_call=min_per_call)
    if growth.is_leak:
        return replace(growth, is_leak=None, shape=by_blocks.shape) if by_blocks.shape in LEVELLED_OFF else growth
    if not by_blocks.is_leak:
        return growth
    span = at[-1] - at[0]
    largest = max(after - before for before, after in pairwise(heights))
    rate = grown_bytes / span
    return replace(by_blocks, bytes_per_call=rate, low=max(0.0, rate - largest / span), high=rate + largest / span)


def _come_in_jumps(calls: Sequence[float], levels: Sequence[float]) -> bool:
    """Whether bytes rise, and in one step far more than the calls before it explain."""
    total = levels[-1] - levels[0]
    steps = [after - before for before, after in pairwise(levels)]
    falls, rises = -sum(step for step in steps if step < 0), sum(step for step in steps if step > 0)
    if total <= 0 or falls > MAX_FALLS_SHARE * rises:
        return False
    rate = total / (calls[-1] - calls[0])
    spans = [after - before for before, after in pairwise(calls)]
    return any(step > MIN_JUMP * rate * span for step, span in zip(steps, spans, strict=True))
