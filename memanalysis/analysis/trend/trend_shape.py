"""Which shape a series has: growing, plateauing, stepped, sawtooth, stable, shrinking, or not yet to be told.

A series is *growing* only when all of this holds after its first quarter, where programs warm up: the interval of the
slope lies above zero, the floor rose in every window, the growth is not slowing down, and it is large enough to matter.
One engine judges one series and fifty thousand: a batch in, arrays out.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.row_statistics import row_medians
from memanalysis.analysis.series.prepare import SeriesBatch
from memanalysis.analysis.series.resample import MIN_SAMPLES_TO_CUT_WARM_UP, Stack, find_alike, stack_series
from memanalysis.analysis.trend.baselines import MOST_WINDOWS, Floors, find_floors
from memanalysis.analysis.trend.changepoints import are_stepped
from memanalysis.analysis.trend.growth import GrowthFits, fit_growth
from memanalysis.analysis.trend.slowing import fit_slowing
from memanalysis.analysis.trend.swings import count_swings

__all__ = ["SHAPES", "Findings", "classify_shapes", "least_growth_bytes"]

SHAPES = np.array(["growing", "plateauing", "stepped", "sawtooth", "stable", "shrinking", "inconclusive"])
"""Names of the shapes, in the order of their codes."""

GROWING, PLATEAUING, STEPPED, SAWTOOTH, STABLE, SHRINKING, INCONCLUSIVE = range(7)

PROOF_CONFIDENCE = 0.98
"""Confidence at which the slope must lie above zero before a leak is spoken of."""

PROOF_CONFIDENCE_ALL_WINDOWS = 0.90
"""The same where all eight floors can be told apart: that each lies above the one before is most of the proof."""

WEAKEST_SHARE = 0.05
"""The floor must rise in each window, by at least this share of the fitted slope."""

LEAST_GROWTH_NOISE = 4.0
"""Growth must exceed this many standard deviations of the slow noise about its line: slow swings look like growth."""

LEAST_GROWTH_BYTES = 32 * 1024
"""Eight pages: allocators move by as much with nothing kept."""

LEAST_GROWTH_SHARE = 0.001
"""Growth under this share of the level is not told from an allocator's drift."""

SLOWING_GAIN = 10.0
"""Difference of information criteria from which one model is very strongly preferred (Kass and Raftery 1995)."""

SLOWING_END_TO_MEAN = 0.75
"""A preferred curve that ends at less than this share of its mean slope is slowing down."""

STILL_SLOWING_END_TO_MEAN = 0.85
"""The same in the second half alone, where a curve bends less."""

SERIES_IN_ONE_THREAD = 8192
"""Fewer series are judged before threads pay; no watched process has as many."""

MIN_POINTS_OF_A_HALF = 5
"""Of fewer points no bend is told."""

WHITE_LAG_ONE = 0.35
"""The cautious estimate of the autocorrelation of white noise lies below this in 19 of 20 series."""

SWING_SHARE = 0.4
"""A rise or fall of this share of the whole range is a swing; smaller ones are noise."""

LEAST_SWINGS = 3
"""Up, down, up and down again."""

STILL_SHARE = 0.1
"""A level that moves by less than this share of its earlier rise keeps still."""

SAWTOOTH_SHARE = 0.2
"""Swings over less than this share of the level are noise about a stable level, no saw-tooth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Shapes of ``m`` series and the measurements that led to them; arrays of shape (m,), NaN where not measured.

    Parameters
    ----------
    shape : array of int
        Places in ``SHAPES``.
    slope, low, high : arrays of float
        Bytes per second with the ends of the 95 % interval.
    intercept, noise : arrays of float
        Value of the line at second 0, and standard deviation about it, in bytes.
    n_effective : array of float
        How many independent samples the judged stretch is worth.
    judged_s : array of float
        Seconds of the stretch that was judged, warm-up left out.
    windows : array of int
        Rises from floor to floor that were looked at; 0 where too short.
    weakest : array of float
        The least of those rises, in bytes per second.
    floor_times, floors : arrays of float, shape (m, 8)
        Mean second and floor of each window.
    """

    shape: IntArray
    slope: FloatArray
    low: FloatArray
    high: FloatArray
    intercept: FloatArray
    noise: FloatArray
    n_effective: FloatArray
    judged_s: FloatArray
    windows: IntArray
    weakest: FloatArray
    floor_times: FloatArray
    floors: FloatArray

    @property
    def growth(self) -> FloatArray:
        """Fitted growth over the judged stretch in bytes."""
        return self.slope * self.judged_s


def classify_shapes(batch: SeriesBatch) -> Findings:
    """Judge each series of a batch."""
    count = batch.starts.size
    nothing = np.full(count, np.nan)
    findings = Findings(
        shape=np.full(count, INCONCLUSIVE, dtype=np.int64),
        slope=nothing.copy(),
        low=nothing.copy(),
        high=nothing.copy(),
        intercept=nothing.copy(),
        noise=nothing.copy(),
        n_effective=nothing.copy(),
        judged_s=batch.durations_s,
        windows=np.zeros(count, dtype=np.int64),
        weakest=nothing.copy(),
        floor_times=np.full((count, MOST_WINDOWS), np.nan),
        floors=np.full((count, MOST_WINDOWS), np.nan),
    )
    _judge_all(batch, findings)
    return findings


def least_growth_bytes(level: FloatArray) -> FloatArray:
    """Growth below which nothing is said, for series at these levels."""
    return np.maximum(LEAST_GROWTH_BYTES, LEAST_GROWTH_SHARE * level)


def _judge_all(batch: SeriesBatch, findings: Findings) -> None:
    """Judge stack after stack; where there are many, on every processor: numpy lets go of the interpreter's lock."""
    alike = list(find_alike(batch))
    if batch.starts.size < SERIES_IN_ONE_THREAD:
        for like in alike:
            _judge(stack_series(batch, like), findings)
        return
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for _ in pool.map(lambda like: _judge(stack_series(batch, like), findings), alike):
            pass


def _judge(stack: Stack, findings: Findings) -> None:
    """Judge the series of one stack and write what was found into their places."""
    fits = fit_growth(stack.times, stack.levels)
    floors = find_floors(stack.times, stack.levels, fits)
    where, half_width = stack.index, fits.half_width()
    findings.shape[where] = _name_shapes(stack, fits, floors)
    findings.slope[where] = fits.slope
    findings.low[where] = fits.slope - half_width
    findings.high[where] = fits.slope + half_width
    findings.intercept[where] = fits.intercept
    findings.noise[where] = fits.noise
    findings.n_effective[where] = fits.n_effective
    findings.judged_s[where] = stack.times[:, -1] - stack.times[:, 0]
    findings.windows[where] = floors.windows - 1
    findings.weakest[where] = floors.weakest
    findings.floor_times[where] = floors.times
    findings.floors[where] = floors.values


def _name_shapes(stack: Stack, fits: GrowthFits, floors: Floors) -> IntArray:
    """Codes of the shapes: the first rule that holds decides, so the rules are applied from the last to the first."""
    middle = row_medians(stack.levels)
    least = least_growth_bytes(middle)
    level, whole_range = row_medians(stack.whole), np.ptp(stack.whole, axis=1)
    growth = fits.slope * (stack.times[:, -1] - stack.times[:, 0])
    matters = np.abs(growth) >= np.maximum(least, LEAST_GROWTH_NOISE * fits.slow_noise)
    all_windows = floors.windows == MOST_WINDOWS
    needed = np.where(all_windows, fits.half_width(PROOF_CONFIDENCE_ALL_WINDOWS), fits.half_width(PROOF_CONFIDENCE))
    proven = matters & (np.abs(fits.slope) > needed)
    rises, moves = proven & (growth > 0), whole_range >= least
    in_each_window = rises & moves & (floors.weakest > WEAKEST_SHARE * fits.slope)
    others = moves & ~in_each_window

    shape = np.where(rises, INCONCLUSIVE, np.where(proven, SHRINKING, STABLE))
    shape[others & _fill_up(stack, floors, least)] = PLATEAUING
    swings = _among(
        others & (whole_range >= SAWTOOTH_SHARE * level),
        lambda rows: count_swings(stack.whole[rows], SWING_SHARE * whole_range[rows]) >= LEAST_SWINGS,
    )
    may_step = others & ~swings & _has_structure(stack, fits, middle)
    shape[_among(may_step, lambda rows: are_stepped(stack.whole[rows]))] = STEPPED
    shape[swings] = SAWTOOTH
    shape[in_each_window] = GROWING
    shape[_among(in_each_window, lambda rows: _are_slowing(stack.times[rows], stack.levels[rows]))] = PLATEAUING
    shape[~moves] = STABLE
    return shape


def _has_structure(stack: Stack, fits: GrowthFits, middle: FloatArray) -> NDArray[np.bool_]:
    """Whether more than white noise is left about the line, or the beginning lay elsewhere: else there is no step."""
    beginning = row_medians(stack.whole[:, : max(3, stack.whole.shape[1] // 20)])
    moved = np.abs(middle - beginning) > LEAST_GROWTH_NOISE * fits.noise
    return moved | (fits.lag_one > WHITE_LAG_ONE)


def _are_slowing(times: FloatArray, levels: FloatArray) -> NDArray[np.bool_]:
    """Whether growth is slowing down.

    In a short series no warm-up was cut off: there the second half must be slowing too, for a quick start alone is one.
    """
    half = levels.shape[1] // 2
    whole = fit_slowing(times, levels)
    slowing = (whole.information_gain > SLOWING_GAIN) & (whole.end_to_mean < SLOWING_END_TO_MEAN)
    if levels.shape[1] >= MIN_SAMPLES_TO_CUT_WARM_UP or levels.shape[1] - half < MIN_POINTS_OF_A_HALF:
        return slowing

    def still(rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        later = fit_slowing(times[rows, half:], levels[rows, half:])
        return (later.information_gain > 0) & (later.end_to_mean < STILL_SLOWING_END_TO_MEAN)

    return _among(slowing, still)


def _fill_up(stack: Stack, floors: Floors, least: FloatArray) -> NDArray[np.bool_]:
    """Whether the level rose early, keeps still now against that rise, and the rise is slowing or over."""
    points = stack.whole.shape[1]
    first, last = stack.whole[:, : max(3, points // 20)], stack.whole[:, -max(3, points // 5) :]
    middle = row_medians(last)
    rise = middle - row_medians(first)
    still = row_medians(np.abs(last - middle[:, None]), overwrite=True) <= STILL_SHARE * rise
    ending_rise, ending_s = _ending(floors)
    spans = stack.whole_s[:, -1] - stack.whole_s[:, 0]
    slower = ending_rise * spans < SLOWING_END_TO_MEAN * rise * ending_s
    candidates = (rise >= least) & still
    over = ending_rise < rise / 20
    return (candidates & over) | _among(
        candidates & slower & ~over, lambda rows: _are_slowing(stack.whole_s[rows], stack.whole[rows])
    )


def _ending(floors: Floors) -> tuple[FloatArray, FloatArray]:
    """Rise of the floor over the last quarter of the windows (at least two), and its seconds."""
    rows = np.arange(floors.windows.size)
    last = np.maximum(floors.windows, 1) - 1
    before = np.maximum(0, floors.windows - np.maximum(2, floors.windows // 4))
    return (
        floors.values[rows, last] - floors.values[rows, before],
        floors.times[rows, last] - floors.times[rows, before],
    )


def _among(rows: NDArray[np.bool_], holds: Callable[[NDArray[np.bool_]], NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Rows for which a costly test holds; it is made only for the rows named."""
    result = np.zeros(rows.size, dtype=bool)
    if rows.any():
        result[rows] = holds(rows)
    return result
