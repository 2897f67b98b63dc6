"""Where the level of a series changed: a few jumps between flat stretches."""

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.row_statistics import row_medians
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, LevelChangeThresholds

__all__ = ["are_stepped", "find_level_changes"]

_DEFAULT = DEFAULT_THRESHOLDS.level_change


def find_level_changes(levels: FloatArray, *, thresholds: LevelChangeThresholds = _DEFAULT) -> IntArray:
    """Return the points at which a new level begins, by binary segmentation on least squares.

    Parameters
    ----------
    levels : array of float, shape (m, p)
        Bytes without NaN, one series a row.
    thresholds : LevelChangeThresholds, optional
        The numbers to judge by.

    Returns
    -------
    array of int, shape (m, max_changes)
        In the order of time; ``p`` where there are fewer.

    Notes
    -----
    Scott and Knott (1974), Biometrics 30, 507-512: each round makes the cut that removes the most variance.
    """
    rows, points = levels.shape
    centred = levels - levels.mean(axis=1, keepdims=True)
    whole = np.sum(centred**2, axis=1)
    sums = np.concatenate([np.zeros((rows, 1)), np.cumsum(centred, axis=1)], axis=1)
    changes = np.full((rows, thresholds.max_changes), points, dtype=np.int64)
    left = np.flatnonzero(whole > 0)
    first, last = np.zeros((left.size, 1), dtype=np.int64), np.full((left.size, 1), points)
    for found in range(thresholds.max_changes):
        gain, cut = _best_cuts(sums[left], first, last, thresholds.min_piece)
        helps = gain > thresholds.min_gain * whole[left]
        left, cut, first, last = left[helps], cut[helps, None], first[helps], last[helps]  # the others have all theirs
        changes[left, found] = cut[:, 0]
        is_after = np.arange(points) >= cut
        first, last = np.where(is_after, np.maximum(first, cut), first), np.where(is_after, last, np.minimum(last, cut))
    changes.sort(axis=1)
    return changes


def are_stepped(levels: FloatArray, *, thresholds: LevelChangeThresholds = _DEFAULT) -> NDArray[np.bool_]:
    """Return whether a few sudden jumps explain nearly all of the movement of each row."""
    points = levels.shape[1]
    changes = find_level_changes(levels, thresholds=thresholds)
    piece = np.zeros(levels.shape, dtype=np.int64)
    for change in changes.T:
        piece += np.arange(points) >= change[:, None]
    means, left_over = np.zeros((levels.shape[0], thresholds.max_changes + 1)), np.zeros(levels.shape[0])
    for place in range(thresholds.max_changes + 1):
        rows = np.flatnonzero(piece[:, -1] >= place)
        inside, own = piece[rows] == place, levels[rows]
        mean = np.sum(np.where(inside, own, 0.0), axis=1) / inside.sum(axis=1)
        left_over[rows] += np.sum(np.where(inside, own - mean[:, None], 0.0) ** 2, axis=1)
        means[rows, place] = mean
    whole = np.sum((levels - levels.mean(axis=1, keepdims=True)) ** 2, axis=1)
    explained = left_over <= (1 - thresholds.explained_share) * whole
    are_sudden = _are_sudden(levels, changes, means, thresholds)
    stepped: NDArray[np.bool_] = (changes[:, 0] < points) & explained & are_sudden
    return stepped


def _are_sudden(
    levels: FloatArray, changes: IntArray, means: FloatArray, thresholds: LevelChangeThresholds
) -> NDArray[np.bool_]:
    """Return whether each level changes within a few points, as a step does, and not slowly, as a ramp does."""
    rows, points = levels.shape
    sudden = np.ones(rows, dtype=bool)
    for place in range(changes.shape[1]):
        change = changes[:, place]
        there = change < points
        before = np.clip(change[:, None] - 1 - np.arange(thresholds.min_piece), 0, points - 1)
        after = np.clip(change[:, None] + np.arange(thresholds.min_piece), 0, points - 1)
        near = row_medians(np.take_along_axis(levels, after, axis=1)) - row_medians(
            np.take_along_axis(levels, before, axis=1)
        )
        full = means[:, place + 1] - means[:, place]
        sudden &= ~there | (np.abs(near) >= thresholds.sudden_share * np.abs(full))
    return sudden


def _best_cuts(sums: FloatArray, first: IntArray, last: IntArray, min_piece: int) -> tuple[FloatArray, IntArray]:
    """Return the most variance that one more cut removes from each row, and where.

    ``sums`` are running sums, and ``first`` and ``last`` the bounds of the piece that each point lies in.
    """
    rows, points = sums.shape[0], sums.shape[1] - 1
    left, right = np.arange(points) - first, last - np.arange(points)
    start = np.take_along_axis(sums, first, axis=1)
    mean = (np.take_along_axis(sums, last, axis=1) - start) / (last - first)
    imbalance = sums[:, :-1] - start - left * mean
    allowed = (left >= min_piece) & (right >= min_piece)
    gains = np.where(allowed, imbalance**2 * (1 / np.maximum(left, 1) + 1 / right), 0.0)
    best = np.argmax(gains, axis=1)
    return gains[np.arange(rows), best], best
