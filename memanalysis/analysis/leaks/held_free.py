"""Resident memory that stays up after a peak because the C allocator holds it free: no leak, and with a cure."""

import numpy as np

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.leaks.origin import RunSamples
from memanalysis.analysis.thresholds import Thresholds
from memanalysis.analysis.verdict import Reason, VerdictFrame

__all__ = ["find_held_free"]

COLUMN = "allocator_free_bytes"


def find_held_free(frame: VerdictFrame, thresholds: Thresholds, *, samples: RunSamples | None = None) -> VerdictFrame:
    """Name the memory that the allocator holds free where that is much of what is resident.

    Parameters
    ----------
    frame : VerdictFrame
        Verdicts with their origin.
    thresholds : Thresholds
        The numbers to judge by; its group ``allocator``.
    samples : RunSamples, optional
        The samples of the runs. Without them nothing is known.

    Returns
    -------
    VerdictFrame
        With ``allocator_free_bytes``, NaN where it was not read. Rows that are no leak have the origin
        ``fragmentation`` where it is much.
    """
    size = len(frame["is_leak"])
    level, rule = frame["latest_bytes"], thresholds.allocator
    free = np.full(size, np.nan) if samples is None else _read_last(samples, rule.last_readings)
    free = np.minimum(free, level)  # pages that were given back count as free too
    is_resident = frame["metric"] == "rss_bytes"
    is_much = np.nan_to_num(free) >= np.maximum(rule.min_free_bytes, rule.min_free_share * np.nan_to_num(level))
    held = is_resident & is_much & ~frame["is_leak"] & (frame["origin"] == "unknown")
    held |= is_resident & is_much & frame["is_leak"] & (frame["origin"] == "fragmentation")
    found = frame | {COLUMN: free}
    if not held.any():
        return found
    reasons = frame["reasons"].copy()
    for i in np.flatnonzero(held).tolist():
        reasons[i] = (*reasons[i], Reason.FREE_IN_ALLOCATOR)
    origin = np.where(held, np.array("fragmentation", dtype=object), frame["origin"])
    return found | {"reasons": reasons, "origin": origin}


def _read_last(samples: RunSamples, n_readings: int) -> FloatArray:
    """Return the middle of the last known readings of each run."""
    from memanalysis.analysis.input_frames import known_floats

    last = np.full(samples.counts.size, np.nan)
    if COLUMN not in samples.frame:
        return last
    values = known_floats(samples.frame, COLUMN)
    if not np.isfinite(values).any():
        return last
    stops = np.cumsum(samples.counts)
    for i, (stop, count) in enumerate(zip(stops.tolist(), samples.counts.tolist(), strict=True)):
        piece = slice(stop - count, stop)
        order = np.argsort(samples.elapsed_s[piece], kind="stable")
        own = values[piece][order]
        own = own[np.isfinite(own)]
        if own.size:
            last[i] = np.median(own[-n_readings:])
    return last
