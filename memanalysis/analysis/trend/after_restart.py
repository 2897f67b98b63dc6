"""Growth that goes on after a restart: one fall by a good part, and the same rise before it and after it.

`prepare` cuts a series where it falls by more than half. A process that is restarted within a container, or one worker
of many, falls by less. Several falls are garbage collection, and no restart.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.series.prepare import SeriesBatch
from memanalysis.analysis.series.resample import SeriesMatrix
from memanalysis.analysis.thresholds import Thresholds
from memanalysis.analysis.trend.altered_series import AlteredSeries
from memanalysis.analysis.trend.falls import find_large_falls, fit_slope

__all__ = ["read_since_restart"]


def read_since_restart(batch: SeriesBatch, matrix: SeriesMatrix, thresholds: Thresholds) -> Iterator[AlteredSeries]:
    """Yield the series that fell far once, and have grown since as before or beyond what they were, from there on.

    Parameters
    ----------
    batch : SeriesBatch
        The prepared series.
    matrix : SeriesMatrix
        The same as rows.
    thresholds : Thresholds
        The numbers to judge by.
    """
    for index in matrix.index[_fall_once(matrix.whole, thresholds)]:
        times, values = batch.take(int(index))
        first = _find_only_fall(times, values, thresholds)
        if not first:
            continue
        has_lasted = values.size - first >= thresholds.fall.min_samples_after_restart
        is_restart = _grows_as_before(times, values, first, thresholds) and (
            has_lasted or _kept_a_part(times, values, first, thresholds)
        )
        outgrown = np.median(values[-3:]) > values[:first].max()
        if outgrown or is_restart:
            yield AlteredSeries(
                place=int(index),
                elapsed_s=times[first:],
                values=values[first:],
                range_bytes=float(np.ptp(values[first:])),
                restarted=is_restart,
            )


def _fall_once(levels: FloatArray, thresholds: Thresholds) -> NDArray[np.bool_]:
    """Return which rows have one fall over two points that compares with the largest: a quick test before the exact."""
    falls = levels[:, :-2] - levels[:, 2:]
    large = falls >= thresholds.fall.min_share_of_largest * falls.max(axis=1, keepdims=True)
    begins = large & ~np.pad(large, ((0, 0), (1, 0)))[:, :-1]
    once: NDArray[np.bool_] = begins.sum(axis=1) == 1
    return once


def _kept_a_part(times: FloatArray, values: FloatArray, first: int, thresholds: Thresholds) -> bool:
    """Return whether the fall took back clearly less than had grown before it, which no collection of garbage does."""
    grown = fit_slope(times[: first - 1], values[: first - 1]) * (times[first - 2] - times[0])
    fall = np.median(values[first - 4 : first - 1]) - np.median(values[first : first + 3])
    return bool(fall < thresholds.fall.max_share_of_a_part * grown)


def _find_only_fall(times: FloatArray, values: FloatArray, thresholds: Thresholds) -> int:
    """Return the first sample after the only large fall, 0 where there is none, or it left too little to judge."""
    rule, series = thresholds.fall, thresholds.series
    firsts, largest = find_large_falls(values, min_share=rule.max_share_of_other_falls)
    if firsts.size != 1 or firsts[0] < rule.min_samples_before:
        return 0
    first = int(firsts[0])
    is_far = largest >= series.partial_fall * (values[first] + largest)
    is_long = times[-1] - times[first] >= series.restart_share * (times[-1] - times[0])
    return first if is_far and is_long else 0


def _grows_as_before(times: FloatArray, values: FloatArray, first: int, thresholds: Thresholds) -> bool:
    """Return whether the rise after a fall is as fast as that before it, its warm-up left out."""
    began = int(thresholds.series.warm_up_share * first)
    earlier = fit_slope(times[began : first - 1], values[began : first - 1])
    later, most = fit_slope(times[first:], values[first:]), thresholds.fall.max_ratio_of_slopes_of_restart
    return later > 0 and later / most <= earlier <= later * most
