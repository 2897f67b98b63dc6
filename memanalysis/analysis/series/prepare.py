"""Many series made fit to judge: known, sorted, one value a moment, cut where the process was restarted.

Times are seconds of a monotonic clock, values are bytes (or counts). All series lie one after the other in flat arrays,
so that a fleet is cleaned as fast as one process. A fall of more than half is a restart when what follows is the
longest stretch and at least a third of the whole. Many such falls are a saw-tooth, and stay.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.series.folding import fold_long
from memanalysis.analysis.series.late_falls import cut_late_falls
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, SeriesThresholds
from memanalysis.errors import InvalidArgumentError

__all__ = [
    "SeriesBatch",
    "prepare_batch",
    "prepare_folded",
    "prepare_grouped",
    "prepare_series",
    "take_series",
]

_DEFAULT = DEFAULT_THRESHOLDS.series

PAIRS_AT_ONCE = 1 << 17
"""Neighbours compared in one go: what that takes stays in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesBatch:
    """The stretches of ``m`` series that are judged, one after the other.

    Parameters
    ----------
    elapsed_s, values : arrays of float, shape (n,)
        Strictly rising times within each series, and finite values.
    starts, stops : arrays of int, shape (m,)
        Series ``i`` is ``elapsed_s[starts[i]:stops[i]]``; an empty one is one without a known value.
    ends : array of int, shape (m,)
        Where its samples end: past ``stops`` where it fell far in the last of them, which are not judged.
    n_samples : array of int, shape (m,)
        Samples that the stretch holds; a long series is folded to fewer points.
    n_dropped : array of int, shape (m,)
        Samples left out: unknown, infinite, doubled, earlier than the last restart, or after a fall at the very end.
    restarts : array of int, shape (m,)
        Falls that were taken for restarts.
    """

    elapsed_s: FloatArray
    values: FloatArray
    starts: IntArray
    stops: IntArray
    ends: IntArray
    n_samples: IntArray
    n_dropped: IntArray
    restarts: IntArray

    @property
    def sizes(self) -> IntArray:
        """Points of each series."""
        return self.stops - self.starts

    @property
    def durations_s(self) -> FloatArray:
        """Seconds from first to last sample of each series; 0 for fewer than two."""
        durations = np.zeros(self.starts.size)
        some = self.sizes > 1
        durations[some] = self.elapsed_s[self.stops[some] - 1] - self.elapsed_s[self.starts[some]]
        return durations

    @property
    def judged_until_s(self) -> FloatArray:
        """Second of the last sample of each series that is judged; NaN for an empty one."""
        return self._last_of(self.elapsed_s, self.stops)

    @property
    def latest(self) -> FloatArray:
        """Last value of each series, judged or not; NaN for an empty one."""
        return self._last_of(self.values, self.ends)

    @property
    def released(self) -> FloatArray:
        """Bytes by which each series fell after its judged stretch; mostly 0, NaN for an empty one."""
        return self._last_of(self.values, self.stops) - self.latest

    def take(self, i: int) -> tuple[FloatArray, FloatArray]:
        """Seconds and values of one series."""
        piece = slice(int(self.starts[i]), int(self.stops[i]))
        return self.elapsed_s[piece], self.values[piece]

    def _last_of(self, flat: FloatArray, stops: IntArray) -> FloatArray:
        last = np.full(self.starts.size, np.nan)
        some = self.sizes > 0
        last[some] = flat[stops[some] - 1]
        return last


def take_series(batch: SeriesBatch, which: IntArray) -> SeriesBatch:
    """Return a batch of some of the series, on the same values."""
    return replace(
        batch,
        starts=batch.starts[which],
        stops=batch.stops[which],
        ends=batch.ends[which],
        n_samples=batch.n_samples[which],
        n_dropped=batch.n_dropped[which],
        restarts=batch.restarts[which],
    )


def prepare_series(elapsed_s: ArrayLike, values: ArrayLike, *, thresholds: SeriesThresholds = _DEFAULT) -> SeriesBatch:
    """Sort, clean and cut one series: a batch of one.

    Parameters
    ----------
    elapsed_s, values : array-like, shape (n,)
        Seconds and bytes, in any order; unknown values are NaN (or NA).
    thresholds : SeriesThresholds, optional
        The numbers to prepare by.

    Raises
    ------
    InvalidArgumentError
        The two differ in length, are no numbers, or a value is negative: memory cannot be.
    """
    times, measured = _as_floats(elapsed_s, "elapsed_s"), _as_floats(values, "values_bytes")
    if times.shape != measured.shape:
        raise InvalidArgumentError(
            f"A series needs a time for each value, but got {times.size} and {measured.size}. Pass as many of each."
        )
    return prepare_batch(np.zeros(times.size, dtype=np.int64), times, measured, n_series=1, thresholds=thresholds)


def prepare_batch(
    series: IntArray,
    elapsed_s: FloatArray,
    values: FloatArray,
    *,
    n_series: int,
    thresholds: SeriesThresholds = _DEFAULT,
) -> SeriesBatch:
    """Sort, clean and cut many series.

    Parameters
    ----------
    series : array of int, shape (n,)
        To which series, from 0 to ``n_series - 1``, a sample belongs.
    elapsed_s, values : arrays of float, shape (n,)
        Seconds and bytes, in any order, NaN where unknown.
    thresholds : SeriesThresholds, optional
        The numbers to prepare by.

    Raises
    ------
    InvalidArgumentError
        A value is negative.
    """
    if _find_pairs(series.size, lambda a, b: series[a] > series[b]).size:
        order = np.argsort(series, kind="stable")
        series, elapsed_s, values = series[order], elapsed_s[order], values[order]
    return prepare_grouped(np.bincount(series, minlength=n_series), elapsed_s, values, thresholds=thresholds)


def prepare_grouped(
    counts: IntArray, elapsed_s: FloatArray, values: FloatArray, *, thresholds: SeriesThresholds = _DEFAULT
) -> SeriesBatch:
    """Sort, clean and cut many series whose samples lie together.

    Parameters
    ----------
    counts : array of int, shape (m,)
        Samples of each series.
    elapsed_s, values : arrays of float, shape (n,)
        Seconds and bytes, series after series, each in any order, NaN where unknown.
    thresholds : SeriesThresholds, optional
        The numbers to prepare by.

    Raises
    ------
    InvalidArgumentError
        A value is negative.
    """
    given = counts
    known = np.isfinite(elapsed_s) & np.isfinite(values)
    if not known.all():
        elapsed_s, values, counts = elapsed_s[known], values[known], _count_by_series(known, counts)
    if values.size and values.min() < 0:
        raise InvalidArgumentError(
            f"A series needs sizes of 0 bytes or more, but got {values.min():.0f}. Leave unknown values empty (NaN)."
        )
    elapsed_s, values, counts = _one_value_a_moment(elapsed_s, values, counts)
    weights = None
    if counts.max(initial=0) > thresholds.max_points_kept:
        elapsed_s, values, counts, weights = fold_long(elapsed_s, values, counts, thresholds=thresholds)
    return _cut_at_restarts(elapsed_s, values, counts, weights=weights, given=given, thresholds=thresholds)


def prepare_folded(
    elapsed_s: ArrayLike, values: ArrayLike, weights: ArrayLike, *, thresholds: SeriesThresholds = _DEFAULT
) -> SeriesBatch:
    """Make a batch of one series that was folded already.

    Parameters
    ----------
    elapsed_s, values, weights : array-like, shape (n,)
        Rising seconds, known bytes, and how many samples each point stands for.
    thresholds : SeriesThresholds, optional
        The numbers to prepare by.
    """
    folded = np.asarray(weights, dtype=np.int64)
    times, levels = np.asarray(elapsed_s, dtype=np.float64), np.asarray(values, dtype=np.float64)
    given = np.array([folded.sum()])
    return _cut_at_restarts(times, levels, np.array([folded.size]), weights=folded, given=given, thresholds=thresholds)


def _cut_at_restarts(
    elapsed_s: FloatArray,
    values: FloatArray,
    counts: IntArray,
    *,
    weights: IntArray | None,
    given: IntArray,
    thresholds: SeriesThresholds,
) -> SeriesBatch:
    starts, restarts = _skip_restarts(elapsed_s, values, counts, thresholds)
    ends = np.cumsum(counts)
    stops = cut_late_falls(values, starts=starts, stops=ends, weights=weights, thresholds=thresholds)
    n_samples = stops - starts
    if weights is not None:
        before = np.concatenate([[0], np.cumsum(weights)])
        n_samples = before[stops] - before[starts]
    return SeriesBatch(
        elapsed_s=elapsed_s,
        values=values,
        starts=starts,
        stops=stops,
        ends=ends,
        n_samples=n_samples,
        n_dropped=given - n_samples,
        restarts=restarts,
    )


def _as_floats(data: ArrayLike, name: str) -> FloatArray:
    to_numpy = getattr(data, "to_numpy", None)
    try:
        array = to_numpy(dtype=np.float64, na_value=np.nan) if to_numpy else np.asarray(data, dtype=np.float64)
    except (TypeError, ValueError) as exc:
        raise InvalidArgumentError(f"A series needs numbers in {name}, but got {type(data).__name__}: {exc}.") from exc
    if array.ndim != 1:
        raise InvalidArgumentError(f"A series needs {name} in one dimension, but got {array.ndim}. Pass one a call.")
    return array


def _count_by_series(marked: NDArray[np.bool_], counts: IntArray) -> IntArray:
    """Return the number of samples of each series that are marked."""
    before = np.concatenate([[0], np.cumsum(marked)])
    stops = np.cumsum(counts)
    marks: IntArray = before[stops] - before[stops - counts]
    return marks


def _one_value_a_moment(
    times: FloatArray, values: FloatArray, counts: IntArray
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Sort each series by time, and keep the last value that was given for each moment."""
    if not _find_inner_pairs(counts, lambda a, b: times[a] >= times[b]).size:
        return times, values, counts
    series = np.repeat(np.arange(counts.size), counts)
    order = np.lexsort((times, series))
    times, values = times[order], values[order]
    is_last = np.append((np.diff(times) > 0) | (np.diff(series) > 0), True)
    return times[is_last], values[is_last], _count_by_series(is_last, counts)


def _find_inner_pairs(counts: IntArray, holds: Callable[[slice, slice], NDArray[np.bool_]]) -> IntArray:
    """Places that have something between them and the next, of the same series."""
    stops = np.cumsum(counts)
    found = _find_pairs(int(counts.sum()), holds)
    return found[~np.isin(found, stops - 1)]


def _find_pairs(n: int, holds: Callable[[slice, slice], NDArray[np.bool_]]) -> IntArray:
    """Places that have something between them and the next, looked for piece by piece: memory costs time."""
    pieces = [np.zeros(0, dtype=np.int64)]
    for start in range(0, n - 1, PAIRS_AT_ONCE):
        stop = min(start + PAIRS_AT_ONCE, n - 1)
        pieces.append(start + np.flatnonzero(holds(slice(start, stop), slice(start + 1, stop + 1))))
    return np.concatenate(pieces)


def _skip_restarts(
    times: FloatArray, values: FloatArray, counts: IntArray, thresholds: SeriesThresholds
) -> tuple[IntArray, IntArray]:
    """Return where each judged stretch begins, and how many restarts lie before it."""
    stops = np.cumsum(counts)
    starts, restarts = stops - counts, np.zeros(counts.size, dtype=np.int64)
    falls = 1 + _find_inner_pairs(counts, lambda a, b: values[b] < values[a] * (1 - thresholds.restart_fall))
    falling = np.searchsorted(stops, falls, side="right")
    for i in np.flatnonzero(np.bincount(falling)):
        of_series = falls[falling == i]
        edges = np.concatenate(([starts[i]], of_series, [stops[i]]))
        lengths = times[edges[1:] - 1] - times[edges[:-1]]
        whole = times[stops[i] - 1] - times[starts[i]]
        if lengths[-1] >= thresholds.restart_share * whole and lengths[-1] >= lengths.max():
            starts[i], restarts[i] = of_series[-1], of_series.size
    return starts, restarts
