"""The shape of a series, and of other readings of it where growth is hidden: by jumps, a late onset, a cycle.

A series that is growing as it is needs no other reading. One whose end lies above the rest is read again: without its
sudden jumps, without its cycle, from where its growth began, and after a fall that it made good. The first that grows
by the same rules, and by a good part of the movement that the series has, decides.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.series.prepare import SeriesBatch, take_series
from memanalysis.analysis.series.resample import SeriesMatrix, group_equal_lengths, make_series_matrix
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, Thresholds
from memanalysis.analysis.trend.onset import find_onsets
from memanalysis.analysis.trend.periods import find_periods
from memanalysis.analysis.trend.sudden_jumps import find_jumps
from memanalysis.analysis.trend.trend_shape import (
    GROWING,
    INCONCLUSIVE,
    PLATEAUING,
    SLOWING,
    STABLE,
    STEPPED,
    TrendFits,
    fit_shapes,
    min_growth_bytes,
)

__all__ = ["classify_shapes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One series read otherwise: which of the batch it is, its seconds and bytes, and the range that it had.

    Without samples it is a series that rises at its end, but not for long enough to be read.
    """

    place: int
    elapsed_s: FloatArray
    values: FloatArray
    range_bytes: float
    onset_s: float = np.nan


_Reader = Callable[[SeriesBatch, SeriesMatrix, Thresholds], Iterator[_Reading]]


def classify_shapes(batch: SeriesBatch, *, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> TrendFits:
    """Return the shape of each series of a batch, and what it was fitted by.

    Parameters
    ----------
    batch : SeriesBatch
        The prepared series.
    thresholds : Thresholds, optional
        The numbers to judge by.
    """
    fits = fit_shapes(batch, thresholds=thresholds)
    for read in _READERS:
        hidden = _may_hide_growth(batch, fits, thresholds)
        if read is not _without_jumps:  # nothing else makes growth look like a rise that levels off
            hidden &= (fits.shape != PLATEAUING) & (fits.shape != SLOWING)
        if not hidden.any():
            continue
        fits = _take_growing(fits, _read_again(batch, hidden, read, thresholds), thresholds)
    return _hold_back_early(batch, fits, thresholds)


def _hold_back_early(batch: SeriesBatch, fits: TrendFits, thresholds: Thresholds) -> TrendFits:
    """Return the fits with what grows but is too short to be called a leak as inconclusive."""
    rule = thresholds.series
    lasted_s = batch.durations_s
    few = (batch.n_samples < rule.min_samples_of_a_leak) & (lasted_s < rule.min_seconds_of_few_samples)
    few |= (fits.growth < rule.min_early_bytes_of_a_leak) & (lasted_s < rule.min_seconds_of_few_bytes)
    early = (fits.shape == GROWING) & (few | (lasted_s < rule.min_seconds_of_a_leak))
    still_rises = fits.still_rises & (fits.shape != GROWING)
    shape = np.where(early | (still_rises & np.isin(fits.shape, (STABLE, STEPPED))), INCONCLUSIVE, fits.shape)
    return replace(fits, shape=shape, grows_so_far=early, still_rises=still_rises & (shape == INCONCLUSIVE))


def _may_hide_growth(batch: SeriesBatch, fits: TrendFits, thresholds: Thresholds) -> NDArray[np.bool_]:
    """Return which series are not growing as they are, but are long enough and end above their middle level."""
    rule = thresholds.shape
    least = np.maximum(min_growth_bytes(np.zeros(1), thresholds=rule) / 2, rule.min_end_rise_noise * fits.noise)
    hidden: NDArray[np.bool_] = (fits.shape != GROWING) & (fits.end_rise >= least)
    hidden &= batch.sizes >= thresholds.onset.min_samples
    return hidden


def _read_again(batch: SeriesBatch, hidden: NDArray[np.bool_], read: _Reader, thresholds: Thresholds) -> list[_Reading]:
    which = np.flatnonzero(hidden)
    some = take_series(batch, which)
    readings = []
    for group in group_equal_lengths(some, thresholds=thresholds.series):
        matrix = make_series_matrix(some, group, max_points=thresholds.series.max_points)
        readings += [replace(reading, place=int(which[reading.place])) for reading in read(some, matrix, thresholds)]
    return readings


def _take_growing(fits: TrendFits, readings: list[_Reading], thresholds: Thresholds) -> TrendFits:
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
            n_samples=sizes,
            n_dropped=np.zeros_like(sizes),
            restarts=np.zeros_like(sizes),
        ),
        thresholds=thresholds,
    )
    ranges = np.array([reading.range_bytes for reading in readings])
    grows = (again.shape == GROWING) & (again.growth >= thresholds.shape.min_share_of_range * ranges)
    again = replace(again, onset_s=onsets_s)
    for name, column in columns.items():
        column[places[grows]] = getattr(again, name)[grows]
    return TrendFits(**columns)


def _without_jumps(batch: SeriesBatch, matrix: SeriesMatrix, thresholds: Thresholds) -> Iterator[_Reading]:
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
        yield _Reading(
            place=place,
            elapsed_s=times,
            values=_remove_jumps(times, values, edges, thresholds.jump.fitted_share),
            range_bytes=np.ptp(matrix.whole[row]),
        )


def _still_rise(levels: FloatArray, jumps: FloatArray, thresholds: Thresholds) -> NDArray[np.bool_]:
    """Return whether the rows rise without their jumps too, which steps do not."""
    steps = np.diff(levels, axis=1) - jumps
    rises: NDArray[np.bool_] = steps.sum(axis=1) >= thresholds.shape.min_share_of_range / 2 * np.ptp(levels, axis=1)
    return rises


def _find_edge(times: FloatArray, values: FloatArray, points_s: FloatArray, jumps: FloatArray, step: int) -> int:
    """Return the first sample after the jump from one point of a row to the next."""
    first, last = np.searchsorted(times, points_s[[step, step + 1]])
    return int(first) + 1 + int(np.argmax(np.diff(values[first : last + 1]) * np.sign(jumps[step])))


def _remove_jumps(times: FloatArray, values: FloatArray, edges: list[int], fitted_share: float) -> FloatArray:
    """Return values with all before each jump at the level after it; its size is that of a step on a line near it."""
    most = max(4, round(fitted_share * times.size))
    bounds = [0, *edges, times.size]
    flat = values.copy()
    for before, edge, after in zip(bounds, edges, bounds[2:], strict=False):
        near = slice(max(before, edge - most), min(after, edge + most))
        is_after = np.arange(near.start, near.stop) >= edge
        known = np.column_stack([np.ones(is_after.size), times[near] - times[edge], is_after])
        flat[:edge] += np.linalg.lstsq(known, values[near], rcond=None)[0][2]
    return flat


def _without_cycle(batch: SeriesBatch, matrix: SeriesMatrix, thresholds: Thresholds) -> Iterator[_Reading]:
    """Yield the series that swing with a period, without what comes back after each period."""
    periods_s = find_periods(matrix.whole_s, matrix.whole, thresholds=thresholds.period)
    for row in np.flatnonzero(np.isfinite(periods_s)):
        place = int(matrix.index[row])
        times, values = batch.take(place)
        rise = _rises_in_a_period(times, values, periods_s[row])
        if _lows_rise(times, values, periods_s[row], rise, thresholds):
            yield _Reading(
                place=place,
                elapsed_s=times,
                values=_remove_cycle(times, values, periods_s[row], rise),
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


def _remove_cycle(times: FloatArray, values: FloatArray, period_s: float, rise: float) -> FloatArray:
    """Return values less the mean of their phase, about a line that rises by so much a period."""
    since = times - times[0]
    beside = values - rise / period_s * since
    bins = int(np.clip(times.size * period_s / since[-1], 4, 24))
    phase = (since % period_s / period_s * bins).astype(np.int64) % bins
    totals, counts = np.bincount(phase, weights=beside, minlength=bins), np.bincount(phase, minlength=bins)
    means = totals / np.maximum(counts, 1)
    steady: FloatArray = values - (means - means.mean())[phase]
    return steady


def _since_onset(batch: SeriesBatch, matrix: SeriesMatrix, thresholds: Thresholds) -> Iterator[_Reading]:
    """Yield the series that were flat first, from where they begin to rise."""
    onsets_s = find_onsets(matrix.whole_s, matrix.whole, thresholds=thresholds.onset)
    for row in np.flatnonzero(np.isfinite(onsets_s)):
        place = int(matrix.index[row])
        times, values = batch.take(place)
        first = int(np.searchsorted(times, onsets_s[row]))
        latest_s = times[0] + thresholds.onset.last_share * (times[-1] - times[0])
        if times.size - first < thresholds.onset.min_samples or onsets_s[row] > latest_s:
            first = times.size
        yield _Reading(
            place=place,
            elapsed_s=times[first:],
            values=values[first:],
            range_bytes=np.ptp(matrix.whole[row]),
            onset_s=onsets_s[row],
        )


def _since_fall(batch: SeriesBatch, matrix: SeriesMatrix, thresholds: Thresholds) -> Iterator[_Reading]:
    """Yield the series that fell a good part once, as after a restart, and lie higher at the end than before it."""
    rule = thresholds.series
    for row, place in enumerate(matrix.index):
        times, values = batch.take(int(place))
        falls = np.flatnonzero(values[1:] < values[:-1] * (1 - rule.partial_fall))
        if falls.size != 1:
            continue
        first = int(falls[0]) + 1
        is_long = times[-1] - times[first] >= rule.restart_share * (times[-1] - times[0])
        if is_long and np.median(matrix.whole[row, -3:]) > values[:first].max():
            range_bytes = float(np.ptp(values[first:]))
            yield _Reading(place=int(place), elapsed_s=times[first:], values=values[first:], range_bytes=range_bytes)


_READERS: tuple[_Reader, ...] = (_without_jumps, _without_cycle, _since_onset, _since_fall)
