"""How often a series turns between large rises and large falls."""

import numpy as np

from memanalysis.analysis.arrays import FloatArray, IntArray

__all__ = ["count_swings"]


def count_swings(levels: FloatArray, swing: FloatArray) -> IntArray:
    """Count the turns between rises and falls of at least ``swing`` bytes in each row.

    Parameters
    ----------
    levels : array of float, shape (m, p)
        Bytes without NaN, one series a row.
    swing : array of float, shape (m,)
        Smallest size of a rise or fall, above zero.
    """
    rows = levels.shape[0]
    low, high = levels[:, 0].copy(), levels[:, 0].copy()
    direction, turns = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64)
    for value in levels.T:
        low, high = np.minimum(low, value), np.maximum(high, value)
        rises = (direction <= 0) & (value - low >= swing)
        falls = (direction >= 0) & (high - value >= swing) & ~rises
        turns += (rises & (direction < 0)) | (falls & (direction > 0))
        direction = np.where(rises, 1, np.where(falls, -1, direction))
        low = np.where(falls | (direction > 0), value, low)
        high = np.where(rises | (direction < 0), value, high)
    return turns
