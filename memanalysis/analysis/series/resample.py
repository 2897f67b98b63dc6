"""Series of many lengths as matrices: at most 64 points a row, so that any length costs the same to judge."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.row_statistics import row_medians, share_row
from memanalysis.analysis.series.prepare import SeriesBatch
from memanalysis.analysis.series.warm_up import find_warm_up_ends
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, SeriesThresholds

__all__ = ["EqualLengthGroup", "SeriesMatrix", "group_equal_lengths", "make_series_matrix", "take_rows"]

ROWS_AT_ONCE = 4096
"""Series judged in one go: their pairwise slopes take 16 MB; fewer would cost more steps of Python each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualLengthGroup:
    """Series of a batch that have equally many samples, and equally many after the warm-up.

    Parameters
    ----------
    index, judged_from : array of int, shape (m,)
        Which series of the batch they are, and the first sample after the warm-up of each.
    """

    index: IntArray
    judged_from: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesMatrix:
    """Series of equally many points, one a row.

    Parameters
    ----------
    index : array of int, shape (m,)
        Which series of the batch the rows are.
    whole_s, whole : arrays of float, shape (m, p)
        Seconds and levels of the whole stretch.
    times, levels : arrays of float, shape (m, q)
        The same after the warm-up: what growth is judged on.
    lows : array of float, shape (m, q)
        The least value that each of these levels stands for.
    """

    index: IntArray
    whole_s: FloatArray
    whole: FloatArray
    times: FloatArray
    levels: FloatArray
    lows: FloatArray


def group_equal_lengths(
    batch: SeriesBatch, *, thresholds: SeriesThresholds = DEFAULT_THRESHOLDS.series
) -> Iterator[EqualLengthGroup]:
    """Yield the series that have enough samples, in groups of a few thousand with equal numbers of points."""
    sizes = batch.sizes
    enough = np.flatnonzero(sizes >= thresholds.min_samples)
    judged_from = find_warm_up_ends(batch, enough, thresholds)
    shapes = np.stack([sizes[enough], batch.stops[enough] - judged_from])
    order = np.lexsort(shapes)
    changes = np.flatnonzero(np.any(np.diff(shapes[:, order], axis=1) != 0, axis=0)) + 1
    for group in np.split(order, changes):
        for rows in np.split(group, range(ROWS_AT_ONCE, group.size, ROWS_AT_ONCE)):
            if rows.size:
                yield EqualLengthGroup(index=enough[rows], judged_from=judged_from[rows])


def make_series_matrix(
    batch: SeriesBatch, group: EqualLengthGroup, *, max_points: int = DEFAULT_THRESHOLDS.series.max_points
) -> SeriesMatrix:
    """Return these series as the rows of a matrix, resampled to at most this many points."""
    index, judged_from = group.index, group.judged_from
    size = int(batch.stops[index[0]] - judged_from[0])
    whole_s, whole = _resample(batch, batch.starts[index], int(batch.sizes[index[0]]), max_points)
    times, levels = _resample(batch, judged_from, size, max_points)
    lows = _find_lows(batch, judged_from, size, max_points) if size > max_points else levels
    return SeriesMatrix(index=index, whole_s=whole_s, whole=whole, times=times, levels=levels, lows=lows)


def take_rows(matrix: SeriesMatrix, rows: NDArray[np.bool_]) -> SeriesMatrix:
    """Return some of the rows."""
    return SeriesMatrix(**{field.name: getattr(matrix, field.name)[rows] for field in fields(SeriesMatrix)})


def _find_lows(batch: SeriesBatch, starts: IntArray, size: int, max_points: int) -> FloatArray:
    """Return the least value of the samples of each point: garbage collection frees in moments that medians miss."""
    edges = np.linspace(0, size, max_points + 1).round().astype(int)
    lows: FloatArray = np.minimum.reduceat(_take_rows(batch.values, starts, size), edges[:-1], axis=1)
    return lows


def _resample(batch: SeriesBatch, starts: IntArray, size: int, max_points: int) -> tuple[FloatArray, FloatArray]:
    """Return rows of ``size`` samples from ``starts`` on, as at most ``max_points`` medians each."""
    times, values = _take_rows(batch.elapsed_s, starts, size), _take_rows(batch.values, starts, size)
    if size <= max_points:
        return times, values
    edges = np.linspace(0, size, max_points + 1).round().astype(int)
    counts = np.diff(edges)
    if counts.max() <= 2:
        means = _average_ends(share_row(times), edges)
        return np.repeat(means, starts.size // len(means), axis=0), _average_ends(values, edges)
    means = np.add.reduceat(times, edges[:-1], axis=1) / counts
    medians = np.empty(means.shape)
    for count in np.unique(counts):  # two at the most, and all points of that number of samples at once
        of_count = counts == count
        samples = values[:, edges[:-1][of_count, None] + np.arange(count)].reshape(-1, count)
        medians[:, of_count] = row_medians(samples, overwrite=True).reshape(starts.size, -1)
    return means, medians


def _take_rows(flat: FloatArray, starts: IntArray, size: int) -> FloatArray:
    """Return the ``size`` values from each start on, one row each."""
    if starts.size == 1:
        return flat[np.newaxis, starts[0] : starts[0] + size]
    step = flat.strides[0]
    rows: FloatArray = as_strided(flat, (flat.size - size + 1, size), (step, step), writeable=False)[starts]
    return rows


def _average_ends(rows: FloatArray, edges: IntArray) -> FloatArray:
    """Return the mean of the first and the last value between two edges: the median of one or two."""
    means = rows.take(edges[:-1], axis=1)
    means += rows.take(edges[1:] - 1, axis=1)
    means /= 2
    return means
