"""Which shape a series has: growing, plateauing, stepped, sawtooth, stable, shrinking, or not yet to be told.

A series is *growing* only when all of this holds after its first quarter, where programs warm up: the interval of the
slope lies above zero, the floor rose in every window, the growth is not slowing down, and it is large enough to matter.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.changepoint import is_stepped
from memanalysis.analysis.floors import Floors, find_floors
from memanalysis.analysis.growth import GrowthFit, fit_growth
from memanalysis.analysis.series import FloatArray, PreparedSeries
from memanalysis.analysis.slowing import fit_slowing
from memanalysis.analysis.verdict import Shape

__all__ = ["MIN_SAMPLES", "ShapeFinding", "classify_shape", "least_growth_bytes"]

MIN_SAMPLES = 5
"""Five samples that all rise happen by chance once in 120 orders; fewer prove nothing."""

WARM_UP_SHARE = 0.25
"""Programs fill caches and import modules at first: growth is judged on what comes after this share of the time."""

MIN_SAMPLES_TO_CUT_WARM_UP = 16
"""A shorter series is judged whole: what is left would be too little."""

PROOF_CONFIDENCE = 0.98
"""Confidence at which the slope must lie above zero before a leak is spoken of."""

WEAKEST_SHARE = 0.05
"""The floor must rise in each window, by at least this share of the fitted slope."""

LEAST_GROWTH_NOISE = 4.0
"""Growth must exceed this many standard deviations of the noise about its line: slow swings look like growth too."""

LEAST_GROWTH_BYTES = 32 * 1024
"""Eight pages: allocators move by as much with nothing kept."""

LEAST_GROWTH_SHARE = 0.001
"""Growth under this share of the level is not told from an allocator's drift."""

SLOWING_GAIN = 10.0
"""Difference of information criteria from which one model is very strongly preferred (Kass and Raftery 1995)."""

SLOWING_END_TO_MEAN = 0.75
"""A preferred curve that ends at less than this share of its mean slope is slowing down."""

SWING_SHARE = 0.4
"""A rise or fall of this share of the whole range is a swing; smaller ones are noise."""

STILL_SHARE = 0.1
"""A level that moves by less than this share of its earlier rise keeps still."""

SAWTOOTH_SHARE = 0.2
"""Swings over less than this share of the level are noise about a stable level, no saw-tooth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeFinding:
    """The shape of a series, and the measurements that led to it (None where there were too few samples)."""

    shape: Shape
    fit: GrowthFit | None
    floors: Floors | None
    judged_s: float
    """Seconds of the stretch that was judged, warm-up left out."""
    missing: str | None
    """What more is needed before anything can be said."""

    @property
    def growth_bytes(self) -> float | None:
        """Fitted growth over the judged stretch."""
        return None if self.fit is None else self.fit.slope_bytes_per_s * self.judged_s


def classify_shape(series: PreparedSeries) -> ShapeFinding:
    """Judge one prepared series."""
    times, values = series.elapsed_s, series.values
    if times.size < MIN_SAMPLES:
        more = MIN_SAMPLES - times.size
        return ShapeFinding(
            shape="inconclusive",
            fit=None,
            floors=None,
            judged_s=series.duration_s,
            missing=f"{more} more sample{'s' if more > 1 else ''}: {times.size} of at least {MIN_SAMPLES} are there",
        )
    judged = _after_warm_up(times)
    times, values = times[judged], values[judged]
    fit = fit_growth(times, values)
    floors = find_floors(times, values, fit)
    judged_s = float(times[-1] - times[0])
    shape = _name_shape(series, times, values, fit, floors)
    missing = None
    if shape == "inconclusive":
        missing = (
            f"a longer record: it grew on the whole, but not in each of {floors.values.size - 1} windows "
            f"of {judged_s / floors.values.size:.3g} s"
        )
    return ShapeFinding(shape=shape, fit=fit, floors=floors, judged_s=judged_s, missing=missing)


def least_growth_bytes(values: FloatArray) -> float:
    """Growth below which nothing is said, for a series at this level."""
    return max(LEAST_GROWTH_BYTES, LEAST_GROWTH_SHARE * float(np.median(values)))


def _after_warm_up(times: FloatArray) -> NDArray[np.bool_]:
    if times.size < MIN_SAMPLES_TO_CUT_WARM_UP:
        return np.ones(times.size, dtype=bool)
    judged = times >= times[0] + WARM_UP_SHARE * (times[-1] - times[0])
    return judged if judged.sum() >= MIN_SAMPLES else np.ones(times.size, dtype=bool)


def _name_shape(series: PreparedSeries, times: FloatArray, values: FloatArray, fit: GrowthFit, floors: Floors) -> Shape:
    least = least_growth_bytes(values)
    whole_range, level = float(np.ptp(series.values)), float(np.median(series.values))
    growth = fit.slope_bytes_per_s * float(times[-1] - times[0])
    is_proven = abs(fit.slope_bytes_per_s) > fit.half_width(PROOF_CONFIDENCE)
    matters = abs(growth) >= max(least, LEAST_GROWTH_NOISE * fit.noise_bytes)
    rises = is_proven and matters and growth > 0
    if whole_range < least:
        return "stable"
    if rises and floors.weakest_bytes_per_s > WEAKEST_SHARE * fit.slope_bytes_per_s:
        return "plateauing" if _is_slowing(times, values) else "growing"
    if whole_range >= SAWTOOTH_SHARE * level and _count_swings(series.values, SWING_SHARE * whole_range) >= 3:
        return "sawtooth"
    if is_stepped(series.values):
        return "stepped"
    if _fills_up(series, floors, least):
        return "plateauing"
    if is_proven and matters and growth < 0:
        return "shrinking"
    return "inconclusive" if rises else "stable"


def _is_slowing(times: FloatArray, values: FloatArray) -> bool:
    slowing = fit_slowing(times, values)
    return slowing.information_gain > SLOWING_GAIN and slowing.end_to_mean < SLOWING_END_TO_MEAN


def _fills_up(series: PreparedSeries, floors: Floors, least: float) -> bool:
    """Whether the level rose early, keeps still now against that rise, and the rise is slowing or over."""
    values = series.values
    first, last = values[: max(3, values.size // 20)], values[-max(3, values.size // 5) :]
    rise = float(np.median(last) - np.median(first))
    if rise < least or float(np.median(np.abs(last - np.median(last)))) > STILL_SHARE * rise:
        return False
    ending = max(2, floors.values.size // 4)
    ending_rise = float(floors.values[-1] - floors.values[-ending])
    ending_s = float(floors.elapsed_s[-1] - floors.elapsed_s[-ending])
    slower_than_mean = ending_rise * series.duration_s < SLOWING_END_TO_MEAN * rise * ending_s
    return ending_rise < rise / 20 or (slower_than_mean and _is_slowing(series.elapsed_s, values))


def _count_swings(values: FloatArray, swing: float) -> int:
    """Number of turns between rises and falls of at least ``swing`` bytes."""
    turns, low, high, direction = 0, values[0], values[0], 0
    for value in values:
        low, high = min(low, value), max(high, value)
        if direction <= 0 and value - low >= swing:
            turns += direction < 0
            direction, high = 1, value
        elif direction >= 0 and high - value >= swing:
            turns += direction > 0
            direction, low = -1, value
        if direction > 0:
            low = value
        elif direction < 0:
            high = value
    return turns
