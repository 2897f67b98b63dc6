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
from memanalysis.analysis.verdict import Reason, VerdictFrame
from memanalysis.schema import BYTE_METRICS, PRIVATE_METRIC

__all__ = ["find_copy_on_write"]


def find_copy_on_write(
    frame: VerdictFrame, thresholds: Thresholds, *, batches: Mapping[str, SeriesBatch]
) -> VerdictFrame:
    """Mark growth that comes from copying shared memory after a fork, and is no leak.

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
        Where copy-on-write explains the growth, ``shape`` is ``growing``, ``is_leak`` is False and ``origin`` is
        ``copy-on-write``. The column ``copied_bytes`` is by how much private memory grew there, and 0 elsewhere.
    """
    private, resident = batches.get(PRIVATE_METRIC), batches.get(BYTE_METRICS[0])
    count = len(frame["is_leak"])
    nothing = {"copied_bytes": np.zeros(count)}
    if private is None or resident is None or not private.sizes.any():
        return frame | nothing
    rule, rise, copies = thresholds.origin, np.zeros(count), np.zeros(count, dtype=bool)
    for i in np.flatnonzero((private.sizes >= rule.min_private_samples) & (resident.sizes > 1)).tolist():
        most = rule.max_resident_share_of_a_leak if frame["is_leak"][i] else rule.max_resident_share
        rise[i] = _measure_copies(*private.take(i), *resident.take(i), max_resident_share=most, rule=rule)
        copies[i] = rise[i] > 0
    if not copies.any():
        return frame | nothing
    fits = classify_shapes(private, thresholds=thresholds.from_first_evidence())
    return (
        frame
        | {"copied_bytes": np.where(copies, rise, 0.0)}
        | _mark(frame, copies, fits.slope, fits.low, fits.high, rise, private.latest)
    )


def _measure_copies(
    private_s: FloatArray,
    private: FloatArray,
    resident_s: FloatArray,
    resident: FloatArray,
    *,
    max_resident_share: float,
    rule: OriginThresholds,
) -> float:
    """Return by how much private memory grew at the expense of what is shared, or 0 where that is not what happened.

    What is shared is greatest at the fork, or when the last child was started; copying follows.
    """
    level = np.interp(private_s, resident_s, resident)
    first = int(np.argmax(level - private))
    private, level = private[first:], level[first:]
    if private.size < rule.min_private_samples:
        return 0.0
    steps = np.diff(private)
    rise = _rise(private)
    if rise < max(rule.min_copied_bytes, rule.min_copied_share * float(level[-1])):
        return 0.0
    grows_alone = _rise(level) <= max_resident_share * rise
    is_gradual = private[-1] - private[0] - steps.max() >= rule.min_rest_share * rise
    is_gradual &= np.count_nonzero(steps >= rule.min_copy_step_share * rise) >= rule.min_copy_steps
    stays = -steps[steps < 0].sum() <= rule.max_falling_share * rise
    return rise if grows_alone and is_gradual and stays else 0.0


def _rise(values: FloatArray) -> float:
    """Return by how much the middle of the last values lies above the first one."""
    return float(np.median(values[-3:]) - values[0])


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
        "severity": "none",
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
    times_left = [name for name in frame if name.startswith("time_to_exhaustion")]
    return (
        marked
        | {name: np.where(copies, np.nan, frame[name]) for name in times_left}
        | {"reasons": reasons, "is_leak": frame["is_leak"] & ~copies}
    )
