"""Whether a series swings with a period: batches, collections, days."""

import numpy as np
from numpy import fft
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.row_statistics import row_products
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, PeriodThresholds

__all__ = ["find_periods"]

_DEFAULT = DEFAULT_THRESHOLDS.period


def find_periods(times: FloatArray, levels: FloatArray, *, thresholds: PeriodThresholds = _DEFAULT) -> FloatArray:
    """Return the seconds of the swing that repeats in each row, NaN where nothing is seen to repeat three times.

    The period is the lag of the first high peak of the autocorrelation of the detrended series, after it first fell
    below zero, if at least half of the variance comes back there.

    Parameters
    ----------
    times, levels : arrays of float, shape (m, p)
        Strictly rising seconds, and bytes without NaN, one series a row.
    thresholds : PeriodThresholds, optional
        The numbers to judge by.
    """
    rows, points = levels.shape
    periods = np.full(rows, np.nan)
    if points < thresholds.min_points:
        return periods
    step = (times[:, -1] - times[:, 0]) / (points - 1)
    rest = _detrended(_on_even_steps(times, levels, step, thresholds.max_uneven_steps))
    power = np.sum(rest**2, axis=1)
    moves = power > 1e-12 * np.maximum(1.0, np.sum(levels**2, axis=1))
    spectrum = fft.rfft(rest, 2 * points, axis=1)
    lags = points // 2 + 1
    correlation = fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :lags] / np.where(moves, power, 1.0)[:, None]
    correlation *= points / (points - np.arange(lags))
    past_zero = np.cumsum(correlation < 0, axis=1) > 0
    peaks = np.where(past_zero, correlation, -np.inf)
    high = peaks.max(axis=1)
    lag = np.argmax(_is_local_peak(correlation) & (peaks >= thresholds.first_peak_share * high[:, None]), axis=1)
    found = moves & (high >= thresholds.min_power) & (lag > 0) & (lag <= points // thresholds.min_periods)
    periods[found] = (lag * step)[found]
    return periods


def _is_local_peak(correlation: FloatArray) -> NDArray[np.bool_]:
    """Lags whose correlation is no less than that of both neighbours."""
    padded = np.pad(correlation, ((0, 0), (1, 1)), constant_values=-np.inf)
    return (correlation >= padded[:, :-2]) & (correlation >= padded[:, 2:])


def _on_even_steps(times: FloatArray, levels: FloatArray, step: FloatArray, max_uneven: float) -> FloatArray:
    """Levels at evenly spaced times; rows that are even already stay as they are."""
    even = times[:, :1] + step[:, None] * np.arange(times.shape[1])
    uneven = np.flatnonzero(np.max(np.abs(times - even), axis=1) > max_uneven * step)
    if uneven.size:
        levels = levels.copy()
        for i in uneven:
            levels[i] = np.interp(even[i], times[i], levels[i])
    return levels


def _detrended(levels: FloatArray) -> FloatArray:
    """Return what a least-squares line leaves over of each row."""
    place = np.arange(levels.shape[1]) - (levels.shape[1] - 1) / 2
    centred = levels - levels.mean(axis=1, keepdims=True)
    rest: FloatArray = centred - row_products(centred, place[None] / np.sum(place * place)) * place
    return rest
