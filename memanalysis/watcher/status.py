"""What is a recorder doing? The record that ``status()`` gives."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["RecorderStatus"]


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
