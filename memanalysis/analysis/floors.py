"""The floor under a series: what memory falls back to, window by window.

Garbage collection, batches and days make saw-teeth; a leak raises the floor under them, in every window. The mean of a
step or of a warm-up grows too, which proves nothing: the weakest window does not.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from memanalysis.analysis.series import FloatArray

__all__ = ["Floors", "find_floors", "find_period"]

MOST_WINDOWS = 8
"""Eight floors in a row that each lie above the one before: one chance in 40,320 for exchangeable floors."""

LEAST_PERIODS = 3
"""Fewer whole periods than this show no floor that can be compared."""

FLOOR_QUANTILE = 0.2
"""The floor of a window is the level that a fifth of its samples lie under: the very lowest may be a misreading."""

MIN_PERIOD_POWER = 0.5
"""Share of the detrended variance that must come back after one period before the series is called periodic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floors:
    """Floors of consecutive windows, with their times."""

    elapsed_s: FloatArray
    values: FloatArray

    @property
    def slopes_bytes_per_s(self) -> FloatArray:
        """Slope from each floor to the next, shape (windows - 1,)."""
        return np.diff(self.values) / np.diff(self.elapsed_s)

    @property
    def weakest_bytes_per_s(self) -> float:
        """The least of the slopes."""
        return float(self.slopes_bytes_per_s.min())


def find_floors(elapsed_s: FloatArray, values: FloatArray) -> Floors:
    """Floor of each of up to eight windows of equally many samples, each at least one period long.

    Parameters
    ----------
    elapsed_s, values : arrays of float, shape (n,), n >= 2
        Strictly rising seconds, and bytes without NaN.
    """
    period_s = find_period(elapsed_s, values)
    windows = min(MOST_WINDOWS, elapsed_s.size)
    if period_s is not None:
        windows = min(windows, max(2, int((elapsed_s[-1] - elapsed_s[0]) / period_s)))
    edges = np.linspace(0, elapsed_s.size, windows + 1).round().astype(int)
    pieces = [slice(a, b) for a, b in pairwise(edges)]
    return Floors(
        elapsed_s=np.array([elapsed_s[piece].mean() for piece in pieces]),
        values=np.array([np.quantile(values[piece], FLOOR_QUANTILE) for piece in pieces]),
    )


def find_period(elapsed_s: FloatArray, values: FloatArray) -> float | None:
    """Length in seconds of the swing that repeats, or None where nothing is seen to repeat three times.

    The period is the lag of the highest peak of the autocorrelation of the detrended series, after it first fell below
    zero, if at least half of the variance comes back there.
    """
    n = elapsed_s.size
    if n < 12:
        return None
    grid = np.linspace(elapsed_s[0], elapsed_s[-1], n)
    level = np.interp(grid, elapsed_s, values)
    rest = level - np.polyval(np.polyfit(grid - grid[0], level, 1), grid - grid[0])
    power = float(rest @ rest)
    if power <= 1e-12 * max(1.0, float(level @ level)):
        return None
    spectrum = np.fft.rfft(rest, 2 * n)
    correlation = np.fft.irfft(spectrum * np.conj(spectrum))[: n // 2 + 1] / power
    correlation *= n / (n - np.arange(n // 2 + 1))
    below = np.flatnonzero(correlation < 0)
    if not below.size:
        return None
    lag = int(below[0]) + int(np.argmax(correlation[below[0] :]))
    if correlation[lag] < MIN_PERIOD_POWER or lag > n // LEAST_PERIODS:
        return None
    return float(lag * (grid[1] - grid[0]))
