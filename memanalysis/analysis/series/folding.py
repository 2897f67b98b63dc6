"""Long series folded by threes to a bounded number of points, as `live` folds them one sample after the other."""

import numpy as np

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.row_statistics import row_medians
from memanalysis.analysis.series.live_series import FOLD, MOST_KEPT

__all__ = ["fold_long"]


def fold_long(
    elapsed_s: FloatArray, values: FloatArray, counts: IntArray
) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
    """Fold the series of more than ``MOST_KEPT`` samples.

    Parameters
    ----------
    elapsed_s, values : arrays of float, shape (n,)
        Series after series, times rising.
    counts : array of int, shape (m,)
        Samples of each series.

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
        folded = _fold_one(elapsed_s[start:stop], values[start:stop])
        pieces.append(folded)
        sizes.append(folded[0].size)
        start = int(stop)
    times, levels, weights = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return times, levels, np.array(sizes), weights


def _fold_one(times: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray, IntArray]:
    """Fold one series; its last sample stays apart, for it may yet be replaced."""
    n = times.size - 1
    if n < MOST_KEPT:
        return times, values, np.ones(times.size, dtype=np.int64)
    folds = 0
    while n // FOLD**folds >= MOST_KEPT:
        folds += 1
    pieces, start = [], 0
    for fold in range(folds, -1, -1):
        stop = start + (n - start) // FOLD**fold * FOLD**fold
        pieces.append(_fold_evenly(times[start:stop], values[start:stop], fold))
        start = stop
    pieces.append((times[n:], values[n:], np.ones(1, dtype=np.int64)))
    folded_times, folded_values, weights = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return folded_times, folded_values, weights


def _fold_evenly(times: FloatArray, values: FloatArray, folds: int) -> tuple[FloatArray, FloatArray, IntArray]:
    for _ in range(folds):
        threes = times.reshape(-1, FOLD)
        times = (threes[:, 0] + threes[:, 1] + threes[:, 2]) / FOLD
        values = row_medians(values.reshape(-1, FOLD))
    return times, values, np.full(times.size, FOLD**folds, dtype=np.int64)
