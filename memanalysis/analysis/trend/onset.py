"""When growth began that was not there from the start: the bend of a line that is flat first and rises then."""

import numpy as np

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.row_statistics import share_row
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, OnsetThresholds

__all__ = ["find_onsets"]


def find_onsets(
    times: FloatArray, levels: FloatArray, *, thresholds: OnsetThresholds = DEFAULT_THRESHOLDS.onset
) -> FloatArray:
    """Return the second at which each row begins to rise, NaN where it is not flat before, or does not rise after.

    Parameters
    ----------
    times, levels : arrays of float, shape (m, p), p >= 4
        Strictly rising seconds, and bytes without NaN, one series a row.
    thresholds : OnsetThresholds, optional
        The numbers to judge by.

    Notes
    -----
    Least squares over a grid of bends: Hudson (1966), J. Am. Stat. Assoc. 61, 1097-1129.
    """
    share = share_row((times - times[:, :1]) / (times[:, -1:] - times[:, :1]))
    grid = np.linspace(thresholds.first_share, thresholds.last_bend, thresholds.onsets)
    centred = levels - levels.mean(axis=1, keepdims=True)
    power = np.sum(centred * centred, axis=1)
    explained, rise = np.empty((times.shape[0], grid.size)), np.empty((times.shape[0], grid.size))
    for place, onset in enumerate(grid):
        bend = np.maximum(0.0, share - onset)
        bend -= bend.mean(axis=1, keepdims=True)
        together = np.sum(bend * centred, axis=1)
        own = np.sum(bend * bend, axis=1)
        explained[:, place] = together**2 / own
        rise[:, place] = together / own * (1 - onset)
    best = np.argmax(np.where(rise > 0, explained, -1.0), axis=1)
    rows = np.arange(times.shape[0])
    onsets, rises = grid[best], rise[rows, best]
    fits = (rises > 0) & (explained[rows, best] >= thresholds.min_explained * power) & (power > 0)
    share = np.broadcast_to(share, levels.shape)
    fits[fits] &= _are_flat_before(share[fits], levels[fits], onsets[fits], rises[fits], thresholds)
    onsets_s: FloatArray = np.where(fits, times[:, 0] + onsets * (times[:, -1] - times[:, 0]), np.nan)
    return onsets_s


def _are_flat_before(
    share: FloatArray, levels: FloatArray, onsets: FloatArray, rises: FloatArray, thresholds: OnsetThresholds
) -> FloatArray:
    """Return whether each row hardly moves before its onset, beside what it rises after."""
    flat = np.zeros(onsets.size, dtype=bool)
    for i in range(onsets.size):
        before = share[i] <= onsets[i]
        x, y = share[i][before], levels[i][before]
        if x.size < 3:
            continue
        low, high = np.quantile(y, thresholds.range_quantiles)
        slope = np.polyfit(x, y, 1)[0]
        steepness = rises[i] / (1 - onsets[i])
        flat[i] = (
            slope <= thresholds.max_earlier_slope * steepness and high - low <= thresholds.max_earlier_range * rises[i]
        )
    return flat
