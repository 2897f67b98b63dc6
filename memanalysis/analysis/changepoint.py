"""Where the level of a series changed: a few jumps between flat stretches."""

from itertools import pairwise

import numpy as np

from memanalysis.analysis.series import FloatArray

__all__ = ["find_level_changes", "is_stepped"]

MOST_CHANGES = 3
"""More jumps than this are no longer a few steps."""

LEAST_PIECE = 3
"""A flat stretch has at least this many samples, so that a spike is none."""

EXPLAINED_SHARE = 0.85
"""A stepped series leaves at most the rest of its variance within its flat stretches."""


def find_level_changes(values: FloatArray, *, most: int = MOST_CHANGES) -> list[int]:
    """Indexes at which a new level begins, by binary segmentation on least squares, in the order of time.

    Notes
    -----
    Scott and Knott (1974), Biometrics 30, 507-512. Each round cuts the piece whose cut removes the most variance; it
    stops when a cut removes less than a fiftieth of the whole.
    """
    whole = float(np.sum((values - values.mean()) ** 2)) if values.size else 0.0
    edges = [0, values.size]
    while len(edges) - 2 < most and whole > 0:
        gain, cut = max(_best_cut(values, a, b) for a, b in pairwise(edges))
        if gain < whole / 50:
            break
        edges = sorted([*edges, cut])
    return edges[1:-1]


def is_stepped(values: FloatArray) -> bool:
    """Whether at most three jumps explain nearly all of the movement."""
    whole = float(np.sum((values - values.mean()) ** 2))
    changes = find_level_changes(values)
    if not changes or whole == 0:
        return False
    left_over = sum(float(np.sum((piece - piece.mean()) ** 2)) for piece in np.split(values, changes))
    return left_over <= (1 - EXPLAINED_SHARE) * whole and _jumps(values, changes)


def _jumps(values: FloatArray, changes: list[int]) -> bool:
    """Whether the level changes within a few samples, as a step does, and not little by little, as a ramp does."""
    for change in changes:
        before, after = values[max(0, change - LEAST_PIECE) : change], values[change : change + LEAST_PIECE]
        pieces = np.split(values, changes)
        place = changes.index(change)
        full = abs(float(np.median(pieces[place + 1]) - np.median(pieces[place])))
        if abs(float(np.median(after) - np.median(before))) < full / 2:
            return False
    return True


def _best_cut(values: FloatArray, start: int, stop: int) -> tuple[float, int]:
    """Most variance that one cut of ``values[start:stop]`` removes, and where."""
    n = stop - start
    if n < 2 * LEAST_PIECE:
        return 0.0, start
    piece = values[start:stop] - values[start:stop].mean()
    left = np.arange(LEAST_PIECE, n - LEAST_PIECE + 1)
    sums = np.cumsum(piece)[left - 1]
    gains = sums**2 * (1 / left + 1 / (n - left))
    best = int(np.argmax(gains))
    return float(gains[best]), start + int(left[best])
