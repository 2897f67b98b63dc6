"""The floor under a series: what memory falls back to, window by window.

Garbage collection, batches and days make saw-teeth; a leak raises the floor under them, in every window. The mean of a
step or of a warm-up grows too, which proves nothing: the weakest window does not.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.trend.growth import GrowthFits
from memanalysis.analysis.trend.periods import find_periods

__all__ = ["MOST_WINDOWS", "Floors", "find_floors"]

MOST_WINDOWS = 8
"""Eight floors in a row that each lie above the one before: one chance in 40,320 for exchangeable floors."""

LEAST_WINDOWS = 4
"""Four rising floors happen by chance once in 24 orders; the interval of the slope adds the rest of the proof."""

MANY_SAMPLES = 10.0
"""With fewer independent samples than this the noise is not known well enough to trade windows for it."""

TOLD_APART = 3.0
"""Floors are told apart when they differ by this many standard deviations."""

FLOOR_QUANTILE = 0.2
"""The floor of a window is the level that a fifth of its samples lie under: the very lowest may be a misreading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floors:
    """Floors of ``m`` series in consecutive windows.

    Parameters
    ----------
    windows : array of int, shape (m,)
        How many windows the series was cut into.
    times, values : arrays of float, shape (m, 8)
        Mean time and floor of each window; NaN past the last.
    """

    windows: IntArray
    times: FloatArray
    values: FloatArray

    @property
    def slopes(self) -> FloatArray:
        """Slope from each floor to the next in bytes per second, shape (m, 7); NaN past the last."""
        return np.diff(self.values, axis=1) / np.diff(self.times, axis=1)

    @property
    def weakest(self) -> FloatArray:
        """The least of the slopes of each series; NaN where there is one window."""
        slopes = self.slopes
        least = np.min(np.where(np.isnan(slopes), np.inf, slopes), axis=1)
        return np.where(np.isinf(least), np.nan, least)


def find_floors(times: FloatArray, levels: FloatArray, fits: GrowthFits) -> Floors:
    """Floors of up to eight windows of equally many samples.

    There are as many windows as can be told apart: each is at least one period long, and while the fitted growth from
    one window to the next is less than three times the known noise of that difference, there are fewer, down to four.

    Parameters
    ----------
    times, levels : arrays of float, shape (m, p), p >= 2
        Strictly rising seconds, and bytes without NaN, one series a row.
    fits : GrowthFits
        Their lines, for their noise.
    """
    rows, points = levels.shape
    windows = _count_windows(times, levels, fits)
    floors = Floors(
        windows=windows, times=np.full((rows, MOST_WINDOWS), np.nan), values=np.full((rows, MOST_WINDOWS), np.nan)
    )
    for count in np.flatnonzero(np.bincount(windows)):
        of_count = windows == count
        edges = np.linspace(0, points, int(count) + 1).round().astype(int)
        for window, (first, last) in enumerate(pairwise(edges)):
            floors.times[of_count, window] = times[of_count, first:last].mean(axis=1)
            floors.values[of_count, window] = _low_quantile(levels[of_count, first:last])
    return floors


def _count_windows(times: FloatArray, levels: FloatArray, fits: GrowthFits) -> IntArray:
    spans = times[:, -1] - times[:, 0]
    rise = np.abs(fits.slope) * spans
    windows = np.full(times.shape[0], min(MOST_WINDOWS, times.shape[1]), dtype=np.int64)
    for fewer in range(int(windows.max(initial=0)) - 1, LEAST_WINDOWS - 1, -1):
        blurred = rise / windows < TOLD_APART * _noise_between(windows, fits)
        windows[(windows == fewer + 1) & (fits.n_effective >= MANY_SAMPLES) & blurred] = fewer
    periods_s = find_periods(times, levels)
    periodic = np.isfinite(periods_s)
    windows[periodic] = np.minimum(windows[periodic], (spans[periodic] / periods_s[periodic]).astype(np.int64))
    return windows


def _noise_between(windows: IntArray, fits: GrowthFits) -> FloatArray:
    """Standard deviation of the difference of two neighbouring floors; a low quantile scatters 1.4 times as a mean."""
    in_a_window = np.maximum(1.0, fits.n_effective / windows)
    noise: FloatArray = 1.4 * fits.noise * np.sqrt(2 / in_a_window)
    return noise


def _low_quantile(window: FloatArray) -> FloatArray:
    """``FLOOR_QUANTILE`` of each row, between its neighbours in order."""
    ordered = np.sort(window, axis=1)
    place = FLOOR_QUANTILE * (window.shape[1] - 1)
    below = int(place)
    above = min(below + 1, window.shape[1] - 1)
    quantile: FloatArray = ordered[:, below] + (place - below) * (ordered[:, above] - ordered[:, below])
    return quantile
