"""Read what one cell did to memory, at the cost of about a millisecond.

Nothing is collected and no allocation is read, so what a cell retains is counted before garbage collection;
``%%memwatch`` on the cell shows what is left after it.
"""

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from memanalysis.capture.process import ProcessReader
from memanalysis.notebook.cell_readings import CellReadings
from memanalysis.notebook.curve import read_highest_rss_bytes
from memanalysis.units import MIB, format_bytes, format_duration

__all__ = ["CellEvent", "PassiveMeter"]

NOTABLE_BYTES = 32 * MIB
"""A cell that leaves less than this behind is passed over in silence."""

NOTABLE_SHARE = 0.05
"""... and so is one that leaves less than this share of what there was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellEvent:
    """What one executed cell did, as it stands in ``data`` of an event of kind ``cell``; None is unknown.

    Parameters
    ----------
    cell : str
        ``In[3]``.
    run_number : int
        How many times this cell has run since watching began, this time included.
    rss_peak_bytes : int or None
        Highest resident memory while it ran; ``rss_peak_is_exact`` False: the highest of the readings.
    traced_retained_bytes : int or None
        Python memory more (or less) than before the cell, before garbage collection.
    """

    cell: str
    execution_count: int | None
    run_number: int
    seconds: float
    success: bool
    error: str | None
    rss_before_bytes: int | None
    rss_after_bytes: int | None
    rss_delta_bytes: int | None
    rss_peak_bytes: int | None
    rss_peak_is_exact: bool
    traced_retained_bytes: int | None

    @property
    def is_notable(self) -> bool:
        """Whether the cell left so much behind that its line is worth showing unasked."""
        left = max(self.rss_delta_bytes or 0, self.traced_retained_bytes or 0)
        return left >= max(NOTABLE_BYTES, NOTABLE_SHARE * (self.rss_before_bytes or 0))

    def render_line(self) -> str:
        """Render as one line of text."""
        parts = [f"memwatch: {self.cell} {_short_time(self.seconds)}"]
        if self.rss_delta_bytes is not None:
            parts.append(
                f"resident {format_bytes(self.rss_delta_bytes, sign=True)} to {format_bytes(self.rss_after_bytes)}"
            )
        if self.rss_peak_bytes is not None:
            parts.append(f"peak {format_bytes(self.rss_peak_bytes)}")
        if self.traced_retained_bytes is not None:
            parts.append(f"Python {format_bytes(self.traced_retained_bytes, sign=True)}")
        if self.run_number > 1:
            parts.append(f"run {self.run_number} of this cell")
        if not self.success:
            parts.append(f"failed with {self.error}" if self.error else "failed")
        return ", ".join(parts)


class PassiveMeter:
    """The readings of one cell that runs; they begin when the meter is made.

    Parameters
    ----------
    readings : CellReadings
        Reads resident memory while the cell runs.
    on_reading : callable
        Called with resident memory some times a second, from another thread.
    """

    def __init__(
        self,
        label: str,
        reader: ProcessReader,
        readings: CellReadings,
        *,
        run_number: int,
        on_reading: Callable[[int | None], None],
    ) -> None:
        self.label = label
        self.run_number = run_number
        self.on_reading = on_reading
        self._reader = reader
        self._readings = readings
        self._rss_before = reader.read_rss_bytes()
        self._traced_before = tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else None
        self._highest_before = read_highest_rss_bytes()
        readings.begin(on_reading)
        self._began = time.perf_counter()

    def abandon(self) -> None:
        """End the readings of a cell whose end was not seen."""
        self._readings.end()

    def finish(self, result: Any) -> CellEvent:
        """Take the last readings and put them into one record."""
        seconds = time.perf_counter() - self._began
        highest_read = _larger(self._rss_before, self._readings.end())
        rss_after = self._reader.read_rss_bytes()
        highest = read_highest_rss_bytes()
        rose = highest is not None and self._highest_before is not None and highest > self._highest_before
        traced = tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else None
        error = None if result is None else (result.error_before_exec or result.error_in_exec)
        return CellEvent(
            cell=self.label,
            execution_count=None if result is None else result.execution_count,
            run_number=self.run_number,
            seconds=seconds,
            success=bool(result is not None and result.success),
            error=None if error is None else type(error).__name__,
            rss_before_bytes=self._rss_before,
            rss_after_bytes=rss_after,
            rss_delta_bytes=_difference(self._rss_before, rss_after),
            rss_peak_bytes=_larger(highest if rose else highest_read, rss_after),
            rss_peak_is_exact=rose,
            traced_retained_bytes=_difference(self._traced_before, traced),
        )


def _difference(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def _larger(peak: int | None, after: int | None) -> int | None:
    """The peak, or the end where that is higher: the system's high-water mark lags behind by some pages."""
    return max((size for size in (peak, after) if size is not None), default=None)


def _short_time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else format_duration(seconds)
