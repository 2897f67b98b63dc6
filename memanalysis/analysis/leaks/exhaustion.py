"""When growing series reach their limits, with an interval."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.trend.growth import CONFIDENCE
from memanalysis.analysis.trend.trend_shape import Findings

__all__ = ["Exhaustion", "forecast_exhaustion"]

FORECAST_CONFIDENCE = 0.90

NORMAL_QUANTILE = NormalDist().inv_cdf(0.5 + FORECAST_CONFIDENCE / 2)

NARROWED = NORMAL_QUANTILE / NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
"""The slope's 95 % interval narrowed to 90 %."""


LEAD_SIGMAS = 2.0
"""Noise reaches a limit before the line does: by up to this many standard deviations of it, in 19 of 20 series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhaustion:
    """Seconds from the last sample to the limit, with a 90 % interval; arrays of shape (m,), infinite: never."""

    time_s: FloatArray
    low_s: FloatArray
    high_s: FloatArray


def forecast_exhaustion(
    findings: Findings, *, last_s: FloatArray, latest: FloatArray, limits: FloatArray
) -> Exhaustion:
    """Extend the fitted lines to the limits.

    Parameters
    ----------
    findings : Findings
        Lines with the intervals of their slopes.
    last_s, latest : arrays of float, shape (m,)
        Second and level of the last sample; 0 seconds are left once it is at its limit.
    limits : array of float, shape (m,)
        Budgets, container limits or memory of the machine in bytes; NaN where there is none, and then the answer is.

    Notes
    -----
    The mean of a line and its slope err independently, so the lines of the interval turn about the middle of the judged
    stretch. The early end also allows for noise that touches the limit before the line does.
    """
    middle_s = last_s - findings.judged_s / 2
    to_rise = limits - (findings.intercept + findings.slope * middle_s)
    blur = NORMAL_QUANTILE * findings.noise / np.sqrt(np.maximum(1.0, findings.n_effective))

    def seconds_left(rise: FloatArray, slope: FloatArray) -> FloatArray:
        return _seconds(rise, slope, middle_s, last_s, is_there=latest >= limits)

    return Exhaustion(
        time_s=seconds_left(to_rise - findings.noise, findings.slope),
        low_s=seconds_left(
            to_rise - LEAD_SIGMAS * findings.noise - blur,
            findings.slope + (findings.high - findings.slope) * NARROWED,
        ),
        high_s=seconds_left(to_rise + blur, findings.slope - (findings.slope - findings.low) * NARROWED),
    )


def _seconds(
    rise: FloatArray, slope: FloatArray, middle_s: FloatArray, last_s: FloatArray, *, is_there: NDArray[np.bool_]
) -> FloatArray:
    rising = slope > 0
    left = np.where(rising, middle_s + rise / np.where(rising, slope, 1.0) - last_s, np.inf)
    left = np.where(is_there, 0.0, np.maximum(left, 0.0))
    return np.where(np.isnan(rise) | np.isnan(slope), np.nan, left)
