"""How fast one series grows, and between which bounds: robust slope, interval honest for autocorrelated samples.

Memory at one moment is nearly memory a moment ago, so samples are not independent, and an interval that takes them for
independent is far too narrow. The interval here is widened by the autocorrelation of what the line leaves over.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy import stats
from scipy.signal import lfilter

from memanalysis.analysis.series import FloatArray
from memanalysis.errors import NotEnoughSamplesError

__all__ = ["GrowthFit", "fit_growth", "fit_lag_one", "theil_sen_slope"]

MAX_POINTS = 400
"""More samples than this are first put into that many medians in a row: pairwise slopes take n**2 memory."""

CONFIDENCE = 0.95
"""Coverage of the interval that is told."""

LEAST_FREEDOM = 3.0
"""Degrees of freedom are not taken below this: the quantiles of fewer are wider than any use."""

CAUTION = 0.5
"""Standard errors by which the autocorrelation is taken higher than estimated: an interval too narrow is the worse."""

MAX_LAG_ONE = 0.98
"""Autocorrelation is held below this: beyond, a line cannot be told from a random walk, and the interval is as wide."""

MAD_TO_SIGMA = 1.4826
"""Median absolute deviation of a normal sample times this is its standard deviation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthFit:
    """Growth of one series, in bytes per second, with its confidence interval.

    Parameters
    ----------
    slope_bytes_per_s, low_bytes_per_s, high_bytes_per_s : float
        Theil-Sen slope and the ends of its 95 % interval.
    intercept_bytes : float
        Value of the line at ``elapsed_s`` 0.
    noise_bytes : float
        Standard deviation about the line, outliers pulled in.
    lag_one : float
        Autocorrelation of neighbouring residuals, corrected for its bias in short series.
    n_samples, n_effective : int, float
        Samples, and how many independent ones they are worth.
    """

    slope_bytes_per_s: float
    low_bytes_per_s: float
    high_bytes_per_s: float
    intercept_bytes: float
    noise_bytes: float
    lag_one: float
    n_samples: int
    n_effective: float
    standard_error: float

    def half_width(self, confidence: float) -> float:
        """Half the width of the slope's interval at another confidence."""
        return self.standard_error * float(stats.t.ppf(0.5 + confidence / 2, max(LEAST_FREEDOM, self.n_effective - 2)))


def fit_growth(elapsed_s: FloatArray, values: FloatArray) -> GrowthFit:
    """Theil-Sen line with an interval widened for autocorrelation.

    Parameters
    ----------
    elapsed_s, values : arrays of float, shape (n,)
        Strictly rising seconds, and bytes without NaN.

    Raises
    ------
    NotEnoughSamplesError
        Fewer than 3 samples.

    Notes
    -----
    Slope: Sen (1968), J. Am. Stat. Assoc. 63, 1379-1389. Width: the exact variance of a least-squares slope when the
    errors are AR(1) with the estimated lag-one autocorrelation, taken from sample to sample (uneven steps count as
    even). Bias of the autocorrelation: Marriott and Pope (1954), Biometrika 41, 390-402. Degrees of freedom: those of
    the effective sample size n (1 - r) / (1 + r), Bayley and Hammersley (1946), J. R. Stat. Soc. 8, 184-197.
    """
    if elapsed_s.size < 3:
        raise NotEnoughSamplesError(f"fit_growth needs 3 samples or more, but got {elapsed_s.size}. Record for longer.")
    times, levels = _medians_in_a_row(elapsed_s, values)
    slope = theil_sen_slope(times, levels)
    intercept = float(np.median(levels - slope * times))
    residuals = _winsorized(levels - (intercept + slope * times))
    lag_one = fit_lag_one(residuals)
    fit = GrowthFit(
        slope_bytes_per_s=slope,
        low_bytes_per_s=slope,
        high_bytes_per_s=slope,
        intercept_bytes=intercept,
        noise_bytes=float(np.sqrt(residuals @ residuals / max(1, residuals.size - 2))),
        lag_one=lag_one,
        n_samples=int(elapsed_s.size),
        n_effective=times.size * (1 - lag_one) / (1 + lag_one),
        standard_error=_standard_error(times, residuals, lag_one),
    )
    half_width = fit.half_width(CONFIDENCE)
    return replace(fit, low_bytes_per_s=slope - half_width, high_bytes_per_s=slope + half_width)


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
    centred = residuals - residuals.mean()
    power = float(centred @ centred)
    if power == 0 or centred.size < 4:
        return 0.0
    raw = float(centred[1:] @ centred[:-1]) / power
    unbiased = raw + (2 + 4 * raw) / centred.size
    cautious = unbiased + CAUTION * np.sqrt(max(0.0, 1 - unbiased**2) / centred.size)
    return float(np.clip(cautious, 0.0, MAX_LAG_ONE))


def _standard_error(times: FloatArray, residuals: FloatArray, lag_one: float) -> float:
    """Standard error of a least-squares slope under AR(1) errors, which Theil-Sen's is hardly above."""
    innovations = residuals[1:] - lag_one * residuals[:-1]
    variance = float(innovations @ innovations) / max(1, times.size - 2)
    centred = times - times.mean()
    weights = centred / float(centred @ centred)
    carried = lfilter([1.0], [1.0, -lag_one], weights[::-1])[::-1]
    return float(np.sqrt(variance * (carried[0] ** 2 / (1 - lag_one**2) + carried[1:] @ carried[1:])))


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
