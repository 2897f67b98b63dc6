"""Long series folded by threes to a bounded number of points, as `live_series` folds them sample by sample."""

from functools import reduce

import numpy as np

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.row_statistics import row_medians
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, SeriesThresholds

__all__ = ["fold_long"]


def fold_long(
    elapsed_s: FloatArray,
    values: FloatArray,
    counts: IntArray,
    *,
    thresholds: SeriesThresholds = DEFAULT_THRESHOLDS.series,
) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
    """Fold the series of more than ``max_points_kept`` samples.

    Parameters
    ----------
    elapsed_s, values : arrays of float, shape (n,)
        Series after series, times rising.
    counts : array of int, shape (m,)
        Samples of each series.
    thresholds : SeriesThresholds, optional
        How many points are kept, and how many become one.

    Returns
    -------
    elapsed_s, values : arrays of float, shape (k,)
    counts : array of int, shape (m,)
        Points of each series.
    weights : array of int, shape (k,)
        Samples that each point stands for.
    """
    pieces = []
    sizes, start = [], 0
    for stop in np.cumsum(counts):
        folded = _fold_one(elapsed_s[start:stop], values[start:stop], thresholds)
        pieces.append(folded)
        sizes.append(folded[0].size)
        start = int(stop)
    times, levels, weights = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return times, levels, np.array(sizes), weights


def _fold_one(
    times: FloatArray, values: FloatArray, thresholds: SeriesThresholds
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Fold one series; its last sample stays apart, because it may yet be replaced."""
    n, size = times.size - 1, thresholds.fold_size
    if n < thresholds.max_points_kept:
        return times, values, np.ones(times.size, dtype=np.int64)
    folds = 0
    while n // size**folds >= thresholds.max_points_kept:
        folds += 1
    pieces, start = [], 0
    for fold in range(folds, -1, -1):
        stop = start + (n - start) // size**fold * size**fold
        pieces.append(_fold_evenly(times[start:stop], values[start:stop], size, fold))
        start = stop
    pieces.append((times[n:], values[n:], np.ones(1, dtype=np.int64)))
    folded_times, folded_values, weights = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return folded_times, folded_values, weights


def _fold_evenly(
    times: FloatArray, values: FloatArray, size: int, folds: int
) -> tuple[FloatArray, FloatArray, IntArray]:
    for _ in range(folds):
        # Added one after the other, as `live_series` adds them: another order rounds otherwise.
        times = reduce(np.add, times.reshape(-1, size).T) / size
        values = row_medians(values.reshape(-1, size))
    return times, values, np.full(times.size, size**folds, dtype=np.int64)
