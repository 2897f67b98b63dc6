"""Large falls in a series that grows: collected garbage comes back, and a restart does not.

A saw-tooth that is not over, or whose last tooth is the longest, looks like a leak. Growth that was taken back before
at the same rate is one only when it has clearly outgrown the fall.
"""

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.series.prepare import SeriesBatch
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, FallThresholds

__all__ = ["find_large_falls", "fit_slope", "judge_falls"]


def judge_falls(
    batch: SeriesBatch,
    which: IntArray,
    *,
    slopes: FloatArray,
    early: NDArray[np.bool_],
    thresholds: FallThresholds = DEFAULT_THRESHOLDS.fall,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which of some growing series may fall again, and which swing above a baseline that does not rise.

    Parameters
    ----------
    batch : SeriesBatch
        The prepared series.
    which : array of int, shape (k,)
        The series to judge.
    slopes : array of float, shape (k,)
        How fast they were found to grow, in bytes per second.
    early : array of bool, shape (k,)
        Whether they are short: a fall in their first samples is then doubtful too.
    thresholds : FallThresholds, optional
        The numbers to judge by.
    """
    falls_again, swings = np.zeros(which.size, dtype=bool), np.zeros(which.size, dtype=bool)
    for place, series in enumerate(which):
        times, values = batch.take(int(series))
        if not _fell_far(values, thresholds):
            continue
        firsts, largest = find_large_falls(values, min_share=thresholds.min_share_of_largest)
        if firsts.size >= thresholds.min_falls_of_a_cycle:
            swings[place] = not _lows_rise(times, values, firsts, slopes[place] * thresholds.min_rise_of_lows)
        elif firsts.size:
            falls_again[place] = _fell_from_the_same_growth(
                times, values, firsts, largest, is_early=bool(early[place]), thresholds=thresholds
            )
    return falls_again, swings


def find_large_falls(values: FloatArray, *, min_share: float) -> tuple[IntArray, float]:
    """Return the lowest samples after the largest fall and those of this share of it, and the bytes of the largest.

    A fall may take two steps.
    """
    falls = np.zeros(values.size)
    falls[1:] = values[:-1] - values[1:]
    falls[2:] = np.maximum(falls[2:], values[:-2] - values[2:])
    largest = float(falls.max(initial=0.0))
    if largest <= 0:
        return np.zeros(0, dtype=np.int64), 0.0
    large = np.flatnonzero(falls >= min_share * largest)
    runs = np.split(large, 1 + np.flatnonzero(np.diff(large) > 1))
    return np.array([run[np.argmin(values[run])] for run in runs]), largest


def fit_slope(times: FloatArray, values: FloatArray) -> float:
    """Return the least-squares slope in bytes per second."""
    centred = times - times.mean()
    return float(centred @ values / (centred @ centred))


def _fell_far(values: FloatArray, thresholds: FallThresholds) -> bool:
    """Return whether a fall over two steps is large beside the rise after the low."""
    fall = (values[:-2] - values[2:]).max(initial=0.0)
    return bool(fall >= thresholds.min_share_of_growth * (values[-1] - values.min()))


def _lows_rise(times: FloatArray, values: FloatArray, firsts: IntArray, least: float) -> bool:
    return fit_slope(times[firsts], values[firsts]) >= least


def _fell_from_the_same_growth(
    times: FloatArray,
    values: FloatArray,
    firsts: IntArray,
    largest: float,
    *,
    is_early: bool,
    thresholds: FallThresholds,
) -> bool:
    """Return whether the last fall is not outgrown yet, and the growth before it was as fast."""
    first = int(firsts[-1])
    since = int(firsts[-2]) if firsts.size > 1 else 0
    grown = float(np.median(values[-3:])) - values[first]
    if values.size - first < thresholds.min_samples_before:
        return True
    if largest < thresholds.min_share_of_growth * grown:
        return False
    if first - since < thresholds.min_samples_before:
        return is_early
    earlier = fit_slope(times[since : first - 1], values[since : first - 1])
    later = fit_slope(times[first:], values[first:])
    return later / thresholds.max_ratio_of_slopes <= earlier <= later * thresholds.max_ratio_of_slopes
