"""What does a tracing window cost? Estimated before it opens, measured while it is open, learned from when it closes.

Seconds of the processor throughout. What tracing costs the program cannot be measured from inside, so it is counted as
nearly all the processor time that the program took while it was traced. What our own thread does is measured.
"""

import gc
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from memanalysis.capture.process import read_allocator_free_bytes
from memanalysis.capture.sample import Clock
from memanalysis.response.trim import return_free_memory
from memanalysis.units import MIB

__all__ = ["WindowCost"]

TRACING_SHARE = 0.9
"""Tracing 25 frames slows Python that only makes objects 20 times and more: this much of its time is the tracing's."""

MAX_SLOWED = 20.0
"""A traced program is taken to be this many times as busy, up to a whole processor, until a window shows."""

FIRST_READ_SHARE = 0.5
"""Reading what survived takes up to this many seconds for each second that was traced, until a window shows."""

FIRST_READ_S_PER_BYTE = 0.015 / MIB
"""Reading what survived takes 12 ms for each MiB that the tracer holds, until a window shows."""

FIRST_COLLECT_S_PER_BLOCK = 60e-9
"""A full collection takes 30 to 60 ns for each block of Python's allocator, until one shows."""

MAX_COLLECT_SHARE = 0.3
"""A full collection takes at most this part of what may be spent at once; else only young objects are collected."""

ESTIMATE_MARGIN = 1.25
"""What closing a window costs is taken to be this many times the estimate."""

MIN_TRIMMED_BYTES = MIB // 2
"""A tracer that held less than this leaves little behind."""

MAX_FREE_BYTES = 16 * MIB
"""Where the C allocator held more free than this before a window opened, it is left alone: that is the program's, and
may be the very thing that grows. To give it back takes 0.15 ms a MiB, during which other threads wait for memory."""


class WindowCost:
    """The cost of one window after the other.

    Parameters
    ----------
    clock : Clock
        Time that goes by.
    process_time, thread_time : callable
        Processor time of this process, and of the thread that asks.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        process_time: Callable[[], float] = time.process_time,
        thread_time: Callable[[], float] = time.thread_time,
    ) -> None:
        self._clock = clock
        self._process_time = process_time
        self._thread_time = thread_time
        self._began_at, self._process_at_begin = clock.monotonic(), process_time()
        self._traced_share: float | None = None
        self._read_share = FIRST_READ_SHARE
        self._read_s_per_byte = FIRST_READ_S_PER_BYTE
        self._collect_s_per_block = FIRST_COLLECT_S_PER_BLOCK
        self._opened_at = self._process_at_open = self._own_s = 0.0
        self._free_at_open: int | None = None
        self._own_free_bytes = 0

    def estimate(self, seconds: float, *, at_once: float) -> float:
        """Estimate a window of that length from above, where at most ``at_once`` may be spent at once."""
        share = TRACING_SHARE * self._estimate_traced_share() + self._read_share
        return ESTIMATE_MARGIN * self.estimate_collection(at_once) + seconds * share

    def open(self) -> None:
        """Begin to measure."""
        self._opened_at, self._process_at_open, self._own_s = self._clock.monotonic(), self._process_time(), 0.0
        with self.own_work():
            self._free_at_open = read_allocator_free_bytes()

    def measure(self) -> float:
        """Measure what the open window cost so far."""
        return self._own_s + TRACING_SHARE * self._measure_program()

    def estimate_close(self, *, at_once: float) -> float:
        """Estimate what it would cost to close the open window now."""
        read_s = self._read_s_per_byte * tracemalloc.get_tracemalloc_memory()
        return ESTIMATE_MARGIN * (self.estimate_collection(at_once) + read_s)

    @contextmanager
    def own_work(self) -> Iterator[None]:
        """Count what this thread does in the block as our own work."""
        started = self._thread_time()
        try:
            yield
        finally:
            self._own_s += self._thread_time() - started

    def learn(self, *, read_s: float, tracer_bytes: int) -> None:
        """Learn from a window that is to be closed: what the program took, and reading what survived."""
        seconds = max(self._clock.monotonic() - self._opened_at, 0.001)
        self._traced_share = self._measure_program() / seconds
        self._read_share = read_s / seconds
        if tracer_bytes >= MIN_TRIMMED_BYTES:  # of less it shows nothing: there is a least cost
            self._read_s_per_byte = read_s / tracer_bytes

    def estimate_collection(self, at_once: float) -> float:
        """Estimate what `collect` would take."""
        if not gc.isenabled():
            return 0.0
        full_s = self._estimate_full_collection()
        return full_s if full_s <= MAX_COLLECT_SHARE * at_once else 0.0

    def collect(self, *, at_once: float) -> bool:
        """Collect garbage, unless the program turned the collector off; True when it was collected in full.

        Where a full collection would take too much of what may be spent at once, young objects alone are collected.
        """
        if not gc.isenabled():  # then the program decides when
            return False
        if self._estimate_full_collection() > MAX_COLLECT_SHARE * at_once:
            gc.collect(1)
            return False
        started = self._thread_time()
        gc.collect()
        self._collect_s_per_block = (self._thread_time() - started) / max(1, sys.getallocatedblocks())
        return True

    def trim(self, tracer_bytes: int) -> None:
        """Give back what the tracer took, where that is cheap: the C allocator keeps its pages otherwise."""
        before, after = self._free_at_open, read_allocator_free_bytes()
        if tracer_bytes < MIN_TRIMMED_BYTES or before is None or after is None:
            return
        if before - self._own_free_bytes <= MAX_FREE_BYTES:
            return_free_memory()
        # what was given back still counts as free: the next window must not take it for the program's
        self._own_free_bytes = max(self._own_free_bytes, after - before)

    def _measure_program(self) -> float:
        """Processor time of the program since the window opened, at most a whole processor: one thread runs Python."""
        program_s = self._process_time() - self._process_at_open - self._own_s
        return min(max(0.0, program_s), self._clock.monotonic() - self._opened_at)

    def _estimate_traced_share(self) -> float:
        elapsed_s = self._clock.monotonic() - self._began_at
        busy = (self._process_time() - self._process_at_begin) / elapsed_s if elapsed_s > 0 else 1.0
        traced = MAX_SLOWED * busy if self._traced_share is None else self._traced_share
        return min(1.0, max(busy, traced))

    def _estimate_full_collection(self) -> float:
        return self._collect_s_per_block * sys.getallocatedblocks()
