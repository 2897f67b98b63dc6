"""Where growth of RSS comes from: Python objects, native code, memory that the allocator holds free, or unknown."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.leaks.responsible_line import TableSource, read_table
from memanalysis.analysis.series.prepare import prepare_grouped
from memanalysis.analysis.thresholds import OriginThresholds, Thresholds
from memanalysis.analysis.trend.shape_readings import classify_shapes
from memanalysis.analysis.verdict import Reason, VerdictFrame

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RunSamples", "find_origin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSamples:
    """The samples of ``m`` runs, run after run.

    Parameters
    ----------
    frame : DataFrame
        Rows of the table ``samples``.
    counts : array of int, shape (m,)
        Samples of each run.
    elapsed_s : array of float, shape (n,)
        Seconds of each sample.
    """

    frame: "pd.DataFrame"
    counts: IntArray
    elapsed_s: FloatArray


def find_origin(
    frame: VerdictFrame, thresholds: Thresholds, *, samples: RunSamples | None = None, events: TableSource = None
) -> VerdictFrame:
    """Add the origin of each leak, from its samples or from what tracing windows measured.

    Parameters
    ----------
    frame : VerdictFrame
        What `judge_series` returns, with ``service`` and ``run_id`` where there are events.
    thresholds : Thresholds
        The numbers to judge by; its group ``origin``.
    samples : RunSamples, optional
        The samples of the runs. Without them no origin is known from samples.
    events : DataFrame or callable, optional
        Rows of the table ``events``: ``service``, ``run_id``, ``kind`` and ``data``.

    Returns
    -------
    VerdictFrame
        With ``origin``, which is ``unknown`` for what is no leak, and ``window_rss_growth_bytes`` and
        ``window_retained_bytes``, NaN where windows do not decide.

    Notes
    -----
    From samples: ``python`` when traced bytes carry the growth (or leak by themselves), ``fragmentation`` when the
    allocator holds it free, ``native`` when traced bytes are known and do not carry it, else ``unknown``. What tracing
    itself takes, which grows with the blocks it follows, is taken off the growth of RSS first.

    From the sampler's estimates where nothing is traced: ``python`` when they carry the growth of RSS, ``native`` when
    they would not even with two standard errors more.

    From windows, as under ``trace="auto"``, for leaks of RSS whose origin is still unknown: the suspects, whose
    survivors came back in every window, are compared with two measures of the growth of RSS. One is that of the whole
    run, for as long as the windows were open. The other is that inside the windows, which is less where tracing slows
    the program. ``python`` when the suspects carry enough of the first, or of the second where that is not next to
    nothing; ``native`` when RSS grew inside the windows without them, or when they are too few even for a leak that
    tracing slowed down; else it stays ``unknown``.
    """
    origins = _classify_by_samples(frame, samples, thresholds)
    origins = _classify_by_sampler(frame, origins, samples, thresholds)
    unknown = np.full(origins.size, np.nan)
    found = {"origin": origins, "window_rss_growth_bytes": unknown, "window_retained_bytes": unknown.copy()}
    wanted = np.flatnonzero(frame["is_leak"] & (origins == "unknown") & (frame["metric"] == "rss_bytes"))
    table = read_table(events) if wanted.size else None
    if table is None:
        return frame | found
    return frame | found | _classify_by_windows(frame, origins, wanted, table, thresholds.origin)


def _classify_by_samples(
    frame: VerdictFrame, samples: RunSamples | None, thresholds: Thresholds
) -> NDArray[np.object_]:
    is_leak, rule = frame["is_leak"], thresholds.origin
    origins = np.full(is_leak.size, "unknown", dtype=object)
    if samples is None or not {"traced_bytes:is_leak", "rss_bytes:is_leak"} <= frame.keys() or not is_leak.any():
        return origins
    rss_leaks, rss_slope = frame["rss_bytes:is_leak"], frame["rss_bytes:slope_bytes_per_s"]
    traced_leaks, traced_slope = frame["traced_bytes:is_leak"], frame["traced_bytes:slope_bytes_per_s"]
    resident = is_leak & (frame["rss_bytes:n_samples"] > 0)
    both = resident & np.isfinite(traced_slope)
    tracer, free = (
        _fit_slopes(samples, name, is_leak, thresholds) for name in ("tracer_bytes", "allocator_free_bytes")
    )
    tracer = np.where(both, tracer, 0.0)  # samples of short windows are without it already
    to_explain = np.maximum(rss_slope - tracer, rule.min_unexplained_share * rss_slope)
    origins[both] = "native"
    origins[resident & rss_leaks & (free >= rule.min_share * to_explain)] = "fragmentation"
    share = np.where(traced_leaks, rule.min_share_of_a_leak, rule.min_share)
    origins[both & (~rss_leaks | (traced_slope >= share * to_explain))] = "python"
    return origins


def _classify_by_sampler(
    frame: VerdictFrame, origins: NDArray[np.object_], samples: RunSamples | None, thresholds: Thresholds
) -> NDArray[np.object_]:
    """Return the origins, with those of leaks of RSS that the sampler's estimates show."""
    rule = thresholds.origin
    wanted = frame["is_leak"] & (origins == "unknown") & (frame["metric"] == "rss_bytes")
    if samples is None or not wanted.any():
        return origins
    wanted &= _is_known(samples, "sampled_bytes")
    if not wanted.any():
        return origins
    growth = np.nan_to_num(frame["slope_bytes_per_s"])
    seconds = np.maximum(np.nan_to_num(frame["judged_s"]), 1.0)
    sampled = _fit_slopes(samples, "sampled_bytes", wanted, thresholds)
    free = _fit_slopes(samples, "allocator_free_bytes", wanted, thresholds)
    error = rule.sampling_sigmas * np.sqrt(rule.sampling_interval_bytes * np.maximum(growth * seconds, 0.0)) / seconds
    found = origins.copy()
    found[wanted & (sampled + error < rule.min_share * growth)] = "native"
    found[wanted & (free >= rule.min_share * growth)] = "fragmentation"
    found[wanted & (sampled >= rule.min_share * growth)] = "python"
    return found


def _is_known(samples: RunSamples, column: str) -> NDArray[np.bool_]:
    """Return for each run whether a column is known in more than half of its samples."""
    from memanalysis.analysis.input_frames import known_floats

    if column not in samples.frame:
        return np.zeros(samples.counts.size, dtype=bool)
    known = np.isfinite(known_floats(samples.frame, column))
    of_run = np.repeat(np.arange(samples.counts.size), samples.counts)
    n_known = np.bincount(of_run, weights=known, minlength=samples.counts.size)
    is_known: NDArray[np.bool_] = n_known > samples.counts / 2
    return is_known


def _fit_slopes(samples: RunSamples, column: str, wanted: NDArray[np.bool_], thresholds: Thresholds) -> FloatArray:
    """Return the growth of a column in bytes per second; 0 where too little of it is known to explain anything."""
    from memanalysis.analysis.input_frames import known_floats

    if column not in samples.frame:
        return np.zeros(samples.counts.size)
    values = np.where(np.repeat(wanted, samples.counts), known_floats(samples.frame, column), np.nan)
    batch = prepare_grouped(samples.counts, samples.elapsed_s, values, thresholds=thresholds.series)
    return np.nan_to_num(classify_shapes(batch, thresholds=thresholds).slope)


def _classify_by_windows(
    frame: VerdictFrame,
    origins: NDArray[np.object_],
    wanted: NDArray[np.intp],
    events: "pd.DataFrame",
    rule: OriginThresholds,
) -> VerdictFrame:
    from memanalysis.analysis.input_frames import run_key

    traced = events[events["kind"].eq("window")]
    groups = traced.groupby(["service", "run_id"], sort=False, dropna=False, observed=True)
    windows = {run_key({"service": service, "run_id": run}): _sum_windows(of["data"]) for (service, run), of in groups}
    origins, reasons = origins.copy(), frame["reasons"].copy()
    grown_bytes, retained_bytes = np.full(origins.size, np.nan), np.full(origins.size, np.nan)
    for i in wanted:
        key = run_key({"service": frame["service"][i], "run_id": frame["run_id"][i]})
        if key not in windows:
            continue
        seconds, grown, retained = windows[key]
        grown_bytes[i], retained_bytes[i] = grown, retained
        origins[i] = _classify_one(seconds, grown, retained, frame["slope_bytes_per_s"][i], rule)
        if origins[i] == "native":
            is_seen = grown >= rule.min_seen_bytes
            reasons[i] = (*reasons[i], Reason.NATIVE_IN_WINDOWS if is_seen else Reason.NATIVE_BY_SURVIVORS)
    return {
        "origin": origins,
        "window_rss_growth_bytes": grown_bytes,
        "window_retained_bytes": retained_bytes,
        "reasons": reasons,
    }


def _sum_windows(cells: "pd.Series[Any]") -> tuple[float, float, float]:
    """Return seconds, growth of RSS and survivors of the suspects over all windows of a run; NaN where unknown.

    An early window, whose number is 0, came before growth was believed, and has no suspects.
    """
    known = [cell for cell in cells if isinstance(cell, dict) and cell.get("window") != 0]
    seconds, grown = (_sum_cells(known, name) for name in ("seconds", "rss_growth_bytes"))
    return seconds, grown, _sum_cells(known[-1:], "suspect_bytes")  # which are added up as they are written


def _sum_cells(cells: list[dict[str, Any]], name: str) -> float:
    from memanalysis.analysis.input_frames import finite_float

    values = [finite_float(cell.get(name)) for cell in cells]
    known = [value for value in values if value is not None]
    return sum(known) if cells and len(known) == len(cells) else np.nan


def _classify_one(seconds: float, grown: float, retained: float, slope: float, rule: OriginThresholds) -> str:
    """Return the origin by what windows measured; ``slope`` is that of RSS, in bytes per second."""
    if np.isnan(retained):
        return "unknown"
    of_run = slope * seconds
    is_seen = grown >= rule.min_seen_bytes
    is_enough = is_seen or retained >= rule.min_share_of_a_leak * of_run
    if retained >= rule.min_share * of_run or (is_enough and retained >= rule.min_share * grown):
        return "python"
    if is_seen or retained < rule.min_share * of_run / rule.max_slowdown:
        return "native"
    return "unknown"
