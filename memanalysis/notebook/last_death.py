"""Find the cell in which the last kernel died: its run has no end, its last cell has none either, and it is gone.

A kernel that was shut down or restarted in order has written the end of its run. One that still runs, such as that of
another notebook in the same folder, is known by its pid, when that process started, and the name of the machine. A
kernel that was killed between two cells is passed over: that is how servers end idle ones.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memanalysis._process_identity import is_still_running
from memanalysis._text import make_printable
from memanalysis.ledger.marker import DEFAULT_FILE_MODE
from memanalysis.ledger.reading.live_tail import list_live_runs, read_last_rows
from memanalysis.units import format_bytes, format_duration

__all__ = ["KernelDeath", "announce_last_death", "find_last_death"]

ANNOUNCED_NAME = ".announced_deaths"
"""File in the ledger, hidden from readers, with a line for each run whose death was shown."""

SAMPLE_TAIL_BYTES = 8 * 1024
"""Of the samples only the last is needed."""

MAX_RUNS = 20
"""Runs that are opened, the latest: those of other notebooks that still run come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelDeath:
    """A kernel that ended while a cell ran; None is unknown.

    Parameters
    ----------
    cell, source : str
        ``In[5]``, and its source as it was typed, cut after some thousand characters.
    line : int or None
        Of the cell: the one under which memory grew most, or that ran last.
    text : str
        Of that line.
    rss_bytes : int or None
        Resident memory at the last reading.
    limit_bytes : int or None
        What the container allowed.
    died_at : float
        Epoch seconds of the last row.
    """

    ledger: Path
    service: str
    run_id: str
    cell: str
    source: str
    line: int | None
    text: str
    rss_bytes: int | None
    limit_bytes: int | None
    died_at: float

    def describe(self, *, now: float) -> str:
        """Return the sentences to show."""
        limit = "" if self.limit_bytes is None else f" (limit {format_bytes(self.limit_bytes)})"
        memory = "" if self.rss_bytes is None else f" at {format_bytes(self.rss_bytes)}{limit}"
        where = "" if self.line is None else f", at line {self.line}: `{make_printable(self.text)}`"
        ago = format_duration(max(0.0, now - self.died_at))
        call = f"memanalysis.report({str(self.ledger)!r}, run_id={self.run_id!r})"
        return f"Your last kernel died in {self.cell}{memory}{where}, {ago} ago. Its report: {call}"


def announce_last_death(ledger: Path | str, *, service: str | None, host: str | None, now: float) -> str | None:
    """Return the sentences about the last kernel, if it died in a cell and they were not given before.

    A ledger behind a URL, or one that cannot be read, gives None: a notebook must load whatever lies in its folder.
    """
    root = Path(ledger)
    try:
        death = find_last_death(root, service=service, host=host)
        if death is None or not _note_announced(root, death.run_id):
            return None
    except Exception:  # rows of a foreign or damaged ledger can have any shape
        return None
    return death.describe(now=now)


def find_last_death(ledger: Path, *, service: str | None = None, host: str | None = None) -> KernelDeath | None:
    """Return how the last run of a notebook died, if it did so in a cell; of runs that still go on the one before.

    Parameters
    ----------
    service : str, optional
        Of the runs; all, if not given.
    host : str or None
        Name of this host. Whether a process of another host runs is not known.

    Raises
    ------
    OSError
        A file cannot be read.
    """
    for run_id in reversed(list_live_runs(ledger, service=service)[-MAX_RUNS:]):
        runs = read_last_rows(ledger, "runs", run_id)
        if not runs or runs[-1].get("host") != host:
            continue
        run = runs[-1]
        if any(row.get("ended") is not None for row in runs):
            return None
        if not is_still_running(run.get("pid", 0), seen_at=run.get("started", 0.0)):
            return _read_death(ledger, run)
    return None


def _read_death(ledger: Path, run: dict[str, Any]) -> KernelDeath | None:
    events = read_last_rows(ledger, "events", run["run_id"])
    cells = [event for event in events if event.get("kind") in {"cell_start", "cell_line", "cell"}]
    if not cells or cells[-1]["kind"] == "cell" or not isinstance(cells[-1].get("data"), dict):
        return None
    last = cells[-1]["data"]
    starts = [event["data"] for event in cells if event["kind"] == "cell_start"]
    start = starts[-1] if starts else {}
    samples = read_last_rows(ledger, "samples", run["run_id"], tail_bytes=SAMPLE_TAIL_BYTES)
    sample = samples[-1] if samples else {}
    readings = [(row.get("timestamp", 0.0), row.get("rss_bytes")) for row in (sample, cells[-1] | last)]
    died_at, rss_bytes = max((reading for reading in readings if reading[1] is not None), default=(0.0, None))
    return KernelDeath(
        ledger=ledger,
        service=run.get("service", ""),
        run_id=run["run_id"],
        cell=str(last.get("cell")),
        source=str(start.get("source", "")),
        line=last.get("line"),
        text=str(last.get("text", "")),
        rss_bytes=rss_bytes,
        limit_bytes=sample.get("limit_bytes"),
        died_at=max(died_at, cells[-1].get("timestamp", 0.0)),
    )


def _note_announced(ledger: Path, run_id: str) -> bool:
    """Note that a death is shown now; False where it was before."""
    path = ledger / ANNOUNCED_NAME
    if path.exists() and run_id in path.read_text(encoding="utf-8").split():
        return False
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, DEFAULT_FILE_MODE)
    try:
        os.write(descriptor, f"{run_id}\n".encode())
    finally:
        os.close(descriptor)
    return True
