"""Write what a cell is before it runs, and which line of it grows while it runs: what a killed kernel leaves.

Two kinds of events. ``cell_start`` has the cell's label and its source. ``cell_line`` has the line that memory grew
under most, written when memory has reached a new height, so that their number is bounded by how high it rises. Once a
cell has grown, the sampler runs until it ends, where there is one: it knows which line holds what was allocated since.
Without it, growth counts for the line that ran when it was seen.
Each row is with the operating system before the next one, so nothing is lost with the process.
"""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

from memanalysis._text import make_printable
from memanalysis.capture import sampler
from memanalysis.capture.growing_line import GrowthSampling
from memanalysis.capture.notebook_cells import display_file
from memanalysis.units import MIB, format_bytes

__all__ = ["MAX_SOURCE_CHARACTERS", "CellJournal", "find_cell_line"]

MAX_SOURCE_CHARACTERS = 4_000
"""Of the source of a cell, from its beginning: a hundred lines."""

MAX_LINE_CHARACTERS = 200
"""Of the text of one line."""

HEIGHT_STEP_BYTES = 16 * MIB
HEIGHT_STEP_SHARE = 0.05
"""Memory is written again when it is higher by both: a rise from 100 MiB to 100 GiB is some 140 rows."""

LINE_INTERVAL_S = 10.0
"""Without growth, another line is written after so long."""

MAX_FRAMES = 10_000
"""Frames of a stack that are visited at most."""


class CellJournal:
    """The record of one cell that begins now, in this thread.

    Parameters
    ----------
    label : str
        Such as ``In[3]``.
    source : str
        As it was typed.
    rss_bytes : int or None
        Resident memory before it.
    record_event : callable
        Writes an event.
    """

    def __init__(
        self,
        label: str,
        source: str,
        *,
        rss_bytes: int | None,
        record_event: Callable[..., Any],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label = label
        self._lines = source.splitlines()
        self._record_event = record_event
        self._monotonic = monotonic
        self._thread_id = threading.get_ident()
        self._rss_bytes = self._written_rss_bytes = rss_bytes
        self._sampling = GrowthSampling()
        self._sampling.on_reading(rss_bytes)
        self._written_at = float("-inf")
        self._written_line: int | None = None
        self._growth: Counter[int] = Counter()
        data = {
            "cell": label,
            "source": source[:MAX_SOURCE_CHARACTERS],
            "is_cut": len(source) > MAX_SOURCE_CHARACTERS,
            "rss_bytes": rss_bytes,
        }
        record_event("cell_start", message=f"{label} begins.", data=data)

    def on_reading(self, rss_bytes: int | None) -> None:
        """Note resident memory and the line that runs now; to be called from another thread, some times a second."""
        line = find_cell_line(sys._current_frames().get(self._thread_id), self._label)
        before, self._rss_bytes = self._rss_bytes, rss_bytes
        if line is None:
            return
        if before is not None and rss_bytes is not None and rss_bytes > before:
            self._growth[line] += rss_bytes - before
        if self._is_due(line, rss_bytes):
            self._write(line, rss_bytes)
        self._sampling.on_reading(rss_bytes)

    def close(self) -> None:
        """End what runs beside the cell; to be called when no reading comes any more."""
        self._sampling.stop()

    def _is_due(self, line: int, rss_bytes: int | None) -> bool:
        if self._written_line is None:
            return True
        if rss_bytes is not None and self._written_rss_bytes is not None:
            step = max(HEIGHT_STEP_BYTES, HEIGHT_STEP_SHARE * self._written_rss_bytes)
            if rss_bytes >= self._written_rss_bytes + step:
                return True
        return line != self._written_line and self._monotonic() >= self._written_at + LINE_INTERVAL_S

    def _write(self, running: int, rss_bytes: int | None) -> None:
        growth = _read_sampled_lines(self._label) or self._growth
        line, grown_bytes = growth.most_common(1)[0] if growth else (running, 0)
        text = self._lines[line - 1].strip()[:MAX_LINE_CHARACTERS] if line <= len(self._lines) else ""
        self._written_line, self._written_at = running, self._monotonic()
        self._written_rss_bytes = max(self._written_rss_bytes or 0, rss_bytes or 0) or None
        data = {
            "cell": self._label,
            "line": line,
            "text": text,
            "grown_bytes": grown_bytes,
            "running_line": running,
            "rss_bytes": rss_bytes,
        }
        message = f"{self._label}:{line} at {format_bytes(rss_bytes)}: {make_printable(text)}"
        self._record_event("cell_line", message=message, data=data)


def _read_sampled_lines(label: str) -> Counter[int]:
    """Bytes of each line of a cell, of what the sampler has seen; empty where it does not run, or saw nothing of it."""
    lines: Counter[int] = Counter()
    if sampler.is_running():
        for site in sampler.read_live().sites:
            own = [line for file, line in site.frames if display_file(file) == label]
            if own:  # the outermost comes last
                lines[own[-1]] += round(site.size_bytes)
    return lines


def find_cell_line(frame: FrameType | None, label: str) -> int | None:
    """Return the line of a cell that runs in a stack: of its outermost frame, whatever it calls; None if it has none.

    Parameters
    ----------
    frame : frame or None
        The innermost frame of the stack.
    label : str
        Such as ``In[3]``.
    """
    line = None
    for _ in range(MAX_FRAMES):
        if frame is None:
            break
        if display_file(frame.f_code.co_filename) == label:
            line = frame.f_lineno
        frame = frame.f_back
    return line
