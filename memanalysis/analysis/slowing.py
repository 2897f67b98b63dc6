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

NUMERIC_NOISE = 1e-12
"""Share of the level's power that counts as rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowing:
    """How the better saturating curve compares with the straight line; arrays of shape (m,).

    Parameters
    ----------
    information_gain : array of float
        Bayesian information criterion of the line minus the curve's: above 0 the curve is the better description.
    end_to_mean : array of float
        Slope of the curve at the end, as a share of its mean slope: 1 is steady, 0 has stopped.
    """

    information_gain: FloatArray
    end_to_mean: FloatArray


def fit_slowing(times: FloatArray, levels: FloatArray) -> Slowing:
    """Compare a line with rises that saturate.

    Parameters
    ----------
    times, levels : arrays of float, shape (m, p), p >= 4
        Strictly rising seconds, and bytes without NaN, one series a row.
    """
    rows, points = levels.shape
    share = (times - times[:, :1]) / (times[:, -1:] - times[:, :1])
    centred = levels - levels.mean(axis=1, keepdims=True)
    line_error, _ = _residual_error(share, centred)
    best_error, best_end = np.full(rows, np.inf), np.ones(rows)
    for constant in TIME_CONSTANTS:
        decay = np.exp(-share / constant)
        saturating = np.log1p(share / constant)
        for curve, end_slope in ((1 - decay, decay[:, -1] / constant), (saturating, 1 / (constant + share[:, -1]))):
            error, factor = _residual_error(curve, centred)
            better = (factor > 0) & (error < best_error)
            best_error[better] = error[better]
            best_end[better] = (end_slope / (curve[:, -1] - curve[:, 0]))[better]
    noise = NUMERIC_NOISE * np.sum(levels**2, axis=1) + 1e-9
    fitted = np.isfinite(best_error)
    ratio = (line_error + noise) / (np.where(fitted, best_error, 1.0) + noise)
    gain = np.where(fitted, points * np.log(ratio) - np.log(points), -np.inf)
    return Slowing(information_gain=gain, end_to_mean=best_end)


def _residual_error(curve: FloatArray, centred: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sums of squares that ``a + b * curve`` leaves over of rows that are centred, and b."""
    x = curve - curve.mean(axis=1, keepdims=True)
    factor = np.sum(x * centred, axis=1) / np.sum(x * x, axis=1)
    rest = centred - factor[:, None] * x
    return np.sum(rest * rest, axis=1), factor
