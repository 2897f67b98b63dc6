"""The shape of a series, and of other readings of it where growth is hidden: by jumps, a late onset, a cycle.

A series that is growing as it is needs no other reading. One whose end lies above the rest is read again: without its
sudden jumps, without its cycle, from where its growth began, and after a fall that it made good. The first that grows
by the same rules, and by a good part of the movement that the series has, decides.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.row_statistics import row_medians
from memanalysis.analysis.series.prepare import SeriesBatch, take_series
from memanalysis.analysis.series.resample import SeriesMatrix, group_equal_lengths, make_series_matrix
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, JumpThresholds, PeriodThresholds, Thresholds
from memanalysis.analysis.trend.after_restart import read_since_restart
from memanalysis.analysis.trend.altered_series import AlteredSeries
from memanalysis.analysis.trend.early_growth import has_few_samples, hold_back_early
from memanalysis.analysis.trend.leaking_parts import judge_by_parts
from memanalysis.analysis.trend.onset import find_onsets
from memanalysis.analysis.trend.periods import find_periods
from memanalysis.analysis.trend.sudden_jumps import find_jumps
from memanalysis.analysis.trend.trend_shape import GROWING, PLATEAUING, SAWTOOTH, SLOWING, TrendFits, fit_shapes

__all__ = ["classify_shapes"]


_Finder = Callable[[SeriesBatch, TrendFits, Thresholds], NDArray[np.bool_]]
_Reader = Callable[[SeriesBatch, SeriesMatrix, Thresholds], Iterator[AlteredSeries]]


def classify_shapes(batch: SeriesBatch, *, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> TrendFits:
    """Return the shape of each series of a batch, and what it was fitted by.

    Parameters
    ----------
    batch : SeriesBatch
        The prepared series.
    thresholds : Thresholds, optional
        The numbers to judge by.
    """
    return judge_by_parts(batch, _classify_now(batch, thresholds), _classify_now, thresholds=thresholds)


def _classify_now(batch: SeriesBatch, thresholds: Thresholds) -> TrendFits:
    """Return the shape of each series as it is now, whatever it was before."""
    fits = fit_shapes(batch, thresholds=thresholds)
    for find, read in _READINGS:
        which = np.flatnonzero(find(batch, fits, thresholds) & (batch.sizes >= thresholds.onset.min_samples))
        if which.size:
            fits = _take_growing(fits, _read_again(batch, which, read, thresholds), thresholds)
    return hold_back_early(batch, fits, thresholds=thresholds)


def _may_jump(batch: SeriesBatch, fits: TrendFits, thresholds: Thresholds) -> NDArray[np.bool_]:
    """Return which series may be bent by jumps: they end above their middle level, and do not grow, or not steadily."""
    unsteady = (fits.shape == GROWING) & has_few_samples(batch, thresholds=thresholds) & ~fits.steady
    bent: NDArray[np.bool_] = unsteady | ((fits.shape != GROWING) & _end_high(fits, thresholds))
    return bent


def _may_hide_growth(_batch: SeriesBatch, fits: TrendFits, thresholds: Thresholds) -> NDArray[np.bool_]:
    """Return which series end above their middle level, and neither grow nor level off."""
    return ~np.isin(fits.shape, (GROWING, PLATEAUING, SLOWING)) & _end_high(fits, thresholds)


def _may_have_restarted(batch: SeriesBatch, fits: TrendFits, thresholds: Thresholds) -> NDArray[np.bool_]:
    """Return which series fell far, and neither swing nor level off; medians hide up to half of a fall."""
    far: NDArray[np.bool_] = fits.fall >= thresholds.series.partial_fall / 2 * batch.latest
    return far & ~np.isin(fits.shape, (SAWTOOTH, PLATEAUING, SLOWING))


def _end_high(fits: TrendFits, thresholds: Thresholds) -> NDArray[np.bool_]:
    rule = thresholds.shape
    least = np.maximum(rule.min_end_rise_bytes, rule.min_end_rise_noise * fits.noise)
    high: NDArray[np.bool_] = fits.end_rise >= least
    return high


def _read_again(batch: SeriesBatch, which: IntArray, read: _Reader, thresholds: Thresholds) -> list[AlteredSeries]:
    some = take_series(batch, which)
    readings = []
    for group in group_equal_lengths(some, thresholds=thresholds.series):
        matrix = make_series_matrix(some, group, max_points=thresholds.series.max_points)
        readings += [replace(reading, place=int(which[reading.place])) for reading in read(some, matrix, thresholds)]
    return readings


def _take_growing(fits: TrendFits, readings: list[AlteredSeries], thresholds: Thresholds) -> TrendFits:
    """Return the fits with those of the readings that grow."""
    unread = [reading.place for reading in readings if not reading.values.size]
    readings = [reading for reading in readings if reading.values.size]
    columns = {field.name: getattr(fits, field.name).copy() for field in fields(TrendFits)}
    onsets_s = np.array([reading.onset_s for reading in readings])
    places = np.array([reading.place for reading in readings], dtype=np.int64)
    columns["still_rises"][unread] = True
    columns["still_rises"][places[~np.isnan(onsets_s)]] = True
    if not readings:
        return TrendFits(**columns)
    sizes = np.array([reading.values.size for reading in readings])
    stops = np.cumsum(sizes)
    again = fit_shapes(
        SeriesBatch(
            elapsed_s=np.concatenate([reading.elapsed_s for reading in readings]),
            values=np.concatenate([reading.values for reading in readings]),
            starts=stops - sizes,
            stops=stops,
            ends=stops,
            n_samples=sizes,
            n_dropped=np.zeros_like(sizes),
            restarts=np.zeros_like(sizes),
        ),
        thresholds=thresholds,
    )
    ranges = np.array([reading.range_bytes for reading in readings])
    grows = (again.shape == GROWING) & (again.growth >= thresholds.shape.min_share_of_range * ranges)
    restarted = np.array([reading.restarted for reading in readings])
    again = replace(again, onset_s=onsets_s, restarted=restarted)
    for name in columns.keys() - {"fall"}:  # falls are those of the series as it was
        columns[name][places[grows]] = getattr(again, name)[grows]
    return TrendFits(**columns)


def _without_jumps(batch: SeriesBatch, matrix: SeriesMatrix, thresholds: Thresholds) -> Iterator[AlteredSeries]:
    """Yield the series that have a few sudden jumps, as if they had been at their last level from the start."""
    jumps = find_jumps(matrix.whole, thresholds=thresholds.jump)
    for row in np.flatnonzero(jumps.any(axis=1) & _still_rise(matrix.whole, jumps, thresholds)):
        place = int(matrix.index[row])
        times, values = batch.take(place)
        edges = sorted(
            {
                _find_edge(times, values, matrix.whole_s[row], jumps[row], int(step))
                for step in np.flatnonzero(jumps[row])
            }
        )
        yield AlteredSeries(
            place=place,
            elapsed_s=times,
            values=_remove_jumps(times, values, edges, thresholds.jump),
            range_bytes=np.ptp(matrix.whole[row]),
        )


def _still_rise(levels: FloatArray, jumps: FloatArray, thresholds: Thresholds) -> NDArray[np.bool_]:
    """Return whether the rows rise without their jumps too, which steps do not."""
    rest = levels.copy()
    rest[:, 1:] -= np.cumsum(jumps, axis=1)
    part = thresholds.shape.min_points_of_part
    rise = row_medians(rest[:, -part:]) - row_medians(rest[:, :part])
    rises: NDArray[np.bool_] = rise >= thresholds.shape.min_rise_without_jumps * np.ptp(levels, axis=1)
    return rises


def _find_edge(times: FloatArray, values: FloatArray, points_s: FloatArray, jumps: FloatArray, step: int) -> int:
    """Return the first sample after the jump from one point of a row to the next."""
    first, last = np.searchsorted(times, points_s[[step, step + 1]])
    return int(first) + 1 + int(np.argmax(np.diff(values[first : last + 1]) * np.sign(jumps[step])))


def _remove_jumps(times: FloatArray, values: FloatArray, edges: list[int], rule: JumpThresholds) -> FloatArray:
    """Return values with all before each jump at the level after it; its size is that of a step on a line near it."""
    most = max(rule.min_fitted_samples, round(rule.fitted_share * times.size))
    bounds = [0, *edges, times.size]
    flat = values.copy()
    for before, edge, after in zip(bounds, edges, bounds[2:], strict=False):
        near = slice(max(before, edge - most), min(after, edge + most))
        is_after = np.arange(near.start, near.stop) >= edge
        known = np.column_stack([np.ones(is_after.size), times[near] - times[edge], is_after])
        flat[:edge] += np.linalg.lstsq(known, values[near], rcond=None)[0][2]
    return flat


def _without_cycle(batch: SeriesBatch, matrix: SeriesMatrix, thresholds: Thresholds) -> Iterator[AlteredSeries]:
    """Yield the series that swing with a period, without what comes back after each period."""
    periods_s = find_periods(matrix.whole_s, matrix.whole, thresholds=thresholds.period)
    for row in np.flatnonzero(np.isfinite(periods_s)):
        place = int(matrix.index[row])
        times, values = batch.take(place)
        rise = _rises_in_a_period(times, values, periods_s[row])
        if _lows_rise(times, values, periods_s[row], rise, thresholds):
            yield AlteredSeries(
                place=place,
                elapsed_s=times,
                values=_remove_cycle(times, values, periods_s[row], rise, thresholds.period),
                range_bytes=np.ptp(matrix.whole[row]),
            )


def _rises_in_a_period(times: FloatArray, values: FloatArray, period_s: float) -> float:
    """Return the median rise over one whole period, which no cycle moves."""
    ahead = np.interp(times + period_s, times, values)
    inside = times + period_s <= times[-1]
    return float(np.median(ahead[inside] - values[inside]))


def _lows_rise(times: FloatArray, values: FloatArray, period_s: float, rise: float, thresholds: Thresholds) -> bool:
    """Return whether the low of each whole period lies above that of the one before, and all rise as the rest does."""
    back = ((times[-1] - times) / period_s).astype(np.int64)  # whole periods, counted back from the end
    whole = back < int((times[-1] - times[0]) / period_s)
    lows = np.full(int(back[whole].max()) + 1, np.inf)
    np.minimum.at(lows, back[whole], values[whole])
    if not np.isfinite(lows).all():  # a period without a sample
        return False
    rises, rule = -np.diff(lows), thresholds.jump
    return bool(rise > 0 and rises.min() > rule.min_low_rise * rise and rises.mean() > rule.min_mean_low_rise * rise)


def _remove_cycle(
    times: FloatArray, values: FloatArray, period_s: float, rise: float, rule: PeriodThresholds
) -> FloatArray:
    """Return values less the mean of their phase, about a line that rises by so much a period."""
    since = times - times[0]
    beside = values - rise / period_s * since
    bins = int(np.clip(times.size * period_s / since[-1], rule.min_phases, rule.max_phases))
    phase = (since % period_s / period_s * bins).astype(np.int64) % bins
    totals, counts = np.bincount(phase, weights=beside, minlength=bins), np.bincount(phase, minlength=bins)
    means = totals / np.maximum(counts, 1)
    steady: FloatArray = values - (means - means.mean())[phase]
    return steady


def _since_onset(batch: SeriesBatch, matrix: SeriesMatrix, thresholds: Thresholds) -> Iterator[AlteredSeries]:
    """Yield the series that were flat first, from where they begin to rise."""
    onsets_s = find_onsets(matrix.whole_s, matrix.whole, thresholds=thresholds.onset)
    for row in np.flatnonzero(np.isfinite(onsets_s)):
        place = int(matrix.index[row])
        times, values = batch.take(place)
        first = int(np.searchsorted(times, onsets_s[row]))
        latest_s = times[0] + thresholds.onset.last_share * (times[-1] - times[0])
        if times.size - first < thresholds.onset.min_samples or onsets_s[row] > latest_s:
            first = times.size
        yield AlteredSeries(
            place=place,
            elapsed_s=times[first:],
            values=values[first:],
            range_bytes=np.ptp(matrix.whole[row]),
            onset_s=onsets_s[row],
        )


_READINGS: tuple[tuple[_Finder, _Reader], ...] = (
    (_may_jump, _without_jumps),
    (_may_hide_growth, _without_cycle),
    (_may_hide_growth, _since_onset),
    (_may_have_restarted, read_since_restart),
)
"""Which series are read otherwise, and how: in this order."""
