"""How bad a leak is: its growth against the policy's thresholds, and the time that is left."""

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, SeverityThresholds

__all__ = ["SECONDS_A_DAY", "classify_severities"]

SECONDS_A_DAY = 86400


def classify_severities(
    *,
    is_leak: NDArray[np.bool_],
    growth_bytes: FloatArray,
    growth_percent: FloatArray,
    time_left_s: FloatArray,
    rules: SeverityRules,
    thresholds: SeverityThresholds = DEFAULT_THRESHOLDS.severity,
) -> IntArray:
    """Return the severity of leaks: the worse of size and urgency; 0 where no leak was shown.

    Parameters
    ----------
    is_leak, growth_bytes, growth_percent, time_left_s : arrays, shape (m,)
        NaN where unknown, which makes nothing urgent.
    rules : SeverityRules
        The policy's thresholds of growth.
    thresholds : SeverityThresholds, optional
        Multiples of them, and times to the limit, at which a severity begins.

    Returns
    -------
    array of int, shape (m,)
        Places in ``verdict.SEVERITIES``; 1, low, is a leak below the policy's thresholds with more than a week left.
    """
    factor = thresholds.sensitivity_factor(rules.sensitivity)
    excess = np.fmax(growth_bytes / rules.growth_bytes, growth_percent / rules.growth_percent) / factor
    by_size = np.sum(excess[:, None] >= np.array(thresholds.excess_steps), axis=1)
    by_urgency = np.sum(time_left_s[:, None] <= SECONDS_A_DAY * np.array(thresholds.days_left_steps), axis=1)
    return np.where(is_leak, 1 + np.maximum(by_size, by_urgency), 0)
