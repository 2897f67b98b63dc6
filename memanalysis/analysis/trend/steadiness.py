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

PARABOLA = 3
"""Numbers that a parabola takes from its points."""


def are_steady(
    matrix: SeriesMatrix, slope: FloatArray, *, thresholds: SlowingThresholds = DEFAULT_THRESHOLDS.slowing
) -> NDArray[np.bool_]:
    """Return whether the growth of each row is still as fast at its end.

    Three stretches are tried, and one that is steady is enough. The first leaves out only the very beginning: the
    longest stretch shows a bend best. The second leaves out the warm-up, and its bound is stricter. The third begins
    late, for programs that start up for longer still, and must pass its bound with one standard error taken off.

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
    late = int(matrix.whole.shape[1] * thresholds.late_start)
    min_late = (
        thresholds.min_steady_end_to_mean_of_late_short if is_short else thresholds.min_steady_end_to_mean_of_late
    )
    since_late, error = _measure_late(matrix.whole_s[:, late:], matrix.whole[:, late:])
    steady: NDArray[np.bool_] = (
        (since_start >= least)
        | (since_warm_up >= thresholds.min_steady_end_to_mean_of_warm)
        | (since_late - error >= min_late)
    )
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
    _, bend, span_s = _line_and_bend(times)
    bent = np.sum(levels * bend, axis=1) / np.sum(bend * bend, axis=1)
    end_to_mean: FloatArray = 1 + bent / (slope * span_s)
    return end_to_mean


def _measure_late(times: FloatArray, levels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the slope at the end as a share of the slope of these very points, and its standard error.

    Without slope there is no share: it is minus infinity.
    """
    place, bend, _ = _line_and_bend(times)
    power = np.sum(bend * bend, axis=1)
    centred = levels - levels.mean(axis=1, keepdims=True)
    bent = np.sum(centred * bend, axis=1) / power
    growth = np.sum(centred * place, axis=1) / np.sum(place * place, axis=1)
    rest = centred - growth[:, None] * place - bent[:, None] * bend
    noise = np.sqrt(np.sum(rest * rest, axis=1) / max(1, levels.shape[1] - PARABOLA))
    grows = growth > 0
    by = np.where(grows, growth, 1.0)
    return np.where(grows, 1 + bent / by, -np.inf), np.where(grows, noise / np.sqrt(power) / by, 0.0)


def _line_and_bend(times: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the terms of a parabola, each free of those before it, of shape (m, p), and the seconds of each row."""
    span = times[:, -1:] - times[:, :1]
    place = (times - times.mean(axis=1, keepdims=True)) / span
    bend = place * place
    bend -= bend.mean(axis=1, keepdims=True)
    bend -= np.sum(bend * place, axis=1, keepdims=True) / np.sum(place * place, axis=1, keepdims=True) * place
    return place, bend, span[:, 0]
