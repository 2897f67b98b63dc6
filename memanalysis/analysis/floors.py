"""The floor under a series: what memory falls back to, window by window.

Garbage collection, batches and days make saw-teeth; a leak raises the floor under them, in every window. The mean of a
step or of a warm-up grows too, which proves nothing: the weakest window does not.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from memanalysis.analysis.growth import GrowthFit
from memanalysis.analysis.series import FloatArray

__all__ = ["Floors", "find_floors", "find_period"]

MOST_WINDOWS = 8
"""Eight floors in a row that each lie above the one before: one chance in 40,320 for exchangeable floors."""

LEAST_WINDOWS = 4
"""Four rising floors happen by chance once in 24 orders; the interval of the slope adds the rest of the proof."""

MANY_SAMPLES = 10.0
"""With fewer independent samples than this the noise is not known well enough to trade windows for it."""

TOLD_APART = 3.0
"""Floors are told apart when they differ by this many standard deviations."""

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


def find_floors(elapsed_s: FloatArray, values: FloatArray, fit: GrowthFit) -> Floors:
    """Floors of up to eight windows of equally many samples.

    There are as many windows as can be told apart: each is at least one period long, and while the fitted growth from
    one window to the next is less than three times the known noise of that difference, there are fewer, down to four.

    Parameters
    ----------
    elapsed_s, values : arrays of float, shape (n,), n >= 2
        Strictly rising seconds, and bytes without NaN.
    fit : GrowthFit
        Their line, for its noise.
    """
    windows = min(MOST_WINDOWS, elapsed_s.size)
    rise = abs(fit.slope_bytes_per_s) * float(elapsed_s[-1] - elapsed_s[0])
    while (
        fit.n_effective >= MANY_SAMPLES
        and windows > LEAST_WINDOWS
        and rise / windows < TOLD_APART * _noise_between(windows, fit)
    ):
        windows -= 1
    period_s = find_period(elapsed_s, values)
    if period_s is not None:
        windows = min(windows, int((elapsed_s[-1] - elapsed_s[0]) / period_s))
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


def _noise_between(windows: int, fit: GrowthFit) -> float:
    """Standard deviation of the difference of two neighbouring floors; a low quantile scatters 1.4 times as a mean."""
    in_a_window = max(1.0, fit.n_effective / windows)
    return 1.4 * fit.noise_bytes * float(np.sqrt(2 / in_a_window))
