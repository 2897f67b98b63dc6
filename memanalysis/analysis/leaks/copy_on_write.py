"""Memory that a process shared with its parent and copies as it writes: private memory grows, resident memory is flat.

A forked worker that only reads Python objects writes to them: each reference counted changes the page. The worker
leaks nothing, and the machine still runs out of memory.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.series.prepare import SeriesBatch
from memanalysis.analysis.thresholds import OriginThresholds, Thresholds
from memanalysis.analysis.trend.shape_readings import classify_shapes
from memanalysis.analysis.trend.trend_shape import GROWING, PLATEAUING, SLOWING
from memanalysis.analysis.verdict import Reason, VerdictFrame
from memanalysis.schema import BYTE_METRICS, PRIVATE_METRIC

__all__ = ["find_copy_on_write"]


def find_copy_on_write(
    frame: VerdictFrame, thresholds: Thresholds, *, batches: Mapping[str, SeriesBatch]
) -> VerdictFrame:
    """Name what is no leak but copies shared memory: a step after the origin.

    Parameters
    ----------
    frame : VerdictFrame
        Verdicts with their origin.
    thresholds : Thresholds
        The numbers to judge by; its group ``origin``.
    batches : mapping
        The prepared series by metric; nothing is done without those of RSS and of private memory.

    Returns
    -------
    VerdictFrame
        Rows that copy on write are ``growing`` in private memory and no leak, with the origin ``copy-on-write``. With
        ``copied_bytes``: by how much private memory grew there, 0 elsewhere.
    """
    private, resident = batches.get(PRIVATE_METRIC), batches.get(BYTE_METRICS[0])
    wanted = np.flatnonzero(~frame["is_leak"])
    nothing = {"copied_bytes": np.zeros(len(frame["is_leak"]))}
    if private is None or resident is None or not wanted.size or not private.sizes.any():
        return frame | nothing
    fits = classify_shapes(private, thresholds=thresholds.from_first_evidence())
    rise, copies = np.zeros(private.sizes.size), np.zeros(private.sizes.size, dtype=bool)
    for i in wanted[np.isin(fits.shape[wanted], (GROWING, SLOWING, PLATEAUING))].tolist():
        times, values = private.take(i)
        rise[i] = _rise(values)
        copies[i] = _is_flat(resident, i, times, rise[i], thresholds.origin)
    if not copies.any():
        return frame | nothing
    return (
        frame
        | {"copied_bytes": np.where(copies, rise, 0.0)}
        | _mark(frame, copies, fits.slope, fits.low, fits.high, rise, private.latest)
    )


def _rise(values: FloatArray) -> float:
    """Return by how much the last two values lie above the first two."""
    return float(values[-2:].mean() - values[:2].mean())


def _is_flat(resident: SeriesBatch, place: int, times: FloatArray, rise_bytes: float, rule: OriginThresholds) -> bool:
    """Return whether resident memory rose by little of what private memory rose, which is large enough to matter."""
    resident_s, levels = resident.take(place)
    if levels.size < rule.min_private_samples:
        return False
    least = max(rule.min_seen_bytes, rule.min_copied_share * float(levels[-1]))
    beside = _rise(np.interp(times, resident_s, levels))
    return rise_bytes >= least and beside <= rule.max_resident_share * rise_bytes


def _mark(
    frame: VerdictFrame,
    copies: NDArray[np.bool_],
    slope: FloatArray,
    low: FloatArray,
    high: FloatArray,
    rise: FloatArray,
    latest: FloatArray,
) -> VerdictFrame:
    reasons = frame["reasons"].copy()
    for i in np.flatnonzero(copies):
        reasons[i] = (Reason.COPIES_ON_WRITE,)
    new: dict[str, Any] = {
        "shape": "growing",
        "origin": "copy-on-write",
        "metric": PRIVATE_METRIC,
        "slope_bytes_per_s": slope,
        "low_bytes_per_s": low,
        "high_bytes_per_s": high,
        "growth_bytes": rise,
        "growth_percent": 100 * rise / np.maximum(latest - rise, 1.0),
        "latest_bytes": latest,
    }
    marked: VerdictFrame = {}
    for name, value in new.items():
        marked[name] = np.array(frame[name], dtype=object if isinstance(value, str) else np.float64)
        marked[name][copies] = value if isinstance(value, str) else value[copies]
    return marked | {"reasons": reasons}
