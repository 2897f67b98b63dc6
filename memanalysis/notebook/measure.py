"""Measure one cell: seconds, the highest memory, and what is retained when it has ended.

``CellMeter`` is started in the cell and stopped after it. What it starts it stops again: the sampler, the line events,
the stand-in for a function of the shell. What the measurement itself takes is in no number.
"""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import Any

from memanalysis.capture import sampler
from memanalysis.capture.process import ProcessReader, read_allocator_free_bytes
from memanalysis.notebook.cell_garbage import CellGarbage
from memanalysis.notebook.cell_memory import CellLine, CellMemory, CellRecorder, join_lines
from memanalysis.notebook.curve import CurvePoint, CurveSampler, MemoryCurve
from memanalysis.notebook.lines import Place
from memanalysis.notebook.native import LibraryCounter, list_children, read_children_bytes, read_counters
from memanalysis.notebook.nested_cells import locate
from memanalysis.notebook.net_change import NetChange, UserValues
from memanalysis.notebook.sampled_cell import CELL_FRAMES, SampledCell
from memanalysis.notebook.statements import StatementHook, first_line
from memanalysis.response.trim import return_free_memory

__all__ = ["CellCost", "CellMeter", "HighWater", "make_recorder"]

CHILDREN_EVERY_S = 0.1
"""Seconds between two readings of child processes: each reading walks their memory maps."""

MAX_CHILDREN_SHARE = 0.1
"""... and longer where they take more than this share of the time."""

FIRST_INSTRUCTIONS = 16
"""Bytes of byte code in which a function begins."""


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
class CellCost:
    """What one cell cost.

    Parameters
    ----------
    rss : HighWater
        Resident memory, without what the measurement took.
    memory : CellMemory
        What the cell added, by line.
    retained_bytes : int or None
        What its lines, and the libraries they called, still hold after garbage collection.
    children_bytes : int or None
        Most that child processes held more than before; None where there were none.
    counters : sequence of (before, after)
        What loaded libraries count themselves.
    net : NetChange
        Large values of the user's names that the cell freed and made.
    """

    label: str
    seconds: float
    rss: HighWater
    curve: MemoryCurve
    memory: CellMemory
    retained_bytes: int | None = None
    lines: Sequence[CellLine] = ()
    children_bytes: int | None = None
    counters: Sequence[tuple[LibraryCounter | None, LibraryCounter]] = ()
    net: NetChange = field(default_factory=NetChange)
    notes: tuple[str, ...] = ()
    succeeded: bool = True

    @property
    def peak_bytes(self) -> int | None:
        """Most that the cell held more than before: never below what it retains."""
        return self.memory.peak_bytes


class CellMeter:
    """Measures from ``start`` to ``stop``.

    Parameters
    ----------
    label : str
        ``In[3]``.
    shell : optional
        The shell whose statements are measured one by one; without it the block is one statement.
    max_frames : int
        Frames of a stack that the sampler keeps.
    """

    def __init__(self, label: str, *, shell: Any = None, max_frames: int = CELL_FRAMES) -> None:
        self.label = label
        self._recorder = make_recorder(max_frames)
        self._reader = ProcessReader()
        self._sampler = CurveSampler(
            self._reader.read_rss_bytes, read_python_bytes=self._recorder.read_python_bytes, on_point=self._poll
        )
        self._hook = StatementHook(shell, before=self._before_statement, after=self._after_statement)
        self._names = getattr(shell, "user_ns", {})
        self._values: UserValues | None = None
        self._garbage = CellGarbage(self._names)
        self._depth = 0
        self._thread = threading.get_ident()
        self._counters: dict[str, LibraryCounter] = {}
        self._children = _ChildrenPeak()
        self._rss_before: int | None = None
        self._free_before = 0
        self._began = 0.0
        self._is_running = False
        self._cost: CellCost | None = None

    def start(self) -> None:
        """Collect garbage and give free memory back, so that neither is taken for the cell's doing, and begin."""
        self._garbage.start(self._recorder.collect_before)
        return_free_memory()
        try:
            self._values = UserValues(self._names)
            self._recorder.start()
            self._counters = read_counters()
            self._children.start()
            self._rss_before = self._reader.read_rss_bytes()
            self._free_before = read_allocator_free_bytes() or 0
            self._hook.attach()
            self._sampler.start()
            self._recorder.before_statement(_find_place(sys._getframe(1)) or Place(self.label, 1))
            self._is_running = True
            self._began = time.perf_counter()
        except BaseException:  # an interrupt too: nothing may stay on
            self._sampler.stop()
            self._close()
            raise

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
        self._hook.detach()
        self._is_running = False
        self._recorder.end()
        curve = self._sampler.stop()
        counters = [(self._counters.get(name), after) for name, after in read_counters().items()]
        self._garbage.collect(self._values, rise_bytes=self._read_rise_bytes())
        memory = self._recorder.finish()
        after = self._reader.read_rss_bytes()
        net = NetChange()
        if self._values is not None:
            net = self._values.compare(new_blocks=sum(line.live_allocations for line in memory.retained))
        peak, rise = memory.peak_bytes, memory.rss_peak_bytes
        if peak is not None and after is not None and self._rss_before is not None:
            rise = max(rise or 0, after - self._rss_before, 0)
            memory = replace(memory, peak_bytes=max(peak, rise), rss_peak_bytes=rise)
        return CellCost(
            label=self.label,
            seconds=seconds,
            rss=HighWater(
                before=self._rss_before,
                peak=None if rise is None or self._rss_before is None else self._rss_before + rise,
                after=after,
                is_exact=memory.is_exact,
            ),
            curve=curve,
            memory=memory,
            retained_bytes=_sum_retained(memory),
            lines=join_lines(memory.retained, memory.highest, peak_place=memory.peak_place),
            children_bytes=self._children.rise_bytes,
            counters=[pair for pair in counters if pair[1].highest_bytes],
            net=net,
            notes=(*memory.notes, *_describe_error(self._hook.error)),
        )

    def _read_rise_bytes(self) -> int | None:
        """Memory in use over that before the cell; what the C allocator holds free is not in use."""
        rss_bytes = self._reader.read_rss_bytes()
        if rss_bytes is None or self._rss_before is None:
            return None
        return rss_bytes - (read_allocator_free_bytes() or 0) + self._free_before - self._rss_before

    def _close(self) -> None:
        self._hook.detach()
        self._recorder.close()
        self._reader.close()

    def _before_statement(self, code: CodeType) -> None:
        self._depth += 1
        if self._depth == 1 and self._is_running:
            place = locate(code.co_filename, first_line(code))
            self._recorder.before_statement(Place(*place) if place else Place(self.label, first_line(code)))

    def _after_statement(self) -> None:
        self._depth -= 1
        if self._depth == 0 and self._is_running:
            self._recorder.after_statement()

    def _poll(self, point: CurvePoint) -> None:
        """Look, in the curve's thread, at what only readings show."""
        self._recorder.poll(point.rss_bytes, _find_running_place(self._thread))
        self._children.poll()


def _find_running_place(thread_id: int) -> Place | None:
    """Return where a thread is; its frame, which would keep the variables of a function that ends, is let go of."""
    frame = sys._current_frames().get(thread_id)
    return None if frame is None else _find_place(frame)


class _ChildrenPeak:
    """The most that child processes held."""

    def __init__(self, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._before = 0
        self._highest: int | None = None
        self._next_s = 0.0

    @property
    def rise_bytes(self) -> int | None:
        return None if self._highest is None else max(self._highest - self._before, 0)

    def start(self) -> None:
        self._before = read_children_bytes() or 0 if list_children() else 0

    def poll(self) -> None:
        began = self._clock()
        if began < self._next_s:
            return
        held = read_children_bytes()
        if held is not None:
            self._highest = max(self._highest or 0, held)
        ended = self._clock()
        self._next_s = ended + max(CHILDREN_EVERY_S if held is not None else 0.02, (ended - began) / MAX_CHILDREN_SHARE)


def make_recorder(max_frames: int = CELL_FRAMES) -> CellRecorder:
    """Give the way to measure that this Python has: the sampler, or else the events of lines."""
    if sampler.why_unavailable() is None:
        return SampledCell(max_frames=max_frames)
    from memanalysis.notebook.line_events import LineEvents

    return LineEvents()


def _find_place(frame: Any) -> Place | None:
    """The innermost line of a cell in a stack; that of the caller where a function has only begun.

    Python lets other threads run where a function begins, so that readings would show the line of ``def`` most often.
    """
    while frame is not None:
        located = locate(frame.f_code.co_filename, frame.f_lineno)
        begins = frame.f_lineno == frame.f_code.co_firstlineno and frame.f_lasti < FIRST_INSTRUCTIONS
        if located is not None and not (begins and frame.f_back is not None and frame.f_code.co_name != "<module>"):
            return Place(*located)
        frame = frame.f_back
    return None


def _describe_error(error: Exception | None) -> tuple[str, ...]:
    if error is None:
        return ()
    return (f"The measurement failed within the cell, so that lines are missing: {type(error).__name__}: {error}",)


def _sum_retained(memory: CellMemory) -> int | None:
    return None if memory.peak_bytes is None else sum(line.size_bytes for line in memory.retained)
