"""Sudden jumps on a series that moves steadily otherwise: a cache that is loaded, a table of a tracer, a release.

A jump that happens between two points is no growth, and hides it: a line no longer fits, and a curve that saturates
fits better. Without the jump the rest can be judged.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.row_statistics import MAD_TO_SIGMA, row_medians
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, JumpThresholds

__all__ = ["find_jumps"]


def find_jumps(levels: FloatArray, *, thresholds: JumpThresholds = DEFAULT_THRESHOLDS.jump) -> FloatArray:
    """Return the jump from each point to the next, 0 where there is none.

    A rise is a jump where it is far above the usual step of the series, takes one step or two, and there are few. A
    fall is one only where the sudden falls together give back clearly less than the series rose, and its lows rise:
    saw-teeth give back all.

    Parameters
    ----------
    levels : array of float, shape (m, p), p >= 4
        Bytes without NaN, one series a row.
    thresholds : JumpThresholds, optional
        The numbers to judge by.

    Returns
    -------
    array of float, shape (m, p - 1)
        Bytes beyond the usual step; a jump that took two steps stands at both.
    """
    steps = np.diff(levels, axis=1)
    usual = row_medians(steps)
    beyond = steps - usual[:, None]
    sigma = MAD_TO_SIGMA * row_medians(np.abs(beyond), overwrite=True)
    least = np.maximum(thresholds.min_sigmas * sigma, thresholds.min_range_share * np.ptp(levels, axis=1))[:, None]
    jumps = _pick_sudden(np.where(_reach(beyond, least, thresholds), beyond, 0.0), thresholds)
    falls = np.where(_reach(-beyond, least, thresholds) & (steps < 0), beyond, 0.0)
    jumps += np.where(_are_releases(levels, falls, jumps, thresholds)[:, None], falls, 0.0)
    return jumps


def _reach(beyond: FloatArray, least: FloatArray, thresholds: JumpThresholds) -> NDArray[np.bool_]:
    """Return which steps are beyond the least jump, alone or with the next where a jump took both."""
    both = np.pad(beyond[:, :-1] + beyond[:, 1:], ((0, 0), (1, 1)), constant_values=-np.inf)
    halves = (np.maximum(both[:, :-1], both[:, 1:]) > least) & (beyond > thresholds.min_half_share * least)
    reach: NDArray[np.bool_] = (beyond > least) | halves
    return reach


def _pick_sudden(rises: FloatArray, thresholds: JumpThresholds) -> FloatArray:
    """Return the rises that take few steps, of the rows that have few."""
    beside = np.pad(rises, ((0, 0), (1, 1)))
    rises = np.where(rises >= thresholds.min_half_share * np.maximum(beside[:, :-2], beside[:, 2:]), rises, 0.0)
    is_rise, length = rises > 0, rises.shape[1]
    padded = np.pad(is_rise, ((0, 0), (thresholds.max_steps, thresholds.max_steps)))
    in_a_longer_run = np.zeros_like(is_rise)
    for first in range(thresholds.max_steps + 1):
        longer = np.ones_like(is_rise)
        for step in range(thresholds.max_steps + 1):
            longer &= padded[:, first + step : first + step + length]
        in_a_longer_run |= longer
    sudden = np.where(in_a_longer_run, 0.0, rises)
    begins = (sudden > 0) & ~np.pad(sudden > 0, ((0, 0), (1, 0)))[:, :-1]
    return np.where((begins.sum(axis=1) <= thresholds.max_jumps)[:, None], sudden, 0.0)


def _are_releases(
    levels: FloatArray, falls: FloatArray, jumps: FloatArray, thresholds: JumpThresholds
) -> NDArray[np.bool_]:
    """Return whether the sudden falls of a row give back a part of its rise only, and its lows rise."""
    levels = levels.copy()
    levels[:, 1:] -= np.cumsum(jumps, axis=1)  # what jumped up may fall again: that is no release of what grew
    released = -falls.sum(axis=1)
    risen = levels[:, -1] - levels[:, 0] + released
    partial: NDArray[np.bool_] = (released > 0) & (released <= thresholds.max_released_share * risen)
    for row in np.flatnonzero(partial):
        net = risen[row] - released[row]
        partial[row] = _lows_rise_by_part(levels[row], thresholds) or _lows_rise_by_fall(
            levels[row], falls[row], net, thresholds
        )
    return partial


def _lows_rise_by_part(levels: FloatArray, thresholds: JumpThresholds) -> bool:
    """Return whether the low of each quarter lies well above that of the one before."""
    edges = np.linspace(0, levels.size, thresholds.parts_with_lows + 1).round().astype(int)
    rises = np.diff([levels[first:last].min() for first, last in pairwise(edges)])
    return bool(rises.min() > thresholds.min_low_rise * max(0.0, rises.mean()))


def _lows_rise_by_fall(levels: FloatArray, falls: FloatArray, net: float, thresholds: JumpThresholds) -> bool:
    """Return whether the levels that the falls end at rise along a line, by a good part of what the row rises."""
    ends = 1 + np.flatnonzero((falls < 0) & ~np.append(falls[1:] < 0, False))
    if ends.size < thresholds.min_falls_with_lows:
        return False
    place, lows = ends / (levels.size - 1) - np.mean(ends) / (levels.size - 1), levels[ends] - levels[ends].mean()
    together, own = float(place @ lows), float(place @ place)
    slope, explained = together / own, together**2 / (own * float(lows @ lows) + 1e-9)
    return slope >= thresholds.min_mean_low_rise * net and explained >= thresholds.min_explained_of_lows
