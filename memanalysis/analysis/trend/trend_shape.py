"""Which shape a series has: growing, slowing, plateauing, stepped, sawtooth, stable, shrinking, or not known yet.

A series is *growing* only when all of this holds after its first quarter, where programs warm up: the interval of the
slope lies above zero, the baseline rises in every window, the growth is not slowing down, and it is large enough to
matter. One engine judges one series and fifty thousand: a batch in, arrays out.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.row_statistics import row_medians
from memanalysis.analysis.series.prepare import SeriesBatch
from memanalysis.analysis.series.resample import (
    EqualLengthGroup,
    SeriesMatrix,
    group_equal_lengths,
    make_series_matrix,
    take_rows,
)
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, ShapeThresholds, Thresholds
from memanalysis.analysis.trend.baselines import Baselines, find_baselines
from memanalysis.analysis.trend.changepoints import are_stepped
from memanalysis.analysis.trend.growth import GrowthFits, fit_growth
from memanalysis.analysis.trend.slowing import fit_slowing
from memanalysis.analysis.trend.steadiness import are_steady
from memanalysis.analysis.trend.swings import count_swings

__all__ = [
    "GROWING",
    "INCONCLUSIVE",
    "PLATEAUING",
    "SAWTOOTH",
    "SHAPES",
    "SHRINKING",
    "SLOWING",
    "STABLE",
    "STEPPED",
    "TrendFits",
    "fit_shapes",
    "min_growth_bytes",
]

SHAPES = np.array(["growing", "slowing", "plateauing", "stepped", "sawtooth", "stable", "shrinking", "inconclusive"])
"""Names of the shapes, in the order of their codes."""

GROWING, SLOWING, PLATEAUING, STEPPED, SAWTOOTH, STABLE, SHRINKING, INCONCLUSIVE = range(8)

SERIES_IN_ONE_THREAD = 8192
"""Fewer series are judged without threads; no watched process has as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendFits:
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
        Number of rises from baseline to baseline; 0 where too short.
    weakest : array of float
        The smallest of those rises, in bytes per second.
    baseline_times, baselines : arrays of float, shape (m, max_windows)
        Mean second and baseline of each window.
    end_rise : array of float
        Bytes by which the last tenth of the whole stretch lies above its middle level.
    onset_s : array of float
        Second at which the growth began, where the series was flat before.
    steady : array of bool
        Of what is growing: whether it grows as fast at its end as before.
    fall : array of float
        The largest fall over two points of the whole stretch in bytes.
    restarted : array of bool
        Whether the growth is that since a restart.
    grows_so_far, still_rises, regains : array of bool
        Of what is inconclusive: whether it grows like a leak but is too short to be called one, whether it was flat and
        rises at its end, and whether it only regains, since ``onset_s``, a level that it held before.
    creeps : array of bool
        Of what is inconclusive: whether it grew by little beside the swing of what Python holds.
    by_part, settled : arrays of bool
        Of what is growing: whether a part of its record shows it, and the rest that it went on; and whether the sampled
        bytes show it.
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
    baseline_times: FloatArray
    baselines: FloatArray
    end_rise: FloatArray
    onset_s: FloatArray
    steady: NDArray[np.bool_]
    fall: FloatArray
    restarted: NDArray[np.bool_]
    grows_so_far: NDArray[np.bool_]
    still_rises: NDArray[np.bool_]
    regains: NDArray[np.bool_]
    creeps: NDArray[np.bool_]
    by_part: NDArray[np.bool_]
    settled: NDArray[np.bool_]

    @property
    def growth(self) -> FloatArray:
        """Fitted growth over the judged stretch in bytes."""
        return self.slope * self.judged_s


def fit_shapes(batch: SeriesBatch, *, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> TrendFits:
    """Return the shape of each series of a batch as it is, and what it was fitted by."""
    groups = list(group_equal_lengths(batch, thresholds=thresholds.series))

    def fit(group: EqualLengthGroup) -> TrendFits:
        return _fit_matrix(make_series_matrix(batch, group, max_points=thresholds.series.max_points), thresholds)

    if batch.starts.size < SERIES_IN_ONE_THREAD:
        fits = [fit(group) for group in groups]
    else:  # on every processor: numpy releases the interpreter's lock
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            fits = list(pool.map(fit, groups))
    return _put_together(batch, groups, fits, max_windows=thresholds.baseline.max_windows)


def min_growth_bytes(level: FloatArray, *, thresholds: ShapeThresholds = DEFAULT_THRESHOLDS.shape) -> FloatArray:
    """Return the smallest growth that matters, for series at these levels."""
    return np.maximum(thresholds.min_growth_bytes, thresholds.min_growth_share * level)


def _put_together(
    batch: SeriesBatch, groups: Sequence[EqualLengthGroup], fits: Sequence[TrendFits], *, max_windows: int
) -> TrendFits:
    """Return the fits of the whole batch from those of its groups; a series in no group is too short."""
    count = batch.starts.size
    if len(fits) == 1 and groups[0].index.size == count:
        return fits[0]
    place = np.concatenate([np.zeros(0, dtype=np.int64), *(group.index for group in groups)])

    def scatter(name: str, missing: NDArray[Any]) -> NDArray[Any]:
        missing[place] = np.concatenate([missing[:0], *(getattr(fit, name) for fit in fits)])
        return missing

    starting = {
        "shape": np.full(count, INCONCLUSIVE, dtype=np.int64),
        "judged_s": batch.durations_s,
        "windows": np.zeros(count, dtype=np.int64),
        "baseline_times": np.full((count, max_windows), np.nan),
        "baselines": np.full((count, max_windows), np.nan),
        "steady": np.zeros(count, dtype=bool),
        "restarted": np.zeros(count, dtype=bool),
        "grows_so_far": np.zeros(count, dtype=bool),
        "still_rises": np.zeros(count, dtype=bool),
        "regains": np.zeros(count, dtype=bool),
        "creeps": np.zeros(count, dtype=bool),
        "by_part": np.zeros(count, dtype=bool),
        "settled": np.zeros(count, dtype=bool),
    }
    unknown = {name: np.full(count, np.nan) for name in TrendFits.__dataclass_fields__.keys() - starting.keys()}
    return TrendFits(**{name: scatter(name, missing) for name, missing in (starting | unknown).items()})


def _fit_matrix(matrix: SeriesMatrix, thresholds: Thresholds) -> TrendFits:
    """Return the shapes of the series of one matrix."""
    fits = fit_growth(matrix.times, matrix.levels, thresholds=thresholds.growth)
    baselines = find_baselines(matrix.times, matrix.levels, fits, lows=matrix.lows, thresholds=thresholds)
    half_width = fits.half_width()
    shape = _name_shapes(matrix, fits, baselines, thresholds)
    return TrendFits(
        shape=shape,
        slope=fits.slope,
        low=fits.slope - half_width,
        high=fits.slope + half_width,
        intercept=fits.intercept,
        noise=fits.noise,
        n_effective=fits.n_effective,
        judged_s=matrix.times[:, -1] - matrix.times[:, 0],
        windows=baselines.windows - 1,
        weakest=baselines.weakest,
        baseline_times=baselines.times,
        baselines=baselines.values,
        end_rise=_measure_end_rise(matrix, thresholds.shape),
        onset_s=np.full(matrix.index.size, np.nan),
        steady=_find_steady(matrix, fits.slope, shape, thresholds),
        fall=(matrix.whole[:, :-2] - matrix.whole[:, 2:]).max(axis=1, initial=0.0),
        restarted=np.zeros(matrix.index.size, dtype=bool),
        grows_so_far=np.zeros(matrix.index.size, dtype=bool),
        still_rises=np.zeros(matrix.index.size, dtype=bool),
        regains=np.zeros(matrix.index.size, dtype=bool),
        creeps=np.zeros(matrix.index.size, dtype=bool),
        by_part=np.zeros(matrix.index.size, dtype=bool),
        settled=np.zeros(matrix.index.size, dtype=bool),
    )


def _find_steady(matrix: SeriesMatrix, slope: FloatArray, shape: IntArray, thresholds: Thresholds) -> NDArray[np.bool_]:
    """Return which rows grow steadily, of those that are growing."""

    def hold(rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return are_steady(take_rows(matrix, rows), slope[rows], thresholds=thresholds.slowing)

    return _among(shape == GROWING, hold)


def _measure_end_rise(matrix: SeriesMatrix, rule: ShapeThresholds) -> FloatArray:
    last = matrix.whole[:, -_part(matrix.whole.shape[1], rule.last_part, rule) :]
    rise: FloatArray = row_medians(last) - row_medians(matrix.whole)
    return rise


def _name_shapes(matrix: SeriesMatrix, fits: GrowthFits, baselines: Baselines, thresholds: Thresholds) -> IntArray:
    """Return codes of the shapes: the first rule that holds decides, so the rules are applied last to first."""
    rule = thresholds.shape
    middle = row_medians(matrix.levels)
    least = min_growth_bytes(middle, thresholds=rule)
    level, whole_range = row_medians(matrix.whole), np.ptp(matrix.whole, axis=1)
    growth = fits.slope * (matrix.times[:, -1] - matrix.times[:, 0])
    matters = np.abs(growth) >= np.maximum(least, rule.min_growth_noise * fits.slow_noise)
    all_windows = baselines.windows == thresholds.baseline.max_windows
    needed = np.where(
        all_windows,
        fits.half_width(rule.proof_confidence_all_windows),
        fits.half_width(rule.proof_confidence),
    )
    proven = matters & (np.abs(fits.slope) > needed)
    rises, moves = proven & (growth > 0), whole_range >= least
    in_each_window = rises & moves & (baselines.weakest > rule.min_weakest_share * fits.slope)
    others = moves & ~in_each_window

    shape = np.where(rises, INCONCLUSIVE, np.where(proven, SHRINKING, STABLE))
    shape[others & _fill_up(matrix, baselines, least, thresholds)] = PLATEAUING
    swings = _among(
        others & (whole_range >= rule.sawtooth_share * level),
        lambda rows: count_swings(matrix.whole[rows], rule.swing_share * whole_range[rows]) >= rule.min_swings,
    )
    may_step = others & ~swings & _has_structure(matrix, fits, middle, rule)
    shape[_among(may_step, lambda rows: are_stepped(matrix.whole[rows], thresholds=thresholds.level_change))] = STEPPED
    shape[swings] = SAWTOOTH
    shape[in_each_window] = GROWING
    slowing, end_to_mean = _are_slowing(matrix.times[in_each_window], matrix.levels[in_each_window], thresholds)
    rising = np.flatnonzero(in_each_window)
    shape[rising[slowing]] = PLATEAUING
    shape[rising[slowing & (end_to_mean >= thresholds.slowing.min_end_to_mean_of_growth)]] = SLOWING
    shape[~moves] = STABLE
    return shape


def _has_structure(
    matrix: SeriesMatrix, fits: GrowthFits, middle: FloatArray, rule: ShapeThresholds
) -> NDArray[np.bool_]:
    """Return whether more than white noise is left about the line, or the beginning lay elsewhere, as after a step."""
    beginning = row_medians(matrix.whole[:, : _part(matrix.whole.shape[1], rule.beginning_part, rule)])
    moved = np.abs(middle - beginning) > rule.min_growth_noise * fits.noise
    return moved | (fits.lag_one > rule.max_lag_one_of_white_noise)


def _are_slowing(times: FloatArray, levels: FloatArray, thresholds: Thresholds) -> tuple[NDArray[np.bool_], FloatArray]:
    """Return whether growth is slowing down, and its last slope as a share of the mean slope.

    In a short series no warm-up was cut off: there the second half must be slowing too, for a quick start alone is one.
    """
    rule = thresholds.slowing
    if not levels.size:
        return np.zeros(0, dtype=bool), np.zeros(0)
    half = levels.shape[1] // 2
    whole = fit_slowing(times, levels, thresholds=rule)
    most = np.where(whole.bend_gain > rule.min_bend_gain, rule.max_end_to_mean_of_bend, rule.max_end_to_mean)
    slowing = (whole.information_gain > rule.min_information_gain) & (whole.end_to_mean < most)
    was_cut = levels.shape[1] >= thresholds.series.min_samples_to_cut_warm_up
    if was_cut or levels.shape[1] - half < rule.min_points_of_half:
        return slowing, whole.end_to_mean

    def still(rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        later = fit_slowing(times[rows, half:], levels[rows, half:], thresholds=rule)
        return (later.information_gain > 0) & (later.end_to_mean < rule.max_end_to_mean_of_half)

    return _among(slowing, still), whole.end_to_mean


def _fill_up(
    matrix: SeriesMatrix, baselines: Baselines, least: FloatArray, thresholds: Thresholds
) -> NDArray[np.bool_]:
    """Return whether the level rose early, keeps still now against that rise, and the rise is slowing or over."""
    rule, points = thresholds.shape, matrix.whole.shape[1]
    first = matrix.whole[:, : _part(points, rule.beginning_part, rule)]
    last = matrix.whole[:, -_part(points, rule.end_part, rule) :]
    middle = row_medians(last)
    rise = middle - row_medians(first)
    still = row_medians(np.abs(last - middle[:, None]), overwrite=True) <= rule.still_share * rise
    ending_rise, ending_s = _ending(baselines, rule.last_windows_part)
    spans = matrix.whole_s[:, -1] - matrix.whole_s[:, 0]
    slower = ending_rise * spans < thresholds.slowing.max_end_to_mean * rise * ending_s
    candidates = (rise >= least) & still
    over = ending_rise < rise / rule.over_part
    return (candidates & over) | _among(
        candidates & slower & ~over, lambda rows: _are_slowing(matrix.whole_s[rows], matrix.whole[rows], thresholds)[0]
    )


def _part(points: int, parts: int, rule: ShapeThresholds) -> int:
    """Return the number of points of a part of a series, such as its beginning."""
    return max(rule.min_points_of_part, points // parts)


def _ending(baselines: Baselines, parts: int) -> tuple[FloatArray, FloatArray]:
    """Return the rise of the baseline over the last quarter of the windows (at least two), and its seconds."""
    rows = np.arange(baselines.windows.size)
    last = np.maximum(baselines.windows, 1) - 1
    before = np.maximum(0, baselines.windows - np.maximum(2, baselines.windows // parts))
    return (
        baselines.values[rows, last] - baselines.values[rows, before],
        baselines.times[rows, last] - baselines.times[rows, before],
    )


def _among(rows: NDArray[np.bool_], holds: Callable[[NDArray[np.bool_]], NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Return the rows for which an expensive test holds; it is made only for the rows named."""
    result = np.zeros(rows.size, dtype=bool)
    if rows.any():
        result[rows] = holds(rows)
    return result
