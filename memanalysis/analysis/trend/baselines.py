"""The baseline of a series: its lower envelope, the level that memory falls back to, window by window.

Garbage collection, batches and days make saw-teeth. A leak raises the baseline under them, in every window. The mean of
a step or of a warm-up grows too, which proves nothing: the weakest window does not.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, Thresholds
from memanalysis.analysis.trend.growth import GrowthFits
from memanalysis.analysis.trend.periods import find_periods

__all__ = ["Baselines", "find_baselines"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baselines:
    """Baselines of ``m`` series in consecutive windows.

    Parameters
    ----------
    windows : array of int, shape (m,)
        How many windows the series was cut into.
    times, values : arrays of float, shape (m, max_windows)
        Mean time and baseline of each window; NaN past the last.
    """

    windows: IntArray
    times: FloatArray
    values: FloatArray

    @property
    def slopes(self) -> FloatArray:
        """Slope from each baseline to the next in bytes per second, shape (m, max_windows - 1); NaN past the last."""
        return np.diff(self.values, axis=1) / np.diff(self.times, axis=1)

    @property
    def weakest(self) -> FloatArray:
        """The smallest of the slopes of each series; NaN where there is one window."""
        slopes = self.slopes
        least = np.min(np.where(np.isnan(slopes), np.inf, slopes), axis=1)
        return np.where(np.isinf(least), np.nan, least)


def find_baselines(
    times: FloatArray,
    levels: FloatArray,
    fits: GrowthFits,
    *,
    lows: FloatArray | None = None,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> Baselines:
    """Return the baselines of up to eight windows of equally many samples.

    There are as many windows as are distinct: each is at least one period long, and while the fitted growth from
    one window to the next is less than three times the known noise of that difference, there are fewer, down to four.

    Parameters
    ----------
    times, levels : arrays of float, shape (m, p), p >= 2
        Strictly rising seconds, and bytes without NaN, one series a row.
    fits : GrowthFits
        Their lines, for their noise.
    lows : array of float, shape (m, p), optional
        The least value that each level stands for, where it stands for several.
    thresholds : Thresholds, optional
        The numbers to judge by; its groups ``baseline`` and ``period``.
    """
    rows, points = levels.shape
    lows = levels if lows is None else lows
    windows = _count_windows(times, levels, fits, thresholds)
    max_windows, quantile = thresholds.baseline.max_windows, thresholds.baseline.quantile
    window_times, values = np.full((rows, max_windows), np.nan), np.full((rows, max_windows), np.nan)
    for count in np.flatnonzero(np.bincount(windows)):
        of_count = windows == count
        edges = np.linspace(0, points, int(count) + 1).round().astype(int)
        for window, (first, last) in enumerate(pairwise(edges)):
            window_times[of_count, window] = times[of_count, first:last].mean(axis=1)
            values[of_count, window] = _low_quantile(lows[of_count, first:last], quantile)
    return Baselines(windows=windows, times=window_times, values=values)


def _count_windows(times: FloatArray, levels: FloatArray, fits: GrowthFits, thresholds: Thresholds) -> IntArray:
    """Return as many windows as are distinct and hold a whole period each."""
    rule = thresholds.baseline
    spans = times[:, -1] - times[:, 0]
    rise = np.abs(fits.slope) * spans
    windows = np.full(times.shape[0], min(rule.max_windows, times.shape[1]), dtype=np.int64)
    for fewer in range(int(windows.max(initial=0)) - 1, rule.min_windows - 1, -1):
        blurred = rise / windows < rule.distinct_sigmas * _noise_between(windows, fits, rule.quantile_noise)
        windows[(windows == fewer + 1) & (fits.n_effective >= rule.min_samples_for_fewer_windows) & blurred] = fewer
    periods_s = find_periods(times, levels, thresholds=thresholds.period)
    periodic = np.isfinite(periods_s)
    windows[periodic] = np.minimum(windows[periodic], (spans[periodic] / periods_s[periodic]).astype(np.int64))
    return windows


def _noise_between(windows: IntArray, fits: GrowthFits, quantile_noise: float) -> FloatArray:
    """Return the standard deviation of the difference of two neighbouring baselines."""
    in_a_window = np.maximum(1.0, fits.n_effective / windows)
    noise: FloatArray = quantile_noise * fits.noise * np.sqrt(2 / in_a_window)
    return noise


def _low_quantile(window: FloatArray, share: float) -> FloatArray:
    """Return this quantile of each row, interpolated between its neighbours in order."""
    ordered = np.sort(window, axis=1)
    place = share * (window.shape[1] - 1)
    below = int(place)
    above = min(below + 1, window.shape[1] - 1)
    quantile: FloatArray = ordered[:, below] + (place - below) * (ordered[:, above] - ordered[:, below])
    return quantile
