"""A fall in the last few samples of a series: a restart, collected garbage, or a program that frees all as it ends.

Too few samples follow it to show which. Until more do, the series is judged as it was before the fall, so that a leak
stays one where a program cancels its tasks or closes its pools before it ends. A series that fell so before swings.
"""

import numpy as np

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.thresholds import SeriesThresholds

__all__ = ["cut_late_falls"]


def cut_late_falls(
    values: FloatArray,
    *,
    starts: IntArray,
    stops: IntArray,
    weights: IntArray | None = None,
    thresholds: SeriesThresholds,
) -> IntArray:
    """Return where the judged stretch of each series stops: before the only far fall, in its last samples.

    Parameters
    ----------
    values : array of float, shape (n,)
        Series after series.
    starts, stops : arrays of int, shape (m,)
        Series ``i`` is ``values[starts[i]:stops[i]]``.
    weights : array of int, shape (n,), optional
        Samples that each value stands for; 1 by default.
    thresholds : SeriesThresholds
        Its ``late_fall_`` numbers: how many samples are the last, and how far is far.
    """
    late, cut = thresholds.late_fall_samples, stops.copy()
    some = np.flatnonzero(stops - starts >= max(thresholds.min_samples_of_a_leak, 3 * late + 1))
    if late < 1 or not some.size:
        return cut
    firsts = starts[some] + (thresholds.warm_up_share * (stops - starts)[some]).astype(np.int64)
    ends = stops[some] - late
    edges = np.column_stack([firsts, ends]).ravel()
    ranges = np.maximum.reduceat(values, edges)[::2] - np.minimum.reduceat(values, edges)[::2]
    tails = values[ends[:, np.newaxis] + np.arange(-1, late)]
    places = ends + late - np.argmax(tails[:, ::-1], axis=1)  # after the last of the highest
    falls = np.minimum(tails.max(axis=1), tails[:, 0]) - tails[:, -1]  # what rose just before is a spike
    for i in np.flatnonzero((falls > 0) & (falls >= thresholds.late_fall_share * ranges)):
        left_out = stops[some[i]] - places[i] if weights is None else weights[places[i] : stops[some[i]]].sum()
        before = values[starts[some[i]] : ends[i]]
        earlier = max(np.max(before[:-step] - before[step:]) for step in range(1, late + 1))
        if left_out <= late and earlier < thresholds.late_fall_ratio * falls[i]:
            cut[some[i]] = places[i]
    return cut
