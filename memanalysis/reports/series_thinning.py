"""Thin a series to what a chart can show: no peak is lost, and no report grows with its run.

Loads no drawing library: the JSON and Markdown reports thin their series, too.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["thin_series"]

FloatArray = NDArray[np.float64]

PIXEL_COLUMNS = 480
"""A drawn series keeps the least and the most of each of this many columns: more could not be seen."""


def thin_series(
    elapsed_s: FloatArray, values: FloatArray, *, columns: int = PIXEL_COLUMNS
) -> tuple[FloatArray, FloatArray]:
    """Keep the least and the most of each column of a chart.

    Returns
    -------
    tuple of arrays, shape (m,), m <= 2 * columns
        In the order of time.
    """
    if elapsed_s.size <= 2 * columns:
        return elapsed_s, values
    span = elapsed_s[-1] - elapsed_s[0]
    column = np.minimum((elapsed_s - elapsed_s[0]) / span * columns, columns - 1).astype(int)
    starts = np.flatnonzero(np.append(True, np.diff(column) > 0))
    ends = np.append(starts[1:], elapsed_s.size)
    keep: set[int] = set()
    for start, end in zip(starts, ends, strict=True):
        piece = values[start:end]
        keep |= {int(start + piece.argmin()), int(start + piece.argmax())}
    chosen = np.array(sorted(keep))
    return elapsed_s[chosen], values[chosen]
