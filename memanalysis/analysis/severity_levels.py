"""How bad a leak is: its growth against the policy's thresholds, and the time that is left."""

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.severity_rules import SENSITIVITY_FACTORS, SeverityRules

__all__ = ["classify_severities"]

EXCESS_STEPS = np.array([1.0, 2.0, 5.0])
"""Growth in multiples of the threshold from which a leak is medium, high, critical."""

SECONDS_LEFT_STEPS = 3600 * np.array([7 * 24.0, 24.0, 1.0])
"""Seconds to exhaustion from which downwards a leak is medium, high, critical."""


def classify_severities(
    *,
    is_leak: NDArray[np.bool_],
    growth_bytes: FloatArray,
    growth_percent: FloatArray,
    time_left_s: FloatArray,
    rules: SeverityRules,
) -> IntArray:
    """Grade leaks: the worse of size and urgency; 0 where no leak was shown.

    Parameters
    ----------
    is_leak, growth_bytes, growth_percent, time_left_s : arrays, shape (m,)
        NaN where unknown: it urges nothing.

    Returns
    -------
    array of int, shape (m,)
        Places in ``verdict.SEVERITIES``; 1, low, is a leak below the policy's thresholds with more than a week left.
    """
    factor = SENSITIVITY_FACTORS[rules.sensitivity]
    excess = np.fmax(growth_bytes / rules.growth_bytes, growth_percent / rules.growth_percent) / factor
    by_size = np.sum(excess[:, None] >= EXCESS_STEPS, axis=1)
    by_urgency = np.sum(time_left_s[:, None] <= SECONDS_LEFT_STEPS, axis=1)
    return np.where(is_leak, 1 + np.maximum(by_size, by_urgency), 0)
