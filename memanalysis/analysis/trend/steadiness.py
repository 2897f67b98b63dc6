"""How steady growth is: the slope at its end beside its mean slope.

A cache that fills is a line at first, and only its bend shows what it is. Early growth has to be steady before it is
called a leak: there a bend counts before it stands out of the noise.
"""

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.series.resample import SeriesMatrix
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, SlowingThresholds

__all__ = ["are_steady", "measure_end_to_mean"]


def are_steady(
    matrix: SeriesMatrix, slope: FloatArray, *, thresholds: SlowingThresholds = DEFAULT_THRESHOLDS.slowing
) -> NDArray[np.bool_]:
    """Return whether each row grows as fast at its end as before: after its very beginning, or after its warm-up.

    Nearly the whole shows a bend best. What warms up for longer than the very beginning must be the steadier after it.

    Parameters
    ----------
    matrix : SeriesMatrix
        The series.
    slope : array of float, shape (m,)
        Their slopes after the warm-up in bytes per second, above 0.
    thresholds : SlowingThresholds, optional
        The numbers to judge by.
    """
    first = matrix.whole.shape[1] // thresholds.beginning_part
    since_start = measure_end_to_mean(matrix.whole_s[:, first:], matrix.whole[:, first:], slope)
    since_warm_up = measure_end_to_mean(matrix.times, matrix.levels, slope)
    is_short = matrix.whole.shape[1] < thresholds.points_of_a_short_series
    least = thresholds.min_steady_end_to_mean_of_short if is_short else thresholds.min_steady_end_to_mean
    steady: NDArray[np.bool_] = (since_start >= least) | (since_warm_up >= thresholds.min_steady_end_to_mean_of_warm)
    return steady


def measure_end_to_mean(times: FloatArray, levels: FloatArray, slope: FloatArray) -> FloatArray:
    """Return the slope at the end as a share of the mean slope: 1 is steady, 0 has stopped.

    Parameters
    ----------
    times, levels : arrays of float, shape (m, p), p >= 4
        Strictly rising seconds, and bytes without NaN, one series a row.
    slope : array of float, shape (m,)
        What the bend is measured by: bytes per second, above 0.

    Notes
    -----
    A parabola by least squares.
    """
    span = times[:, -1:] - times[:, :1]
    place = (times - times.mean(axis=1, keepdims=True)) / span
    bend = place * place
    bend -= bend.mean(axis=1, keepdims=True)
    bend -= np.sum(bend * place, axis=1, keepdims=True) / np.sum(place * place, axis=1, keepdims=True) * place
    bent = np.sum(levels * bend, axis=1) / np.sum(bend * bend, axis=1)
    end_to_mean: FloatArray = 1 + bent / (slope * span[:, 0])
    return end_to_mean
