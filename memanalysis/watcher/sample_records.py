"""Make records from the sample of a tick: that of the program alone in a tracing window, and a snapshot."""

from collections.abc import Sequence
from typing import Any

from memanalysis.capture.tracing import TOP_SITES
from memanalysis.schema import MemorySnapshot, Row
from memanalysis.units import mb_from_bytes

__all__ = ["make_snapshot", "make_trace_stats", "take_tracer_off"]


def take_tracer_off(sample: dict[str, Any]) -> None:
    """Make a sample that was taken in a tracing window one of the program alone.

    What the tracer holds for a moment would be a spike in the series that is judged and held against the policy;
    ``tracer_bytes`` gives what was taken off. What a short window traces is no series.
    """
    sample["traced_bytes"] = sample["traced_peak_bytes"] = None
    if sample["rss_bytes"] is not None and sample["tracer_bytes"] is not None:
        sample["rss_bytes"] = max(0, sample["rss_bytes"] - sample["tracer_bytes"])


def make_snapshot(sample: Row, stats: dict[str, Any] | None) -> MemorySnapshot:
    """Make the record of the contract from a deep sample; without tracing its MB are those of the resident memory."""
    current = sample["rss_bytes"] if sample["traced_bytes"] is None else sample["traced_bytes"]
    peak = current if sample["traced_peak_bytes"] is None else sample["traced_peak_bytes"]
    rss = sample["rss_bytes"]
    return MemorySnapshot(
        timestamp=sample["timestamp"],
        current_mb=float("nan") if current is None else mb_from_bytes(current),
        peak_mb=float("nan") if peak is None else mb_from_bytes(peak),
        object_count=sample["object_count"] or 0,
        tracemalloc_stats=stats,
        rss_mb=None if rss is None else mb_from_bytes(rss),
        live_allocations=sample["live_allocations"],
        gc_collections=sample["gc_collections"],
        elapsed_s=sample["elapsed_s"],
    )


def make_trace_stats(rows: Sequence[Row], sample: Row) -> dict[str, Any]:
    """Return the first rows of ``sites``, and what tracing takes, as a snapshot of the contract has them."""
    top = [
        {"file": row["file"], "line": row["line"], "size_mb": mb_from_bytes(row["size_bytes"])}
        | {"count": row["live_allocations"]}
        for row in rows[:TOP_SITES]
    ]
    return {"top": top, "tracer_mb": mb_from_bytes(sample["tracer_bytes"] or 0)}
