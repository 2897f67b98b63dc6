"""When growing series reach their limits, with an interval."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from memanalysis.analysis.growth import CONFIDENCE
from memanalysis.analysis.series import FloatArray
from memanalysis.analysis.shape import Findings

__all__ = ["Exhaustion", "forecast_exhaustion"]

FORECAST_CONFIDENCE = 0.90

NARROWED = float(norm.ppf(0.5 + FORECAST_CONFIDENCE / 2) / norm.ppf(0.5 + CONFIDENCE / 2))
"""The slope's 95 % interval narrowed to 90 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhaustion:
    """Seconds from the last sample to the limit, with a 90 % interval; arrays of shape (m,), infinite: never."""

    time_s: FloatArray
    low_s: FloatArray
    high_s: FloatArray


def forecast_exhaustion(findings: Findings, *, latest: FloatArray, limits: FloatArray) -> Exhaustion:
    """Extend the fitted lines to the limits.

    Parameters
    ----------
    findings : Findings
        Slopes with their intervals.
    latest : array of float, shape (m,)
        Levels in bytes at the last sample; 0 seconds are left once one is at its limit.
    limits : array of float, shape (m,)
        Budgets, container limits or memory of the machine in bytes; NaN where there is none, and then the answer is.
    """
    headroom = np.maximum(0.0, limits - latest)
    return Exhaustion(
        time_s=_seconds(headroom, findings.slope),
        low_s=_seconds(headroom, findings.slope + (findings.high - findings.slope) * NARROWED),
        high_s=_seconds(headroom, findings.slope - (findings.slope - findings.low) * NARROWED),
    )


def _seconds(headroom: FloatArray, slopes: FloatArray) -> FloatArray:
    rising = slopes > 0
    seconds = np.where(rising, headroom / np.where(rising, slopes, 1.0), np.inf)
    return np.where(np.isnan(headroom) | np.isnan(slopes), np.nan, np.where(headroom == 0, 0.0, seconds))
