"""When growing series reach their limits, with an interval: fitted lines extended to the limit."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.series.prepare import SeriesBatch
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, Thresholds
from memanalysis.analysis.trend.trend_shape import TrendFits

__all__ = ["Exhaustion", "forecast_exhaustion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhaustion:
    """Seconds from the last sample to the limit, with a 90 % interval; arrays of shape (m,), infinite: never."""

    time_s: FloatArray
    low_s: FloatArray
    high_s: FloatArray


def forecast_exhaustion(
    fits: TrendFits,
    batch: SeriesBatch,
    *,
    limits: FloatArray,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> Exhaustion:
    """Extend the fitted lines to the limits.

    Parameters
    ----------
    fits : TrendFits
        Lines with the intervals of their slopes.
    batch : SeriesBatch
        The series that they were fitted to.
    limits : array of float, shape (m,)
        Budgets, container limits or memory of the machine in bytes. NaN where there is no limit: the result is NaN too.
        No time is left to a series whose last sample is at its limit.
    thresholds : Thresholds, optional
        The numbers to forecast by; its groups ``forecast`` and ``growth``.

    Notes
    -----
    The errors of a line's mean and of its slope are independent. So the lines that bound the interval cross in the
    middle of the judged stretch. The early end also allows for noise that touches the limit before the line does. If
    memory was released after the judged stretch, the line lies too high by that amount, and the limit is raised by it.
    """
    last_s, is_there = batch.judged_until_s, batch.latest >= limits
    limits = limits + batch.released
    rule, normal = thresholds.forecast, NormalDist()
    quantile = normal.inv_cdf(0.5 + rule.confidence / 2)
    narrowed = quantile / normal.inv_cdf(0.5 + thresholds.growth.confidence / 2)  # the 95 % interval made one of 90 %
    middle_s = last_s - fits.judged_s / 2
    to_rise = limits - (fits.intercept + fits.slope * middle_s)
    blur = quantile * fits.noise / np.sqrt(np.maximum(1.0, fits.n_effective))

    def seconds_left(rise: FloatArray, slope: FloatArray) -> FloatArray:
        return _seconds(rise, slope, middle_s, last_s, is_there=is_there)

    return Exhaustion(
        time_s=seconds_left(to_rise - fits.noise, fits.slope),
        low_s=seconds_left(
            to_rise - rule.lead_sigmas * fits.noise - blur,
            fits.slope + (fits.high - fits.slope) * narrowed,
        ),
        high_s=seconds_left(to_rise + blur, fits.slope - (fits.slope - fits.low) * narrowed),
    )


def _seconds(
    rise: FloatArray, slope: FloatArray, middle_s: FloatArray, last_s: FloatArray, *, is_there: NDArray[np.bool_]
) -> FloatArray:
    rising = slope > 0
    left = np.where(rising, middle_s + rise / np.where(rising, slope, 1.0) - last_s, np.inf)
    left = np.where(is_there, 0.0, np.maximum(left, 0.0))
    return np.where(np.isnan(rise) | np.isnan(slope), np.nan, left)
