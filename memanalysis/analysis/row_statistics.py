"""Medians and products of many rows at once, faster than numpy computes them.

``numpy.median`` selects two places of each row and looks for NaN. Matrix products wake threads that spin, and so take
the processors from those that judge other rows.
"""

import numpy as np

from memanalysis.analysis.arrays import FloatArray

__all__ = ["MAD_TO_SIGMA", "row_medians", "row_products", "share_row"]

MAD_TO_SIGMA = 1.4826
"""Median absolute deviation of a normal sample times this is its standard deviation."""


def row_medians(values: FloatArray, *, overwrite: bool = False) -> FloatArray:
    """Return the median of each row.

    Parameters
    ----------
    values : array of float, shape (m, p), p >= 1
        Without NaN.
    overwrite : bool
        The rows may be left in another order.

    Returns
    -------
    array of float, shape (m,)
    """
    points = values.shape[1]
    if points == 3:  # what a long series is folded by: five times as fast as to select
        first, second, third = values.T
        middle_of_three: FloatArray = np.maximum(
            np.minimum(first, second), np.minimum(np.maximum(first, second), third)
        )
        return middle_of_three
    middle = points // 2
    ordered = values if overwrite else values.copy()
    ordered.partition(middle, axis=1)
    upper = ordered[:, middle]
    if points % 2:
        return upper.copy()
    medians: FloatArray = (ordered[:, :middle].max(axis=1) + upper) / 2
    return medians


def row_products(rows: FloatArray, curves: FloatArray) -> FloatArray:
    """Return the sum of the products of each row with each curve.

    Parameters
    ----------
    rows : array of float, shape (m, p)
    curves : array of float, shape (k, p)

    Returns
    -------
    array of float, shape (m, k)
    """
    products: FloatArray = np.einsum("mp,kp->mk", rows, curves)
    return products


def share_row(rows: FloatArray) -> FloatArray:
    """Return the first row alone where all are equal, as the times of a fleet are: what is computed once serves all."""
    return rows[:1] if len(rows) > 1 and (rows == rows[0]).all() else rows
