"""When a growing series reaches its limit, with an interval."""

from dataclasses import dataclass

from scipy.stats import norm

from memanalysis.analysis.growth import GrowthFit

__all__ = ["Exhaustion", "forecast_exhaustion"]

SLOPE_CONFIDENCE = 0.95
FORECAST_CONFIDENCE = 0.90

NARROWED = float(norm.ppf(0.5 + FORECAST_CONFIDENCE / 2) / norm.ppf(0.5 + SLOPE_CONFIDENCE / 2))
"""The slope's 95 % interval narrowed to 90 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhaustion:
    """Seconds from the last sample to the limit, with a 90 % interval; infinite: not at this growth."""

    time_s: float
    low_s: float
    high_s: float


def forecast_exhaustion(fit: GrowthFit, *, latest_bytes: float, limit_bytes: float) -> Exhaustion:
    """Extend the fitted line to the limit.

    Parameters
    ----------
    latest_bytes : float
        Level at the last sample; 0 seconds are left once it is at the limit.
    limit_bytes : float
        Budget, container limit or memory of the machine.
    """
    headroom = max(0.0, limit_bytes - latest_bytes)
    below = (fit.slope_bytes_per_s - fit.low_bytes_per_s) * NARROWED
    above = (fit.high_bytes_per_s - fit.slope_bytes_per_s) * NARROWED
    return Exhaustion(
        time_s=_seconds(headroom, fit.slope_bytes_per_s),
        low_s=_seconds(headroom, fit.slope_bytes_per_s + above),
        high_s=_seconds(headroom, fit.slope_bytes_per_s - below),
    )


def _seconds(headroom_bytes: float, slope_bytes_per_s: float) -> float:
    if headroom_bytes == 0:
        return 0.0
    return headroom_bytes / slope_bytes_per_s if slope_bytes_per_s > 0 else float("inf")
