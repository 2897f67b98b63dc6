"""Whether growth is slowing down, as when a cache fills, or steady, as when something leaks.

Decided by which of two curves describes the series better, not by a threshold on one ratio: a straight line, or a rise
that saturates (exponential or logarithmic).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.row_statistics import row_products
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, SlowingThresholds

__all__ = ["Slowing", "fit_slowing"]

SAME_SHARE = 1e-9
"""Times that differ by less than this share of the series' length count as the same in all rows."""

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
    bend_gain : array of float
        The same criterion of the curve minus that of a line whose slope changes once: above 0 the latter describes the
        series better, as where the load of a program changed.
    """

    information_gain: FloatArray
    end_to_mean: FloatArray
    bend_gain: FloatArray


def fit_slowing(
    times: FloatArray, levels: FloatArray, *, thresholds: SlowingThresholds = DEFAULT_THRESHOLDS.slowing
) -> Slowing:
    """Compare a line with rises that saturate.

    Parameters
    ----------
    times, levels : arrays of float, shape (m, p), p >= 4
        Strictly rising seconds, and bytes without NaN, one series a row.
    thresholds : SlowingThresholds, optional
        The numbers to judge by.
    """
    share = (times - times[:, :1]) / (times[:, -1:] - times[:, :1])
    if np.max(np.ptp(share, axis=0)) < SAME_SHARE:
        share = share[:1]
    centred = levels - levels.mean(axis=1, keepdims=True)
    power = np.sum(centred * centred, axis=1)
    explained, _ = _explained_power(share[:, None], centred)
    line_error = power - explained[:, 0]
    curves, ends = _saturating_curves(share, _time_constants(thresholds))
    explained, factor = _explained_power(curves, centred)
    best = np.argmax(np.where(factor > 0, explained, -np.inf), axis=1)[:, None]
    fitted = np.any(factor > 0, axis=1)
    best_error = power - np.take_along_axis(explained, best, axis=1)[:, 0]
    noise = NUMERIC_NOISE * np.sum(levels**2, axis=1) + 1e-9
    points = levels.shape[1]
    ratio = (np.maximum(0.0, line_error) + noise) / (np.maximum(0.0, best_error) + noise)
    bent_error = np.maximum(0.0, line_error - _explained_by_bend(share, centred, thresholds))
    bent_ratio = (np.maximum(0.0, best_error) + noise) / (bent_error + noise)
    return Slowing(
        information_gain=np.where(fitted, points * np.log(ratio) - np.log(points), -np.inf),
        end_to_mean=np.where(fitted, np.take_along_axis(np.broadcast_to(ends, factor.shape), best, axis=1)[:, 0], 1.0),
        bend_gain=points * np.log(bent_ratio) - np.log(points),
    )


def _explained_by_bend(share: FloatArray, centred: FloatArray, thresholds: SlowingThresholds) -> FloatArray:
    """Return the sums of squares that the best bend of the line takes away beyond the line itself."""
    places = np.linspace(0, 1, thresholds.bends + 2)[1:-1]
    bends = np.maximum(0.0, share[:, None] - places[:, None])
    bends -= bends.mean(axis=2, keepdims=True)
    line = share - share.mean(axis=1, keepdims=True)
    own = np.sum(line * line, axis=1)[:, None, None]
    bends -= np.einsum("gkp,gp->gk", bends, line)[..., None] / own * line[:, None]
    explained, _ = _explained_power(bends, centred)
    best: FloatArray = explained.max(axis=1)
    return best


@lru_cache(maxsize=4)
def _time_constants(thresholds: SlowingThresholds) -> FloatArray:
    """Return the time constants to try, as shares of the length."""
    return np.geomspace(thresholds.min_time_constant, thresholds.max_time_constant, thresholds.time_constants)


def _saturating_curves(share: FloatArray, time_constants: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return curves over each grid of times, shape (g, k, p), and their last slope over their mean, shape (g, k)."""
    constants = time_constants[:, None]
    decay = np.exp(-share[:, None] / constants)
    curves = np.concatenate([1 - decay, np.log1p(share[:, None] / constants)], axis=1)
    at_end = np.concatenate([decay[:, :, -1] / time_constants, 1 / (time_constants + share[:, -1:])], axis=1)
    return curves, at_end / (curves[:, :, -1] - curves[:, :, 0])


def _explained_power(curves: FloatArray, centred: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sums of squares that ``a + b * curve`` takes away from centred rows, and b; both of shape (m, k).

    Curves are of shape (m, k, p), or (1, k, p) where all rows share them.
    """
    x = curves - curves.mean(axis=2, keepdims=True)
    together = row_products(centred, x[0]) if x.shape[0] == 1 else np.einsum("mkp,mp->mk", x, centred)
    power = np.sum(x * x, axis=2)
    return together**2 / power, together / power
