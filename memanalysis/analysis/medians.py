"""Medians of many rows at once, a few times faster than ``numpy.median``, which selects two places of each."""

from memanalysis.analysis.arrays import FloatArray

__all__ = ["row_medians"]


def row_medians(values: FloatArray, *, overwrite: bool = False) -> FloatArray:
    """Median of each row.

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
    middle = points // 2
    ordered = values if overwrite else values.copy()
    ordered.partition(middle, axis=1)
    upper = ordered[:, middle]
    if points % 2:
        return upper.copy()
    medians: FloatArray = (ordered[:, :middle].max(axis=1) + upper) / 2
    return medians
