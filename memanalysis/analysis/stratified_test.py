"""How likely does chance put that many leaks on one side, in several groups at once? The exact stratified test.

Each group (stratum) is a two by two table: runs with a value and without it, leaking and not. With both margins of each
table given, the leaks with the value are a sum of independent hypergeometric numbers, whose distribution is convolved.
Mehta, Patel and Gray (1985), J. Am. Stat. Assoc. 80, 969-973; with one group it is Fisher's test. One-sided.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Counts", "stratified_p_value", "stratified_z_scores"]

Counts = NDArray[np.int64]


def stratified_z_scores(
    sizes: Counts, leaks: Counts, with_value: Counts, leaks_with_value: Counts
) -> NDArray[np.float64]:
    """Return by how many standard deviations the leaks with each value exceed what chance gives (Mantel and Haenszel).

    Parameters
    ----------
    sizes, leaks : array of int, shape (strata, values) or (strata, 1)
        Runs, and leaking runs, of each stratum.
    with_value, leaks_with_value : array of int, shape (strata, values)
        Those that have the value.

    Notes
    -----
    Mantel and Haenszel (1959), J. Natl. Cancer Inst. 22, 719-748, without the correction for continuity.
    """
    size, leak = np.maximum(sizes, 1).astype(float), leaks.astype(float)
    expected = with_value * leak / size
    variance = expected * (size - leak) / size * (size - with_value) / np.maximum(size - 1, 1)
    total = variance.sum(axis=0)
    excess = (leaks_with_value - expected).sum(axis=0)
    scores: NDArray[np.float64] = np.divide(excess, np.sqrt(total), out=np.zeros_like(excess), where=total > 0)
    return scores


def stratified_p_value(sizes: Counts, leaks: Counts, with_value: Counts, leaks_with_value: int) -> float:
    """Return the chance of as many leaks with the value, or more, if the value did not matter.

    Parameters
    ----------
    sizes, leaks, with_value : array of int, shape (strata,)
        Runs, leaking runs and runs with the value, of each stratum.
    leaks_with_value : int
        Leaking runs that have it, over all strata.

    Examples
    --------
    Fisher's tea tasting: three of four cups with milk first are named right.

    >>> import numpy as np
    >>> one = lambda number: np.array([number])
    >>> round(stratified_p_value(one(8), one(4), one(4), 3), 4)
    0.2429
    """
    tables, counts = np.unique(np.stack([sizes, leaks, with_value]), axis=1, return_counts=True)
    distribution, least = np.ones(1), 0
    for (size, leak, own), count in zip(tables.T.tolist(), counts.tolist(), strict=True):
        part = _hypergeometric(size, leak, own)
        for _ in range(count):
            distribution = np.convolve(distribution, part)
        least += count * max(0, leak + own - size)
    return float(min(1.0, distribution[max(0, leaks_with_value - least) :].sum()))


def _hypergeometric(size: int, leaks: int, with_value: int) -> NDArray[np.float64]:
    """Return the chance of each number of leaks with the value, from the least that is possible on."""
    least, most = max(0, leaks + with_value - size), min(leaks, with_value)
    number = np.arange(least, most + 1)
    log = _log_choose(leaks, number) + _log_choose(size - leaks, with_value - number)
    chances: NDArray[np.float64] = np.exp(log - _log_choose(size, np.array([with_value])))
    shares: NDArray[np.float64] = chances / chances.sum()
    return shares


def _log_choose(total: int, chosen: Counts) -> NDArray[np.float64]:
    table = _log_factorials(total)
    return np.asarray(table[total] - table[chosen] - table[total - chosen])


def _log_factorials(largest: int) -> NDArray[np.float64]:
    logs: NDArray[np.float64] = np.log(np.arange(1, largest + 1, dtype=float))
    sums: NDArray[np.float64] = np.append(np.zeros(1), np.cumsum(logs))
    return sums
