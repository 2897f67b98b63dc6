"""A leak that was shown once stays one while it grows on, though noise or a slower stretch leaves it undecided now.

The verdict has no memory: it is made of the whole record each time. So a record that is undecided is judged once more
as it was after some of its samples, and what was a leak then still is where it has grown at nearly the same rate.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.row_statistics import row_medians
from memanalysis.analysis.series.prepare import SeriesBatch, take_series
from memanalysis.analysis.thresholds import Thresholds
from memanalysis.analysis.trend.early_growth import has_few_samples
from memanalysis.analysis.trend.falls import judge_falls
from memanalysis.analysis.trend.trend_shape import GROWING, INCONCLUSIVE, TrendFits

__all__ = ["judge_by_parts"]

Classify = Callable[[SeriesBatch, Thresholds], TrendFits]


def judge_by_parts(batch: SeriesBatch, fits: TrendFits, classify: Classify, *, thresholds: Thresholds) -> TrendFits:
    """Return the fits with what is undecided, but was a leak after a part of its record, as growing.

    Parameters
    ----------
    batch : SeriesBatch
        The prepared series.
    fits : TrendFits
        Their shapes.
    classify : callable
        Gives the shapes of the part of a batch, by the same rules.
    thresholds : Thresholds
        The numbers to judge by; its group ``part``.
    """
    rule = thresholds.part
    is_open = (fits.shape == INCONCLUSIVE) & (fits.low > 0) & ~fits.regains & ~fits.still_rises
    left = np.flatnonzero(is_open & (batch.sizes > rule.min_points))
    left = left[~_fell(batch, left, fits, thresholds)]
    shown: list[IntArray] = []
    for length in _list_lengths(int(batch.sizes[left].max(initial=0)), rule.min_points, rule.ratio):
        longer = left[(batch.sizes[left] > length) & (length >= rule.min_share * batch.sizes[left])]
        if not longer.size:
            continue
        first = _take_first(batch, longer, length)
        before = classify(first, thresholds)
        was_leak = before.shape == GROWING
        goes_on = fits.slope[longer] >= rule.min_ratio_of_slopes * before.slope
        goes_on &= _measure_ends(take_series(batch, longer)) >= _measure_ends(first) - before.noise
        shown.append(longer[was_leak & goes_on])
        left = np.setdiff1d(left, shown[-1])
    if not shown:
        return fits
    places = np.concatenate(shown)
    shape, grows_so_far, is_by_part = fits.shape.copy(), fits.grows_so_far.copy(), fits.by_part.copy()
    shape[places], grows_so_far[places], is_by_part[places] = GROWING, False, True
    return replace(fits, shape=shape, grows_so_far=grows_so_far, by_part=is_by_part)


def _fell(batch: SeriesBatch, which: IntArray, fits: TrendFits, thresholds: Thresholds) -> NDArray[np.bool_]:
    """Return which of some series fell so far that what grows since may be collected again."""
    early = has_few_samples(take_series(batch, which), thresholds=thresholds)
    falls_again, swings = judge_falls(batch, which, slopes=fits.slope[which], early=early, thresholds=thresholds.fall)
    fell: NDArray[np.bool_] = falls_again | swings
    return fell


def _measure_ends(batch: SeriesBatch) -> FloatArray:
    """Return the middle one of the last three values of each series."""
    return row_medians(batch.values[batch.stops[:, np.newaxis] + np.arange(-3, 0)])


def _list_lengths(most: int, least: int, ratio: float) -> list[int]:
    """Return numbers of points from the greatest down to the least, each a fixed one: later records have the same."""
    lengths, length = [], float(least)
    while length < most:
        lengths.append(int(length))
        length = max(length * ratio, length + 1)
    return lengths[::-1]


def _take_first(batch: SeriesBatch, which: IntArray, length: int) -> SeriesBatch:
    """Return the first points of some series."""
    some = take_series(batch, which)
    n_samples = np.maximum(1, some.n_samples * length // some.sizes)
    stops = some.starts + length
    return replace(some, stops=stops, ends=stops, n_samples=n_samples)
