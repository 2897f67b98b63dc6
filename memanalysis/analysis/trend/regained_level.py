"""Growth that only regains a level that the series held before: a cache that was emptied, a batch, a slow swing.

Growth is judged after the first quarter of a record, where programs warm up. A level that was held for long is no
warm-up: what fell from it and comes back to it has not shown yet that it needs more than before.
"""

import math

import numpy as np

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.row_statistics import row_medians
from memanalysis.analysis.series.prepare import SeriesBatch, take_series
from memanalysis.analysis.series.resample import SeriesMatrix, group_equal_lengths, make_series_matrix
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, Thresholds

__all__ = ["find_regained"]


def find_regained(
    batch: SeriesBatch, which: IntArray, growth: FloatArray, *, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> FloatArray:
    """Return the second since which each of some growing series only regains what it held before; NaN for the others.

    A level counts as held if the series reaches it for a lasting stretch. The level that was held before the first
    large fall is compared with the level held after it. A fall is large if it is a good part of the growth.

    Parameters
    ----------
    batch : SeriesBatch
        The prepared series.
    which : array of int, shape (k,)
        The series to judge.
    growth : array of float, shape (k,)
        By how many bytes they were found to grow.
    thresholds : Thresholds, optional
        The numbers to judge by.
    """
    since_s = np.full(which.size, np.nan)
    some = take_series(batch, which)
    for group in group_equal_lengths(some, thresholds=thresholds.series):
        matrix = make_series_matrix(some, group, max_points=thresholds.series.max_points)
        since_s[group.index] = _find_in_rows(matrix, growth[group.index], thresholds)
    return since_s


def _find_in_rows(matrix: SeriesMatrix, growth: FloatArray, thresholds: Thresholds) -> FloatArray:
    levels, rule = matrix.whole, thresholds.fall
    steady = _without_spikes(levels)
    min_fall = rule.min_share_of_growth * growth
    since_s = np.full(growth.size, np.nan)
    fell = np.max(np.maximum.accumulate(levels, axis=1) - steady, axis=1) >= min_fall  # a quick test before the exact
    for row in np.flatnonzero(fell):
        lasting = _count_lasting(matrix.whole_s[row], thresholds)
        held = _hold_before(levels[row], lasting)
        below = np.flatnonzero(held - steady[row] >= min_fall[row])
        if not below.size:
            continue
        first = int(below[0])
        after = np.sort(levels[row, first:])
        if after[-min(lasting, after.size)] - held[first] < rule.min_share_beyond * growth[row]:
            since_s[row] = matrix.whole_s[row, first + int(np.argmin(steady[row, first:]))]
    return since_s


def _without_spikes(levels: FloatArray) -> FloatArray:
    """Return the median of each point and its neighbours."""
    padded = np.pad(levels, ((0, 0), (1, 1)), mode="edge")
    near = np.stack([padded[:, :-2], levels, padded[:, 2:]], axis=2)
    return row_medians(near.reshape(-1, 3)).reshape(levels.shape)


def _count_lasting(times: FloatArray, thresholds: Thresholds) -> int:
    """Return for how many points a level lasts that is no warm-up: a share of the record, and no more than an hour."""
    span_s = float(times[-1] - times[0])
    lasting_s = min(thresholds.onset.first_share * span_s, thresholds.series.min_seconds_of_few_samples)
    return max(thresholds.shape.min_points_of_part, math.ceil(lasting_s / span_s * times.size))


def _hold_before(levels: FloatArray, lasting: int) -> FloatArray:
    """Return the level that ``lasting`` points before each point reach; minus infinity where there are fewer."""
    held = np.full(levels.size, -np.inf)
    highest = sorted(levels[:lasting].tolist())
    for place in range(lasting, levels.size):
        held[place] = highest[0]
        if levels[place] > highest[0]:
            highest[0] = levels[place]
            highest.sort()
    return held
