"""Whether a series swings with a period: batches, collections, days."""

import numpy as np
from numpy import fft
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.row_statistics import row_products, share_row
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
    times = share_row(times)
    step = (times[:, -1] - times[:, 0]) / (points - 1)
    rest = _detrended(_on_even_steps(times, levels, step, thresholds.max_uneven_steps))
    power = np.sum(rest**2, axis=1)
    moves = power > 1e-12 * np.maximum(1.0, np.sum(levels**2, axis=1))
    spectrum = fft.rfft(rest, 2 * points, axis=1)
    lags = points // 2 + 1
    correlation = fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :lags] / np.where(moves, power, 1.0)[:, None]
    correlation *= points / (points - np.arange(lags))
    peaks = np.where(np.logical_or.accumulate(correlation < 0, axis=1), correlation, -np.inf)
    may_repeat = moves & (peaks.max(axis=1) >= thresholds.min_power)
    lag = _find_first_peak(correlation[may_repeat], peaks[may_repeat], thresholds.first_peak_share)
    found = (lag > 0) & (lag <= points // thresholds.min_periods)
    periods[np.flatnonzero(may_repeat)[found]] = lag[found]
    periods *= step
    return periods


def _find_first_peak(correlation: FloatArray, peaks: FloatArray, least: float) -> IntArray:
    """Return the lag of the first local peak that is at least this share of the highest peak; 0 where there is none."""
    is_high = peaks >= least * peaks.max(axis=1, keepdims=True)
    first: IntArray = np.argmax(_is_local_peak(correlation) & is_high, axis=1)
    return first


def _is_local_peak(correlation: FloatArray) -> NDArray[np.bool_]:
    """Lags whose correlation is no less than that of both neighbours."""
    padded = np.pad(correlation, ((0, 0), (1, 1)), constant_values=-np.inf)
    return (correlation >= padded[:, :-2]) & (correlation >= padded[:, 2:])


def _on_even_steps(times: FloatArray, levels: FloatArray, step: FloatArray, max_uneven: float) -> FloatArray:
    """Levels at evenly spaced times; rows that are even already stay as they are."""
    even = times[:, :1] + step[:, None] * np.arange(times.shape[1])
    is_uneven = np.max(np.abs(times - even), axis=1, keepdims=True) > max_uneven * step[:, None]
    if not is_uneven.any():
        return levels
    levels = levels.copy()
    times, even, is_uneven = (np.broadcast_to(one, levels.shape) for one in (times, even, is_uneven))
    for i in np.flatnonzero(is_uneven[:, 0]):
        levels[i] = np.interp(even[i], times[i], levels[i])
    return levels


def _detrended(levels: FloatArray) -> FloatArray:
    """Return what a least-squares line leaves over of each row."""
    place = np.arange(levels.shape[1]) - (levels.shape[1] - 1) / 2
    centred = levels - levels.mean(axis=1, keepdims=True)
    rest: FloatArray = centred - row_products(centred, place[None] / np.sum(place * place)) * place
    return rest
