"""How fast one series grows, and between which bounds: robust slope, interval honest for autocorrelated samples.

Memory at one moment is nearly memory a moment ago, so samples are not independent, and an interval that takes them for
independent is far too narrow. The interval here is widened by the autocorrelation of what the line leaves over.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import stats
from scipy.signal import lfilter

from memanalysis.analysis.series import FloatArray
from memanalysis.errors import NotEnoughSamplesError

__all__ = ["GrowthFit", "fit_growth", "fit_lag_one", "theil_sen_slope"]

MAX_POINTS = 400
"""More samples than this are first put into that many medians in a row: pairwise slopes take n**2 memory."""

MAX_LAG_ONE = 0.98
"""Autocorrelation is held below this: beyond, a line cannot be told from a random walk, and the interval is as wide."""

MAD_TO_SIGMA = 1.4826
"""Median absolute deviation of a normal sample times this is its standard deviation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthFit:
    """Growth of one series, in bytes per second, with its confidence interval."""

    slope_bytes_per_s: float
    low_bytes_per_s: float
    high_bytes_per_s: float
    intercept_bytes: float
    """Value of the line at ``elapsed_s`` 0."""
    lag_one: float
    """Autocorrelation of neighbouring residuals, corrected for its bias in short series."""
    n_samples: int


def fit_growth(elapsed_s: FloatArray, values: FloatArray, *, confidence: float = 0.95) -> GrowthFit:
    """Theil-Sen line with an interval widened for autocorrelation.

    Parameters
    ----------
    elapsed_s, values : arrays of float, shape (n,)
        Strictly rising seconds, and bytes without NaN.
    confidence : float
        Coverage of the interval.

    Raises
    ------
    NotEnoughSamplesError
        Fewer than 3 samples.

    Notes
    -----
    Slope: Sen (1968), J. Am. Stat. Assoc. 63, 1379-1389. Width: the exact variance of a least-squares slope when the
    errors are AR(1) with the estimated lag-one autocorrelation, taken from sample to sample (uneven steps count as
    even). Bias of the autocorrelation: Marriott and Pope (1954), Biometrika 41, 390-402.
    """
    if elapsed_s.size < 3:
        raise NotEnoughSamplesError(f"fit_growth needs 3 samples or more, but got {elapsed_s.size}. Record for longer.")
    times, levels = _medians_in_a_row(elapsed_s, values)
    slope = theil_sen_slope(times, levels)
    intercept = float(np.median(levels - slope * times))
    residuals = levels - (intercept + slope * times)
    lag_one = fit_lag_one(residuals)
    half_width = _half_width(times, residuals, lag_one, confidence)
    return GrowthFit(
        slope_bytes_per_s=slope,
        low_bytes_per_s=slope - half_width,
        high_bytes_per_s=slope + half_width,
        intercept_bytes=intercept,
        lag_one=lag_one,
        n_samples=int(elapsed_s.size),
    )


def theil_sen_slope(elapsed_s: FloatArray, values: FloatArray) -> float:
    """Median of all pairwise slopes: holds while fewer than 29 % of the samples are outliers.

    Notes
    -----
    O(n**2) time and memory.
    """
    later, earlier = np.triu_indices(elapsed_s.size, k=1)
    return float(np.median((values[earlier] - values[later]) / (elapsed_s[earlier] - elapsed_s[later])))


def fit_lag_one(residuals: FloatArray) -> float:
    """Lag-one autocorrelation of residuals about a line, between 0 and ``MAX_LAG_ONE``; 0 when they are all equal."""
    centred = _winsorized(residuals - residuals.mean())
    power = float(centred @ centred)
    if power == 0 or centred.size < 4:
        return 0.0
    raw = float(centred[1:] @ centred[:-1]) / power
    corrected = raw + (2 + 4 * raw) / centred.size
    return float(np.clip(corrected, 0.0, MAX_LAG_ONE))


def _half_width(times: FloatArray, residuals: FloatArray, lag_one: float, confidence: float) -> float:
    """Half the width of the interval of a least-squares slope under AR(1) errors, which Theil-Sen's is hardly above."""
    n = times.size
    held_in = _winsorized(residuals)
    innovations = held_in[1:] - lag_one * held_in[:-1]
    variance = float(innovations @ innovations) / max(1, n - 2)
    centred = times - times.mean()
    weights = centred / float(centred @ centred)
    carried = lfilter([1.0], [1.0, -lag_one], weights[::-1])[::-1]
    slope_variance = variance * float(carried[0] ** 2 / (1 - lag_one**2) + carried[1:] @ carried[1:])
    return float(stats.t.ppf(0.5 + confidence / 2, max(1, n - 2))) * float(np.sqrt(slope_variance))


def _winsorized(residuals: FloatArray) -> FloatArray:
    """Pull outliers in to five robust standard deviations: one spike must not widen the interval without end."""
    sigma = MAD_TO_SIGMA * float(np.median(np.abs(residuals - np.median(residuals))))
    return residuals if sigma == 0 else np.clip(residuals, -5 * sigma, 5 * sigma)


def _medians_in_a_row(times: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    if times.size <= MAX_POINTS:
        return times, values
    edges = np.linspace(0, times.size, MAX_POINTS + 1).astype(int)
    pieces = [slice(a, b) for a, b in pairwise(edges)]
    return (
        np.array([times[piece].mean() for piece in pieces]),
        np.array([np.median(values[piece]) for piece in pieces]),
    )
