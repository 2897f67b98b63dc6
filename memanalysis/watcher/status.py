"""What is a recorder doing? The record that ``status()`` gives."""

import tracemalloc
from dataclasses import dataclass
from pathlib import Path

from memanalysis.watcher.error_isolation import ErrorBoundary
from memanalysis.watcher.observer import Observer
from memanalysis.watcher.settings import Settings
from memanalysis.watcher.trace_engine import TraceEngine

__all__ = ["RecorderStatus", "make_status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderStatus:
    """What a recorder is doing; None where there is nothing yet.

    Parameters
    ----------
    service, run_id, ledger
        What is watched, in which run, into which folder.
    running : bool
        Whether it watches now.
    ticks, snapshots : int
        Taken in this run.
    rss_bytes, traced_bytes : int or None
        At the last tick.
    capture_s : float or None
        Seconds that the last tick took.
    trace, trace_reason : str
        The engine that finds the lines (sampled, windows, full or off), and why it is that one.
    tracing : bool
        Whether tracemalloc traces now, whoever started it.
    errors : int
        Errors of the recorder that were kept from the program, since it was made, and uploads of this run that failed.
    last_error : str or None
        The last of them: what the last upload failed of, as long as none has succeeded since.
    metrics_url : str or None
        Where Prometheus can scrape the figures of the run; None where they are not served.
    """

    service: str
    running: bool
    run_id: str | None
    ledger: Path | str | None
    ticks: int
    snapshots: int
    rss_bytes: int | None
    traced_bytes: int | None
    capture_s: float | None
    trace: str
    trace_reason: str
    tracing: bool
    errors: int
    last_error: str | None
    metrics_url: str | None


def make_status(
    settings: Settings,
    observer: Observer | None,
    *,
    engine: TraceEngine,
    boundary: ErrorBoundary,
    is_running: bool,
    metrics_url: str | None,
) -> RecorderStatus:
    """Describe a recorder by its parts; ``observer`` is that of its current or last run."""
    last = {} if observer is None else observer.last
    return RecorderStatus(
        service=settings.service,
        running=is_running,
        run_id=None if observer is None else observer.run_id,
        ledger=settings.ledger,
        ticks=0 if observer is None else observer.ticks,
        snapshots=0 if observer is None else observer.n_snapshots,
        rss_bytes=last.get("rss_bytes"),
        traced_bytes=last.get("traced_bytes"),
        capture_s=last.get("capture_s"),
        trace=engine.name,
        trace_reason=engine.reason,
        tracing=tracemalloc.is_tracing(),
        errors=boundary.errors + (0 if observer is None else observer.upload_errors),
        last_error=(None if observer is None else observer.upload_error) or boundary.last_error,
        metrics_url=metrics_url,
    )
