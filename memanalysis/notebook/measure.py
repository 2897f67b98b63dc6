"""Measure one cell: seconds, the highest memory, and what is retained when it has ended.

``CellMeter`` is started in the cell and stopped after it. Tracing that it turns on it turns off again. Tracing that it
finds running it joins and leaves running, at the cost of one more snapshot of the allocations before the cell.

What a line held at the highest moment is seen by snapshots from the curve's thread, which together may take
``SNAPSHOT_SHARE`` of the cell's time. So the line that made a large intermediate value is named even though nothing of
it is left in the end.
"""

import gc
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from memanalysis.capture.process import ProcessReader
from memanalysis.capture.snapshot import snapshot_sites
from memanalysis.capture.tracing import TracingUse
from memanalysis.notebook.curve import CurvePoint, CurveSampler, MemoryCurve, read_highest_rss_bytes
from memanalysis.notebook.lines import LineMemory, Place, sum_lines
from memanalysis.notebook.shell_frames import CELL_TRACE_LIMIT
from memanalysis.schema import Row
from memanalysis.units import KIB

__all__ = ["CellCost", "CellLine", "CellMeter", "HighWater", "PeakSnapshots", "join_lines"]

SNAPSHOT_SHARE = 0.1
"""Share of the cell's time that snapshots of its highest moments may take."""

SNAPSHOT_S_PER_BYTE = 2e-7
"""Seconds that a snapshot takes for each byte of the tracer's memory, until one was measured: 10 us for 50 bytes."""

MIN_RISE = 1.1
"""A new snapshot only when Python holds this many times what it held at the last one."""

CELL_STOPPED_TRACING = "The cell turned tracemalloc off: what its lines allocated and retained is not available."

SMALL_BYTES = 256 * KIB
"""Growth below this is not worth a snapshot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HighWater:
    """One kind of memory over one cell, in bytes; None is unknown.

    ``is_exact`` is False when the peak is only the highest of the readings, and may have been higher between two.
    """

    before: int | None
    peak: int | None
    after: int | None
    is_exact: bool = False

    @property
    def change(self) -> int | None:
        """Bytes more, or negative: less, than before the cell."""
        return None if self.before is None or self.after is None else self.after - self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class CellLine:
    """What one line held at the highest moment that a snapshot shows, and what it still holds."""

    place: Place
    highest_bytes: int
    retained_bytes: int
    retained_allocations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CellCost:
    """What one cell cost; ``retained_bytes`` is what its lines and the libraries they called still hold, after gc."""

    label: str
    seconds: float
    rss: HighWater
    curve: MemoryCurve
    python: HighWater | None = None
    retained_bytes: int | None = None
    lines: Sequence[CellLine] = ()
    notes: tuple[str, ...] = ()
    succeeded: bool = True


class PeakSnapshots:
    """The site table of the highest moment that was worth a snapshot."""

    def __init__(
        self,
        read_sites: Callable[[], Sequence[Row]],
        *,
        read_tracer_bytes: Callable[[], int] = tracemalloc.get_tracemalloc_memory,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.rows: Sequence[Row] = ()
        self.traced_bytes = 0
        self._read_sites = read_sites
        self._read_tracer_bytes = read_tracer_bytes
        self._clock = clock
        self._spent_s = 0.0
        self._s_per_byte = SNAPSHOT_S_PER_BYTE

    def start_from(self, traced_bytes: int) -> None:
        """Set what Python held before the cell: growth is counted from there."""
        self.traced_bytes = traced_bytes

    def consider(self, point: CurvePoint) -> None:
        """Take a snapshot if memory is higher than at the last one and the snapshots so far leave the time for it."""
        if point.traced_bytes is None or point.traced_bytes < self.traced_bytes * MIN_RISE + SMALL_BYTES:
            return
        tracer_bytes = max(self._read_tracer_bytes(), 1)
        if self._spent_s + tracer_bytes * self._s_per_byte > point.elapsed_s * SNAPSHOT_SHARE:
            return
        began = self._clock()
        self.rows = self._read_sites()
        self.traced_bytes = point.traced_bytes
        took_s = self._clock() - began
        self._spent_s += took_s
        self._s_per_byte = took_s / tracer_bytes


class CellMeter:
    """Measures from ``start`` to ``stop``; makes sure that tracing is afterwards as it was found."""

    def __init__(self, label: str, *, trace_limit: int = CELL_TRACE_LIMIT) -> None:
        self.label = label
        self._trace_limit = trace_limit
        self._reader = ProcessReader()
        self._tracer = TracingUse(trace_limit=trace_limit)
        self._peaks = PeakSnapshots(snapshot_sites)
        self._sampler = CurveSampler(self._reader.read_rss_bytes, on_point=self._peaks.consider)
        self._notes: list[str] = []
        self._sites_before: Sequence[Row] = ()
        self._traced_before = 0
        self._highest_traced_before = 0
        self._highest_rss_before: int | None = None
        self._rss_before: int | None = None
        self._began = 0.0
        self._cost: CellCost | None = None

    def start(self) -> None:
        """Collect garbage, so that older garbage is not the cell's, and begin."""
        gc.collect()
        try:
            self._start()
        except BaseException:  # an interrupt too: tracing must not stay on
            self._close()
            raise

    def _start(self) -> None:
        found_tracing = tracemalloc.is_tracing()
        self._tracer.start()
        if found_tracing:
            self._sites_before = snapshot_sites()
            frames = tracemalloc.get_traceback_limit()
            if frames < min(self._trace_limit, CELL_TRACE_LIMIT):
                self._notes.append(
                    f"Tracing was on already, with {frames} frame{'s' if frames > 1 else ''} a traceback: memory that "
                    "libraries allocated is shown at their own lines, not at the lines of the cell that called them."
                )
            self._traced_before, self._highest_traced_before = tracemalloc.get_traced_memory()
        self._peaks.start_from(self._traced_before)
        self._rss_before = self._reader.read_rss_bytes()
        self._highest_rss_before = read_highest_rss_bytes()
        self._sampler.start()
        self._began = time.perf_counter()

    def stop(self) -> CellCost:
        """End the measurement, collect garbage and return what is left; a second call returns the same."""
        if self._cost is None:
            try:
                self._cost = self._stop()
            finally:
                self._close()
        return self._cost

    def _stop(self) -> CellCost:
        seconds = time.perf_counter() - self._began
        rss_peak, rss_is_exact = self._read_rss_peak()
        python_peak = tracemalloc.get_traced_memory()[1] if tracemalloc.is_tracing() else None
        curve = self._sampler.stop()
        gc.collect()
        cost = CellCost(
            label=self.label,
            seconds=seconds,
            rss=HighWater(
                before=self._rss_before,
                peak=_highest(curve.highest_rss_bytes, rss_peak),
                after=self._reader.read_rss_bytes(),
                is_exact=rss_is_exact,
            ),
            curve=curve,
            notes=tuple(self._notes),
        )
        if python_peak is None:
            return replace(cost, notes=(*cost.notes, CELL_STOPPED_TRACING))
        python_is_exact = python_peak > self._highest_traced_before
        python = HighWater(
            before=self._traced_before,
            peak=python_peak if python_is_exact else curve.highest_traced_bytes,
            after=tracemalloc.get_traced_memory()[0],
            is_exact=python_is_exact,
        )
        retained = sum_lines(self._sites_before, snapshot_sites())
        highest = sum_lines(self._sites_before, self._peaks.rows) if self._peaks.rows else []
        retained_bytes = sum(line.size_bytes for line in retained)
        return replace(cost, python=python, retained_bytes=retained_bytes, lines=join_lines(retained, highest))

    def _close(self) -> None:
        self._tracer.stop()
        self._reader.close()

    def _read_rss_peak(self) -> tuple[int | None, bool]:
        """The peak of the process, if it rose in the cell: then it is the exact peak of the cell."""
        highest = read_highest_rss_bytes()
        if highest is None or self._highest_rss_before is None or highest <= self._highest_rss_before:
            return None, False
        return highest, True


def join_lines(retained: Sequence[LineMemory], highest: Sequence[LineMemory]) -> list[CellLine]:
    """Return one row a line from what is retained and what was held at the highest snapshot; the most memory first."""
    retained_at = {(line.place.file, line.place.line): line for line in retained}
    highest_at = {(line.place.file, line.place.line): line for line in highest}
    rows = []
    for key in retained_at.keys() | highest_at.keys():
        retained_line, highest_line = retained_at.get(key), highest_at.get(key)
        retained_bytes = retained_line.size_bytes if retained_line else 0
        largest = max((line for line in (retained_line, highest_line) if line), key=lambda line: line.size_bytes)
        rows.append(
            CellLine(
                place=largest.place,
                highest_bytes=max(largest.size_bytes, 0),
                retained_bytes=retained_bytes,
                retained_allocations=retained_line.live_allocations if retained_line else 0,
            )
        )
    return sorted(rows, key=lambda row: (-row.highest_bytes, row.retained_bytes, row.place.file, row.place.line))


def _highest(*values: int | None) -> int | None:
    return max((value for value in values if value is not None), default=None)
