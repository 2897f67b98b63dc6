"""Where the level of a series changed: a few jumps between flat stretches."""

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.row_statistics import row_medians

__all__ = ["are_stepped", "find_level_changes"]

MOST_CHANGES = 3
"""More jumps than this are no longer a few steps."""

LEAST_PIECE = 3
"""A flat stretch has at least this many points, so that a spike is none."""

LEAST_GAIN = 0.02
"""A cut counts when it removes at least this share of the whole variance."""

EXPLAINED_SHARE = 0.85
"""A stepped series leaves at most the rest of its variance within its flat stretches."""


def find_level_changes(levels: FloatArray) -> IntArray:
    """Points at which a new level begins, by binary segmentation on least squares.

    Parameters
    ----------
    levels : array of float, shape (m, p)
        Bytes without NaN, one series a row.

    Returns
    -------
    array of int, shape (m, 3)
        In the order of time; ``p`` where there are fewer than three.

    Notes
    -----
    Scott and Knott (1974), Biometrics 30, 507-512: each round makes the cut that removes the most variance.
    """
    rows, points = levels.shape
    centred = levels - levels.mean(axis=1, keepdims=True)
    whole = np.sum(centred**2, axis=1)
    sums = np.concatenate([np.zeros((rows, 1)), np.cumsum(centred, axis=1)], axis=1)
    edges = np.full((rows, MOST_CHANGES + 2), points, dtype=np.int64)
    edges[:, 0] = 0
    for found in range(1, MOST_CHANGES + 1):
        gain, cut = _best_cuts(sums, edges)
        helps = (gain > LEAST_GAIN * whole) & (whole > 0)
        edges[helps, found] = cut[helps]
        edges.sort(axis=1)
    return edges[:, 1:-1]


def are_stepped(levels: FloatArray) -> NDArray[np.bool_]:
    """Whether at most three sudden jumps explain nearly all of the movement of each row."""
    points = levels.shape[1]
    changes = find_level_changes(levels)
    piece = np.sum(np.arange(points)[None, :, None] >= changes[:, None, :], axis=2)
    means, left_over = np.zeros((levels.shape[0], MOST_CHANGES + 1)), np.zeros(levels.shape[0])
    for place in range(MOST_CHANGES + 1):
        inside = piece == place
        count = np.maximum(1, inside.sum(axis=1))
        mean = np.sum(np.where(inside, levels, 0.0), axis=1) / count
        left_over += np.sum(np.where(inside, levels - mean[:, None], 0.0) ** 2, axis=1)
        means[:, place] = mean
    whole = np.sum((levels - levels.mean(axis=1, keepdims=True)) ** 2, axis=1)
    explained = left_over <= (1 - EXPLAINED_SHARE) * whole
    stepped: NDArray[np.bool_] = (changes[:, 0] < points) & explained & _are_sudden(levels, changes, means)
    return stepped


def _are_sudden(levels: FloatArray, changes: IntArray, means: FloatArray) -> NDArray[np.bool_]:
    """Whether each level changes within a few points, as a step does, and not little by little, as a ramp does."""
    rows, points = levels.shape
    sudden = np.ones(rows, dtype=bool)
    for place in range(MOST_CHANGES):
        change = changes[:, place]
        there = change < points
        before = np.clip(change[:, None] - 1 - np.arange(LEAST_PIECE), 0, points - 1)
        after = np.clip(change[:, None] + np.arange(LEAST_PIECE), 0, points - 1)
        near = row_medians(np.take_along_axis(levels, after, axis=1)) - row_medians(
            np.take_along_axis(levels, before, axis=1)
        )
        full = means[:, place + 1] - means[:, place]
        sudden &= ~there | (np.abs(near) >= np.abs(full) / 2)
    return sudden


def _best_cuts(sums: FloatArray, edges: IntArray) -> tuple[FloatArray, IntArray]:
    """Most variance that one more cut removes from each row, and where; ``sums`` are running sums from 0 on."""
    rows, points = sums.shape[0], sums.shape[1] - 1
    cuts = np.arange(points)
    after = np.sum(edges[:, None, :] <= cuts[None, :, None], axis=2)
    first = np.take_along_axis(edges, after - 1, axis=1)
    last = np.take_along_axis(edges, np.minimum(after, edges.shape[1] - 1), axis=1)
    left, length = cuts - first, np.maximum(1, last - first)
    start = np.take_along_axis(sums, first, axis=1)
    mean = (np.take_along_axis(sums, last, axis=1) - start) / length
    imbalance = sums[:, :-1] - start - left * mean
    right = length - left
    allowed = (left >= LEAST_PIECE) & (right >= LEAST_PIECE)
    gains = np.where(allowed, imbalance**2 * (1 / np.maximum(left, 1) + 1 / np.maximum(right, 1)), 0.0)
    best = np.argmax(gains, axis=1)
    return gains[np.arange(rows), best], best
