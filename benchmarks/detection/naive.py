"""The detectors that people write, and published ones, to be scored beside ours."""

from collections.abc import Callable

import numpy as np
import pymannkendall
from scipy import stats

from memanalysis.analysis.arrays import FloatArray

__all__ = ["NAIVE"]

Detector = Callable[[FloatArray, FloatArray], bool]


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
    result = pymannkendall.original_test(values, alpha=0.01)
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


NAIVE: dict[str, Detector] = {
    "first against last > 20 %": grew_by_a_fifth,
    "least squares, r2 > 0.8": line_fits_well,
    "Mann-Kendall, p < 0.01": mann_kendall,
    "linear backward regression": backward_regression,
}
