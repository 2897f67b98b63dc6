"""Series of many lengths laid under one another: at most 64 points each, so that any length costs the same to judge."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from memanalysis.analysis.series import FloatArray, IntArray, SeriesBatch

__all__ = ["MIN_SAMPLES", "MIN_SAMPLES_TO_CUT_WARM_UP", "MOST_POINTS", "Stack", "stack_series"]

MOST_POINTS = 64
"""A longer stretch is put into this many medians in a row; pairwise slopes of 64 points are 2,016."""

MIN_SAMPLES = 5
"""Five samples that all rise happen by chance once in 120 orders; fewer prove nothing."""

WARM_UP_SHARE = 0.25
"""Programs fill caches and import modules at first: growth is judged on what comes after this share of the time."""

MIN_SAMPLES_TO_CUT_WARM_UP = 16
"""A shorter series is judged whole: what is left would be too little."""

ROWS_AT_ONCE = 1024
"""Series judged in one go: their pairwise slopes take 16 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Series of as many points each, one a row.

    Parameters
    ----------
    index : array of int, shape (m,)
        Which series of the batch the rows are.
    whole_s, whole : arrays of float, shape (m, p)
        Seconds and levels of the whole stretch.
    times, levels : arrays of float, shape (m, q)
        The same after the warm-up: what growth is judged on.
    """

    index: IntArray
    whole_s: FloatArray
    whole: FloatArray
    times: FloatArray
    levels: FloatArray


def stack_series(batch: SeriesBatch) -> Iterator[Stack]:
    """Give the series that have enough samples, in stacks of equal numbers of points."""
    sizes = batch.sizes
    enough = np.flatnonzero(sizes >= MIN_SAMPLES)
    judged_from = _ends_of_warm_up(batch, enough)
    shapes = np.stack([sizes[enough], batch.stops[enough] - judged_from])
    order = np.lexsort(shapes)
    changes = np.flatnonzero(np.any(np.diff(shapes[:, order], axis=1) != 0, axis=0)) + 1
    for group in np.split(order, changes):
        for rows in np.split(group, range(ROWS_AT_ONCE, group.size, ROWS_AT_ONCE)):
            if rows.size:
                yield _stack(batch, enough[rows], judged_from[rows])


def _ends_of_warm_up(batch: SeriesBatch, which: IntArray) -> IntArray:
    """Index of the first judged sample of each series."""
    starts, stops = batch.starts[which], batch.stops[which]
    if not which.size:
        return starts
    first_s = batch.elapsed_s[starts]
    until_s = np.zeros(batch.elapsed_s.size)
    lengths = stops - starts
    inside = np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    until_s[inside] = np.repeat(first_s + WARM_UP_SHARE * (batch.elapsed_s[stops - 1] - first_s), lengths)
    warming = np.concatenate([[0], np.cumsum(batch.elapsed_s < until_s)])
    after = starts + warming[stops] - warming[starts]
    cut = (lengths >= MIN_SAMPLES_TO_CUT_WARM_UP) & (stops - after >= MIN_SAMPLES)
    return np.where(cut, after, starts)


def _stack(batch: SeriesBatch, index: IntArray, judged_from: IntArray) -> Stack:
    whole_s, whole = _points(batch, batch.starts[index], int(batch.sizes[index[0]]))
    times, levels = _points(batch, judged_from, int(batch.stops[index[0]] - judged_from[0]))
    return Stack(index=index, whole_s=whole_s, whole=whole, times=times, levels=levels)


def _points(batch: SeriesBatch, starts: IntArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Rows of ``size`` samples from ``starts`` on, as at most 64 medians in a row."""
    places = starts[:, None] + np.arange(size)
    times, values = batch.elapsed_s[places], batch.values[places]
    if size <= MOST_POINTS:
        return times, values
    edges = np.linspace(0, size, MOST_POINTS + 1).round().astype(int)
    counts = np.diff(edges)
    means = np.add.reduceat(times, edges[:-1], axis=1) / counts
    if counts.max() <= 2:
        return means, np.add.reduceat(values, edges[:-1], axis=1) / counts
    medians = [np.median(values[:, a:b], axis=1) for a, b in pairwise(edges)]
    return means, np.stack(medians, axis=1)
