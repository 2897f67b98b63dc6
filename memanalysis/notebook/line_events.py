"""Measure a cell without the compiled sampler: resident memory and its high-water mark, at the lines of the cell.

Tracing every allocation by tracemalloc makes code that allocates small objects 8 to 22 times slower (CPython 3.11, one
frame), so it is not done. Instead Python calls this module at the lines of code that was typed into cells, of the cell
itself and of functions that it calls. At each, the rise since the last one belongs to the line that ran. Where these
events themselves take too much of the cell's time, as in a tight loop, they stop until its next statement, and the
readings of the curve's thread show which line ran while memory grew. What was free before and is used again is not
seen.
"""

import sys
import threading
import time
from collections import defaultdict
from types import FrameType
from typing import Any

from memanalysis.capture.high_water import mark_high_water, read_resident
from memanalysis.capture.process import read_allocator_free_bytes
from memanalysis.notebook.cell_memory import CellMemory
from memanalysis.notebook.lines import LineMemory, Place
from memanalysis.notebook.nested_cells import locate
from memanalysis.response.trim import return_free_memory
from memanalysis.units import KIB

__all__ = ["LineEvents"]

FREE_S = 0.02
"""Seconds that events may take in any case: unnoticed by people, and enough for some 400 lines."""

MAX_SHARE = 0.25
"""... and then this share of the time since the statement began."""

CALL_S = 4e-7
"""Seconds that Python takes to call this module for one call of any function, and to run slower meanwhile."""

MIN_LINE_BYTES = 256 * KIB
"""Resident memory grows by itself by less than this: pages of code, stacks of threads."""

NO_SAMPLER = (
    "The compiled sampler is not there, so lines show what resident memory rose while they ran. "
    "What they took from memory that was free already is not seen."
)

_INLINE = ("<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>", "<lambda>")
"""Part of the line that they stand in."""

_CALLS_BETWEEN_CHECKS = 256

MAX_FRAMES = 1000
"""Frames of a stack that are visited at most."""


class LineEvents:
    """A `CellRecorder` that follows the lines of the cell."""

    collect_before = 2
    """Garbage that the cell happens to free would be taken off what it made."""

    def __init__(self) -> None:
        self._rss_before: int | None = None
        self._is_exact = False
        self._held: dict[Place, int] = defaultdict(int)
        self._place: Place | None = None
        self._segment_rss = 0
        self._free_bytes = 0
        self._free_before = 0
        self._highest_rise = 0
        self._peak_bytes = 0
        self._peak_place: Place | None = None
        self._highest: dict[Place, int] = {}
        self._polled: dict[Place, int] = defaultdict(int)
        self._last_poll: int | None = None
        self._is_tracing = False
        self._is_closed = True
        self._began = 0.0
        self._spent_s = 0.0
        self._calls = 0
        self._threads_trace: Any = None

    def start(self) -> None:
        """Begin."""
        self._is_exact = mark_high_water()
        resident = read_resident()
        self._rss_before = None if resident is None else resident.now_bytes
        self._free_before, self._free_bytes = read_allocator_free_bytes() or 0, 0
        self._segment_rss = self._rss_before or 0
        self._is_closed = False

    def before_statement(self, place: Place) -> None:
        """Follow the lines of one statement, unless a debugger does already."""
        self._stop_tracing()
        self._close_segment(place)
        self._began, self._spent_s, self._calls = time.perf_counter(), 0.0, 0
        if sys.gettrace() is None:
            self._is_tracing = True
            self._threads_trace = threading.gettrace()
            running = _list_cell_frames(sys._getframe(1))  # such as what a magic was given
            threading.settrace(self._trace_call)
            sys.settrace(self._trace_call)
            for frame in running:  # only now: Python 3.12 and later forget it otherwise
                frame.f_trace = self._trace_line

    def after_statement(self) -> None:
        """Stop to follow its lines."""
        self._stop_tracing()
        self._close_segment(None)

    def read_python_bytes(self) -> int | None:
        """Give None: allocations are not followed."""
        return None

    def poll(self, rss_bytes: int | None, place: Place | None) -> None:
        """Note at which line memory grows."""
        last, self._last_poll = self._last_poll, rss_bytes
        if rss_bytes is not None and last is not None and place is not None:
            self._polled[place] += max(rss_bytes - last, 0)

    def end(self) -> None:
        """Close the statement that runs."""
        self.after_statement()
        self._is_closed = True

    def finish(self) -> CellMemory:
        """Give the record."""
        self.close()
        return_free_memory()
        resident = read_resident()
        if resident is None or self._rss_before is None:
            return CellMemory(peak_bytes=None, is_exact=False, notes=(NO_SAMPLER,))
        end = resident.now_bytes - self._rss_before
        in_use = end - self._read_free_bytes()
        self._take(sum(self._held.values()) - max(in_use, 0))  # freed since: by the collector, or a thread that held it
        return CellMemory(
            peak_bytes=max(self._highest_rise, end),
            rss_peak_bytes=self._highest_rise,
            peak_place=self._peak_place,
            highest=_make_lines(self._highest),
            retained=_make_lines(self._held),
            is_exact=self._is_exact,
            is_net=True,
            notes=(NO_SAMPLER,),
        )

    def close(self) -> None:
        """Take the events away; threads that outlive the cell drop theirs at their next call."""
        self._is_closed = True
        self._stop_tracing()

    def _stop_tracing(self) -> None:
        if self._is_tracing:
            self._is_tracing = False
            threading.settrace(self._threads_trace)
            if sys.gettrace() == self._trace_call:
                sys.settrace(None)
            for frame in _list_cell_frames(sys._getframe(1)):
                frame.f_trace = None

    def _trace_call(self, frame: FrameType, event: str, _: object) -> Any:
        if not self._is_tracing:
            if sys.gettrace() == self._trace_call:  # in this thread
                sys.settrace(None)
            return None
        self._calls += 1
        if self._calls % _CALLS_BETWEEN_CHECKS == 0 and self._is_too_slow():
            self._stop_tracing()
            return None
        if event != "call" or frame.f_code.co_name in _INLINE or _place_of(frame) is None:
            return None
        return self._trace_line

    def _trace_line(self, frame: FrameType, event: str, _: object) -> Any:
        if not self._is_tracing:
            return None
        if event not in ("line", "return"):
            return self._trace_line
        began = time.perf_counter()
        place = _place_of(frame) if event == "line" else _find_caller(frame)
        if place != self._place or event == "return":  # else a loop within one line
            self._close_segment(place or self._place)
        self._spent_s += time.perf_counter() - began
        if self._is_too_slow():
            self._stop_tracing()
        return self._trace_line

    def _is_too_slow(self) -> bool:
        allowed_s = FREE_S + MAX_SHARE * (time.perf_counter() - self._began)
        return self._spent_s + self._calls * CALL_S > allowed_s

    def _close_segment(self, following: Place | None) -> None:
        """Credit what memory did since the last call to the line that ran, and go on with another."""
        resident = read_resident()
        if resident is None or self._rss_before is None:
            return
        used = resident.now_bytes - self._read_free_bytes()
        ran = max(self._polled, key=self._polled.__getitem__, default=None) if not self._is_tracing else None
        place = ran or self._place
        if place is not None:
            rise = resident.highest_bytes - self._rss_before
            self._highest_rise = max(self._highest_rise, rise)
            free_bytes = resident.now_bytes - used
            above = rise - min(free_bytes, self._free_bytes)  # resident, and nobody's
            if above > self._peak_bytes:
                self._peak_bytes, self._peak_place = above, place
                self._highest = dict(self._held)
                self._highest[place] = self._held[place] + max(
                    resident.highest_bytes - self._segment_rss - self._free_bytes, 0
                )
            change = used - self._segment_rss
            grown = self._polled[place] if ran is not None and change < 0 else 0  # before something else was freed
            self._credit(place, grown)
            self._credit(place, change - grown)
        self._place = following
        self._segment_rss, self._free_bytes = used, resident.now_bytes - used
        self._polled.clear()
        self._last_poll = resident.now_bytes
        mark_high_water()

    def _read_free_bytes(self) -> int:
        """What the C allocator holds free more than before the cell: what was free then had been given back."""
        return max((read_allocator_free_bytes() or 0) - self._free_before, 0)

    def _credit(self, place: Place, change: int) -> None:
        """Add growth to its line, or take away what went."""
        if change >= 0:
            self._held[place] += change
        else:
            self._take(-change)

    def _take(self, gone: int) -> None:
        """Take what was freed from the line that holds about as much."""
        while gone > 0 and (holding := {line: size for line, size in self._held.items() if size > 0}):
            nearest = min(holding, key=lambda line: abs(holding[line] - gone))
            taken = min(gone, holding[nearest])
            self._held[nearest] -= taken
            gone -= taken


def _place_of(frame: FrameType) -> Place | None:
    """The place of a frame whose code was typed into a cell."""
    located = locate(frame.f_code.co_filename, frame.f_lineno)
    return None if located is None else Place(*located)


def _find_caller(frame: FrameType) -> Place | None:
    return next((_place_of(caller) for caller in _list_cell_frames(frame.f_back)), None)


def _list_cell_frames(frame: FrameType | None) -> list[FrameType]:
    """Frames of code that was typed into cells, this one or the nearest that called it first."""
    found = []
    for _ in range(MAX_FRAMES):
        if frame is None:
            break
        if _place_of(frame) is not None:
            found.append(frame)
        frame = frame.f_back
    return found


def _make_lines(held: dict[Place, int]) -> list[LineMemory]:
    lines = [
        LineMemory(place=place, size_bytes=size, live_allocations=0)
        for place, size in held.items()
        if size >= MIN_LINE_BYTES
    ]
    return sorted(lines, key=lambda line: -line.size_bytes)
