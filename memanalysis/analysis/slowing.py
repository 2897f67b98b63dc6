"""Whether growth is slowing down, as when a cache fills, or steady, as when something leaks.

Told by which of two curves describes the series better, not by a threshold on one ratio: a straight line, or a rise
that saturates (exponential or logarithmic).
"""

from dataclasses import dataclass

import numpy as np

from memanalysis.analysis.series import FloatArray

__all__ = ["Slowing", "fit_slowing"]

TIME_CONSTANTS = np.geomspace(0.03, 2.0, 16)
"""Tried time constants of a saturating rise, as shares of the series' length."""

MAX_POINTS = 60
"""The curves are fitted to at most this many means in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowing:
    """How the better saturating curve compares with the straight line."""

    information_gain: float
    """Bayesian information criterion of the line minus the curve's: above 0 the curve is the better description."""
    end_to_mean: float
    """Slope of the curve at the end of the series, as a share of its mean slope: 1 is steady, 0 has stopped."""


def fit_slowing(elapsed_s: FloatArray, values: FloatArray) -> Slowing:
    """Compare a line with rises that saturate.

    Parameters
    ----------
    elapsed_s, values : arrays of float, shape (n,), n >= 4
        Strictly rising seconds, and bytes without NaN.
    """
    share, level = _means_in_a_row((elapsed_s - elapsed_s[0]) / (elapsed_s[-1] - elapsed_s[0]), values)
    line_error, _ = _residual_error(share, level)
    n = share.size
    best = (np.inf, 1.0)
    for time_constant in TIME_CONSTANTS:
        decay = np.exp(-share / time_constant)
        for curve, end_slope, mean_slope in (
            (1 - decay, decay[-1] / time_constant, (decay[0] - decay[-1]) / (share[-1] - share[0])),
            (
                np.log1p(share / time_constant),
                1 / (time_constant + share[-1]),
                np.log((time_constant + share[-1]) / (time_constant + share[0])) / (share[-1] - share[0]),
            ),
        ):
            error, factor = _residual_error(curve, level)
            if factor > 0 and error < best[0]:
                best = (error, float(end_slope / mean_slope))
    if not np.isfinite(best[0]):
        return Slowing(information_gain=-np.inf, end_to_mean=1.0)
    noise = 1e-12 * float(level @ level) + 1e-9
    gain = n * np.log((line_error + noise) / (best[0] + noise)) - np.log(n)
    return Slowing(information_gain=float(gain), end_to_mean=best[1])


def _residual_error(curve: FloatArray, level: FloatArray) -> tuple[float, float]:
    """Sum of squares that ``a + b * curve`` leaves over, and b."""
    x, y = curve - curve.mean(), level - level.mean()
    factor = float(x @ y) / float(x @ x)
    rest = y - factor * x
    return float(rest @ rest), factor


def _means_in_a_row(share: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    if share.size <= MAX_POINTS:
        return share, values
    edges = np.linspace(0, share.size, MAX_POINTS + 1).round().astype(int)[:-1]
    counts = np.diff(np.append(edges, share.size))
    return np.add.reduceat(share, edges) / counts, np.add.reduceat(values, edges) / counts
