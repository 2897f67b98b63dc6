"""The detectors that people write, and published ones, to be scored beside ours. Each may be named as a detector."""

from importlib.util import find_spec

import numpy as np
import pymannkendall
from numpy.typing import NDArray
from scipy import stats

from benchmarks.detection.detector import Detector
from memanalysis.analysis.arrays import FloatArray

__all__ = ["PEERS"]

MIN_GROWTH_SHARE = 0.05
"""Growth of less than this share of the level is none to rules without a least growth of their own."""

MAX_PAIRED = 400
"""Theil-Sen and Mann-Kendall take the square of the points: longer series are thinned evenly to as many."""


def grew_by_a_fifth(_times: FloatArray, values: FloatArray) -> bool:
    """The last value lies more than 20 % above the first."""
    return bool(values[-1] > 1.2 * values[0])


def line_fits_well(times: FloatArray, values: FloatArray) -> bool:
    """A least-squares line rises and explains more than 80 % of the variance."""
    if np.ptp(values) == 0:
        return False
    fit = stats.linregress(times, values)
    return bool(fit.slope > 0 and fit.rvalue**2 > 0.8)


def mann_kendall(_times: FloatArray, values: FloatArray) -> bool:
    """The Mann-Kendall test finds a rising trend at p < 0.01."""
    if np.ptp(values) == 0:
        return False
    result = pymannkendall.original_test(values[_thin(values.size)], alpha=0.01)
    return bool(result.trend == "increasing" and result.p < 0.01)


def backward_regression(times: FloatArray, values: FloatArray) -> bool:
    """Linear backward regression: some window that ends now rises along a line with r2 of 0.8 or more.

    Notes
    -----
    Jain et al. (2021), arXiv 2101.09799, the method that Precog is compared with: windows grow backwards from the last
    sample; a leak is one whose line would reach the top (here: rises by a tenth of the level) within the record.
    """
    for share in (0.25, 0.5, 0.75, 1.0):
        part = slice(int(values.size * (1 - share)), None)
        if values[part].size < 5 or np.ptp(values[part]) == 0:
            continue
        fit = stats.linregress(times[part], values[part])
        rise = fit.slope * (times[-1] - times[0])
        if fit.slope > 0 and fit.rvalue**2 >= 0.8 and rise > 0.1 * values[part].mean():
            return True
    return False


def theil_sen(times: FloatArray, values: FloatArray) -> bool:
    """The 95 % interval of the Theil-Sen slope lies above zero, and the growth is a twentieth of the level."""
    kept = _thin(values.size)
    fit = stats.theilslopes(values[kept], times[kept])
    growth = fit.slope * (times[-1] - times[0])
    return bool(fit.low_slope > 0 and growth > MIN_GROWTH_SHARE * np.median(values))


def rising_levels(_times: FloatArray, values: FloatArray) -> bool:
    """Change points by PELT show three rising levels or more, a twentieth of the level in all.

    Notes
    -----
    Killick et al. (2012), J. Am. Stat. Assoc. 107, 1590-1598, by ruptures; penalty 3 log n of the robust variance of
    steps.
    """
    import ruptures  # type: ignore[import-not-found]  # an optional peer

    values = values[_thin(values.size)]
    steps = np.diff(values)
    variance = max(1.0, (1.4826 * np.median(np.abs(steps - np.median(steps)))) ** 2 / 2)
    ends = (
        ruptures.Pelt(model="l2", min_size=3, jump=2).fit(values[:, None]).predict(3 * variance * np.log(values.size))
    )
    levels = np.array([part.mean() for part in np.split(values, ends[:-1])])
    rises = levels.size > 2 and bool((np.diff(levels) > 0).all())
    return rises and bool(levels[-1] - levels[0] > MIN_GROWTH_SHARE * np.median(values))


def _thin(size: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, size - 1, min(size, MAX_PAIRED)).round().astype(np.int64))


PEERS: dict[str, Detector] = {
    "first against last > 20 %": grew_by_a_fifth,
    "least squares, r2 > 0.8": line_fits_well,
    "Mann-Kendall, p < 0.01": mann_kendall,
    "linear backward regression": backward_regression,
    "Theil-Sen interval, growth > 5 %": theil_sen,
    **({"ruptures, rising levels": rising_levels} if find_spec("ruptures") else {}),
}
