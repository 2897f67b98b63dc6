"""The bytes that each line, site or type of one run held in each snapshot: a table laid out as a matrix."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.input_frames import known_floats
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, SiteThresholds
from memanalysis.analysis.trend.growth import theil_sen_slopes
from memanalysis.errors import InvalidArgumentError

__all__ = ["Growth", "HeldTable", "measure_growth", "tabulate_run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldTable:
    """``t`` snapshots of ``m`` things.

    Parameters
    ----------
    moments : DatetimeIndex, t moments
        When the snapshots were taken.
    elapsed_s : array of float, shape (t,)
        Seconds from the first snapshot on, strictly rising.
    sizes, counts : arrays of float, shape (t, m)
        Bytes, 0 where a snapshot does not list the thing; blocks or objects, NaN where that is not known.
    errors : array of float, shape (t, m)
        Standard errors of sampled sizes in bytes, 0 where sizes are exact.
    is_listed : array of bool, shape (t, m)
        Whether the snapshot lists the thing.
    names : DataFrame, m rows
        What they are: the key columns, and of others the cells of the largest row.
    """

    moments: pd.DatetimeIndex
    elapsed_s: FloatArray
    sizes: FloatArray
    counts: FloatArray
    errors: FloatArray
    is_listed: NDArray[np.bool_]
    names: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """The fitted growth of each of ``m`` things after the warm-up; ``judged`` (k,) are the snapshots measured."""

    judged: NDArray[np.intp]
    slopes: FloatArray
    growth: FloatArray
    shares: FloatArray


def tabulate_run(run: pd.DataFrame, *, keys: Sequence[str], counts: str, others: Sequence[str] = ()) -> HeldTable:
    """Add the rows of a run up by snapshot and key.

    Rows without time, key or size are left out, and a row that is there twice counts once.

    Parameters
    ----------
    run : DataFrame
        Rows of ``sites`` or ``objects`` of one run, with ``timestamp`` and ``size_bytes``.
    keys, others : sequence of str
        Columns that identify the things, and further ones that describe them.
    counts : str
        Column of the number of blocks or objects; it may be missing.

    Raises
    ------
    InvalidArgumentError
        A size is negative.
    """
    sizes = known_floats(run, "size_bytes")
    if np.any(sizes < 0):
        raise InvalidArgumentError(
            f"A table of what is held needs size_bytes of 0 or more, but got {sizes[sizes < 0].min():.0f}. "
            "Leave unknown sizes empty."
        )
    variances = np.nan_to_num(known_floats(run, "size_stderr_bytes")) ** 2
    known = run.assign(size=sizes, amount=known_floats(run, counts), variance=variances)[np.isfinite(sizes)]
    known = known.dropna(subset=["timestamp", *keys])
    known = known.drop_duplicates(["timestamp", *keys, *others, "size", "amount"])
    when, moments = pd.factorize(pd.to_datetime(known["timestamp"], utc=True), sort=True)
    groups = known.groupby(list(keys), sort=True, observed=True)
    shape = len(moments), groups.ngroups
    cell = when * groups.ngroups + groups.ngroup().to_numpy()
    is_listed = (np.bincount(cell, minlength=shape[0] * shape[1]) > 0).reshape(shape)

    def add_up(column: str) -> FloatArray:
        sums = np.bincount(cell, weights=known[column].to_numpy(), minlength=is_listed.size)
        return np.asarray(sums, dtype=np.float64).reshape(shape)

    largest = known.sort_values("size", kind="stable").drop_duplicates(list(keys), keep="last")
    return HeldTable(
        moments=pd.DatetimeIndex(moments),
        elapsed_s=np.asarray((moments - moments.min()).total_seconds(), dtype=np.float64),
        sizes=add_up("size"),
        counts=np.where(is_listed, add_up("amount"), np.nan),
        errors=np.sqrt(add_up("variance")),
        is_listed=is_listed,
        names=largest.sort_values(list(keys))[[*keys, *others]].reset_index(drop=True),
    )


def measure_growth(held: HeldTable, *, thresholds: SiteThresholds = DEFAULT_THRESHOLDS.site) -> Growth:
    """Return Theil-Sen slopes in bytes per second, the growth over the judged snapshots, and its share.

    Growth of a sampled site within the error of the sample counts as none.
    """
    judged = _judged_snapshots(held, thresholds)
    times, matrix = held.elapsed_s[judged], held.sizes[judged]
    slopes = np.zeros(matrix.shape[1])
    if times.size > 1 and slopes.size:
        slopes = theil_sen_slopes(np.broadcast_to(times, matrix.T.shape), matrix.T)
    growth = slopes * (times[-1] - times[0]) if times.size else slopes
    growth = np.where(growth < thresholds.min_sampling_sigmas * _sampling_errors(held, judged, growth), 0.0, growth)
    all_growth = float(growth[growth > 0].sum())
    shares = np.clip(growth, 0, None) / all_growth if all_growth > 0 else np.zeros(growth.size)
    return Growth(judged=judged, slopes=slopes, growth=growth, shares=shares)


def _sampling_errors(held: HeldTable, judged: NDArray[np.intp], growth: FloatArray) -> FloatArray:
    """Return the standard error of each growth: that of blocks as large as the site's own that add up to it."""
    if not judged.size:
        return np.zeros_like(growth)
    sizes, errors = held.sizes[judged].max(axis=0), held.errors[judged].max(axis=0)
    variance_a_byte = np.divide(errors**2, sizes, out=np.zeros_like(sizes), where=sizes > 0)
    return np.asarray(np.sqrt(variance_a_byte * np.clip(growth, 0, None)), dtype=np.float64)


def _judged_snapshots(held: HeldTable, thresholds: SiteThresholds) -> NDArray[np.intp]:
    elapsed_s = held.elapsed_s[: held.elapsed_s.size - _is_after_the_end(held, thresholds)]
    if not elapsed_s.size:
        return np.arange(0)
    judged = np.flatnonzero(elapsed_s >= thresholds.warm_up_share * elapsed_s[-1])
    if judged.size < thresholds.min_snapshots:
        judged = np.arange(elapsed_s.size)
    if judged.size > thresholds.max_snapshots:
        judged = judged[np.linspace(0, judged.size - 1, thresholds.max_snapshots).round().astype(int)]
    return judged


def _is_after_the_end(held: HeldTable, thresholds: SiteThresholds) -> bool:
    """Return whether the last snapshot lacks much of what was held before: a main function frees all as it returns."""
    if held.elapsed_s.size < thresholds.min_snapshots:
        return False
    totals = held.sizes.sum(axis=1)
    *earlier_falls, fall = totals[:-1] - totals[1:]
    least = thresholds.freed_share * np.ptp(totals[:-1])
    return bool(fall >= least > 0 and max(earlier_falls) < thresholds.freed_share * fall)
