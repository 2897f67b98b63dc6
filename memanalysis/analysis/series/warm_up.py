"""Find where the warm-up of a series ends: programs fill caches at first, and growth is judged on what follows."""

import numpy as np

from memanalysis.analysis.arrays import IntArray
from memanalysis.analysis.series.prepare import SeriesBatch
from memanalysis.analysis.thresholds import SeriesThresholds

__all__ = ["find_warm_up_ends"]


def find_warm_up_ends(batch: SeriesBatch, which: IntArray, thresholds: SeriesThresholds) -> IntArray:
    """Return the index of the first sample after the warm-up of each series.

    The warm-up is the first ``warm_up_share`` of the series' time. A series that is too short to lose it keeps all.
    """
    starts, stops = batch.starts[which], batch.stops[which]
    if not which.size:
        return starts
    first_s = batch.elapsed_s[starts]
    until_s = first_s + thresholds.warm_up_share * (batch.elapsed_s[stops - 1] - first_s)
    after, last = starts.copy(), stops - 1
    while np.any(after < last):  # bisection: times rise, and the last is not before its until_s
        middle = (after + last) // 2
        is_before = batch.elapsed_s[middle] < until_s
        after, last = np.where(is_before, middle + 1, after), np.where(is_before, last, middle)
    cut = (stops - starts >= thresholds.min_samples_to_cut_warm_up) & (stops - after >= thresholds.min_samples)
    return np.where(cut, after, starts)
