"""Series of many lengths laid under one another: at most 64 points each, so that any length costs the same to judge."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.row_statistics import row_medians
from memanalysis.analysis.series.prepare import SeriesBatch

__all__ = ["MIN_SAMPLES", "MIN_SAMPLES_TO_CUT_WARM_UP", "MOST_POINTS", "Like", "Stack", "find_alike", "stack_series"]

MOST_POINTS = 64
"""A longer stretch is put into this many medians in a row; pairwise slopes of 64 points are 2,016."""

MIN_SAMPLES = 5
"""Five samples that all rise happen by chance once in 120 orders; fewer prove nothing."""

WARM_UP_SHARE = 0.25
"""Programs fill caches and import modules at first: growth is judged on what comes after this share of the time."""

MIN_SAMPLES_TO_CUT_WARM_UP = 16
"""A shorter series is judged whole: what is left would be too little."""

ROWS_AT_ONCE = 4096
"""Series judged in one go: their pairwise slopes take 16 MB; fewer would cost more steps of Python each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Like:
    """Series of a batch that have as many samples, and as many after the warm-up.

    Parameters
    ----------
    index, judged_from : array of int, shape (m,)
        Which series of the batch they are, and the first sample after the warm-up of each.
    """

    index: IntArray
    judged_from: IntArray


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


def find_alike(batch: SeriesBatch) -> Iterator[Like]:
    """Give the series that have enough samples, by a few thousand of equal numbers of points."""
    sizes = batch.sizes
    enough = np.flatnonzero(sizes >= MIN_SAMPLES)
    judged_from = _ends_of_warm_up(batch, enough)
    shapes = np.stack([sizes[enough], batch.stops[enough] - judged_from])
    order = np.lexsort(shapes)
    changes = np.flatnonzero(np.any(np.diff(shapes[:, order], axis=1) != 0, axis=0)) + 1
    for group in np.split(order, changes):
        for rows in np.split(group, range(ROWS_AT_ONCE, group.size, ROWS_AT_ONCE)):
            if rows.size:
                yield Like(index=enough[rows], judged_from=judged_from[rows])


def stack_series(batch: SeriesBatch, like: Like) -> Stack:
    """Lay these series under one another."""
    index, judged_from = like.index, like.judged_from
    whole_s, whole = _points(batch, batch.starts[index], int(batch.sizes[index[0]]))
    times, levels = _points(batch, judged_from, int(batch.stops[index[0]] - judged_from[0]))
    return Stack(index=index, whole_s=whole_s, whole=whole, times=times, levels=levels)


def _ends_of_warm_up(batch: SeriesBatch, which: IntArray) -> IntArray:
    """Index of the first judged sample of each series."""
    starts, stops = batch.starts[which], batch.stops[which]
    if not which.size:
        return starts
    first_s = batch.elapsed_s[starts]
    until_s = first_s + WARM_UP_SHARE * (batch.elapsed_s[stops - 1] - first_s)
    after, last = starts.copy(), stops - 1
    while np.any(after < last):  # bisection: times rise, and the last is not before its until_s
        middle = (after + last) // 2
        is_before = batch.elapsed_s[middle] < until_s
        after, last = np.where(is_before, middle + 1, after), np.where(is_before, last, middle)
    cut = (stops - starts >= MIN_SAMPLES_TO_CUT_WARM_UP) & (stops - after >= MIN_SAMPLES)
    return np.where(cut, after, starts)


def _points(batch: SeriesBatch, starts: IntArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Rows of ``size`` samples from ``starts`` on, as at most 64 medians in a row."""
    if size <= MOST_POINTS:
        places = starts[:, None] + np.arange(size)
        return batch.elapsed_s[places], batch.values[places]
    edges = np.linspace(0, size, MOST_POINTS + 1).round().astype(int)
    counts = np.diff(edges)
    if counts.max() <= 2:
        first, last = starts[:, None] + edges[:-1], starts[:, None] + edges[1:] - 1
        times, values = batch.elapsed_s[first], batch.values[first]
        times += batch.elapsed_s[last]
        values += batch.values[last]
        return times / 2, values / 2
    places = starts[:, None] + np.arange(size)
    times, values = batch.elapsed_s[places], batch.values[places]
    means = np.add.reduceat(times, edges[:-1], axis=1) / counts
    medians = [row_medians(values[:, a:b]) for a, b in pairwise(edges)]
    return means, np.stack(medians, axis=1)
