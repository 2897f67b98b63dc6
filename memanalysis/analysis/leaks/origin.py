"""Where growth of RSS comes from: Python objects, native code, memory that the allocator holds free, or unknown."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.input_frames import finite_float, known_floats, run_key
from memanalysis.analysis.series.prepare import prepare_grouped
from memanalysis.analysis.trend.trend_shape import classify_shapes
from memanalysis.units import MIB, format_bytes

__all__ = ["classify_origins", "explain_by_windows"]

LEAST_SHARE = 0.4
"""A part that explains at least this share of the growth of RSS names its origin."""


LEAST_SHARE_OF_A_LEAK = 0.1
"""The same where traced bytes are a leak of their own: allocators and tracing inflate what small objects cost."""

LEAST_SEEN_BYTES = MIB
"""Growth of RSS in all tracing windows from which on it says something: less may be the page of an arena or a stack."""

MOST_SLOWED = 50.0
"""Tracing slows a program, and with it its leak: at most so many times. Survivors that even then explain too little do
not carry the growth."""


def classify_origins(
    samples: pd.DataFrame,
    counts: IntArray,
    elapsed_s: FloatArray,
    judged: Mapping[str, Mapping[str, Any]],
    is_leak: NDArray[np.bool_],
) -> NDArray[np.str_]:
    """Name the origin of each leak; ``unknown`` for what is none.

    Parameters
    ----------
    samples : DataFrame
        Samples of all runs, run after run.
    counts : array of int, shape (m,)
        Samples of each run.
    elapsed_s : array of float, shape (n,)
        Seconds of each sample.
    judged : mapping
        Columns of ``judge_batch`` by metric.
    is_leak : array of bool, shape (m,)
        Runs of which a leak was shown, on whichever metric.

    Notes
    -----
    ``python`` when traced bytes carry the growth (or leak by themselves), ``fragmentation`` when the allocator holds it
    free, ``native`` when traced bytes are known and carry it not, else ``unknown``: then `explain_by_windows` may know.
    What tracing itself takes, which grows with the blocks it follows, is taken off the growth of RSS first.
    """
    origins = np.full(is_leak.size, "unknown", dtype="<U13")
    if "traced_bytes" not in judged or "rss_bytes" not in judged or not is_leak.any():
        return origins
    rss, traced = judged["rss_bytes"], judged["traced_bytes"]
    resident = is_leak & (rss["n_samples"] > 0)
    both = resident & np.isfinite(traced["slope_bytes_per_s"])
    tracer, free = (
        _slopes(samples, counts, elapsed_s, name, is_leak) for name in ("tracer_bytes", "allocator_free_bytes")
    )
    to_explain = np.maximum(rss["slope_bytes_per_s"] - tracer, rss["slope_bytes_per_s"] / 10)
    origins[both] = "native"
    origins[resident & rss["is_leak"] & (free >= LEAST_SHARE * to_explain)] = "fragmentation"
    share = np.where(traced["is_leak"], LEAST_SHARE_OF_A_LEAK, LEAST_SHARE)
    origins[both & (~rss["is_leak"] | (traced["slope_bytes_per_s"] >= share * to_explain))] = "python"
    return origins


def explain_by_windows(verdicts: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Name the origin of leaks that were traced in windows only, as under ``trace="auto"``.

    Parameters
    ----------
    verdicts : DataFrame
        Verdicts of runs; ``service``, ``run_id``, ``origin``, ``is_leak``, ``metric``, ``slope_bytes_per_s`` and
        ``sentence``.
    events : DataFrame
        Rows of the table ``events``: ``service``, ``run_id``, ``kind`` and ``data``.

    Returns
    -------
    DataFrame
        The verdicts; ``origin`` of leaks of RSS where it was ``unknown`` and windows were traced may be another, and
        the sentence of those that are native then says so.

    Notes
    -----
    The suspects, whose survivors came back in every window, are held against two measures of the growth of RSS: that of
    the whole run, for as long as the windows were open, and that inside the windows, which is less where tracing slows
    the program. ``python`` when they carry enough of the first, or of the second where that is not next to nothing;
    ``native`` when RSS grew inside the windows without them, or when they are too few even for a leak that tracing
    slowed down; else it stays ``unknown``.
    """
    wanted = verdicts["is_leak"] & verdicts["origin"].eq("unknown") & verdicts["metric"].eq("rss_bytes")
    traced = events[events["kind"].eq("window")]
    if not wanted.any() or traced.empty:
        return verdicts
    groups = traced.groupby(["service", "run_id"], sort=False, dropna=False, observed=True)
    windows = {run_key({"service": service, "run_id": run}): _sum_windows(of["data"]) for (service, run), of in groups}
    origins, sentences = verdicts["origin"].copy(), verdicts["sentence"].copy()
    for i, service, run_id, slope in verdicts.loc[wanted, ["service", "run_id", "slope_bytes_per_s"]].itertuples():
        key = run_key({"service": service, "run_id": run_id})
        if key in windows:
            seconds, grown, kept = windows[key]
            origins[i] = _classify_windows(seconds, grown, kept, slope)
            if origins[i] == "native":
                sentences[i] += _describe_native(grown, kept)
    return verdicts.assign(origin=origins, sentence=sentences)


def _sum_windows(cells: "pd.Series[Any]") -> tuple[float, float, float]:
    """Seconds, growth of RSS and survivors of the suspects, each over all windows of a run; NaN where unknown."""
    known = [cell for cell in cells if isinstance(cell, dict)]
    seconds, grown = (_sum_cells(known, name) for name in ("seconds", "rss_growth_bytes"))
    return seconds, grown, _sum_cells(known[-1:], "suspect_bytes")  # which are added up as they are written


def _sum_cells(cells: list[dict[str, Any]], name: str) -> float:
    values = [finite_float(cell.get(name)) for cell in cells]
    known = [value for value in values if value is not None]
    return sum(known) if cells and len(known) == len(cells) else np.nan


def _classify_windows(seconds: float, grown: float, kept: float, slope: float) -> str:
    """Origin from what windows saw; ``slope`` is that of RSS, in bytes per second."""
    if np.isnan(kept):
        return "unknown"
    of_run = slope * seconds
    is_seen = grown >= LEAST_SEEN_BYTES
    is_enough = is_seen or kept >= LEAST_SHARE_OF_A_LEAK * of_run
    if kept >= LEAST_SHARE * of_run or (is_enough and kept >= LEAST_SHARE * grown):
        return "python"
    if is_seen or kept < LEAST_SHARE * of_run / MOST_SLOWED:
        return "native"
    return "unknown"


def _describe_native(grown: float, kept: float) -> str:
    of_growth = f" of the {format_bytes(grown)} by which RSS grew" if grown >= LEAST_SEEN_BYTES else ""
    return f" Native code: in the traced windows Python kept {format_bytes(kept)}{of_growth}."


def _slopes(
    samples: pd.DataFrame, counts: IntArray, elapsed_s: FloatArray, column: str, wanted: NDArray[np.bool_]
) -> FloatArray:
    """Growth of a column in bytes per second; 0 where too little of it is known to explain anything."""
    values = np.where(np.repeat(wanted, counts), known_floats(samples, column), np.nan)
    batch = prepare_grouped(counts, elapsed_s, values)
    return np.nan_to_num(classify_shapes(batch).slope)
