"""Repeat a call, and read what the process uses after each bout of calls, in a way that adds nothing of its own.

This module holds the wrapper frame: what is allocated beyond its frames is the program's. Measurements go into arrays
that are there before the first call.
"""

import asyncio
import gc
import inspect
import sys
import time
import tracemalloc
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from memanalysis.capture.process import ProcessReader, read_allocator_used_bytes
from memanalysis.capture.wrapper_frames import register_wrapper_frame
from memanalysis.errors import InvalidArgumentError
from memanalysis.leaktest.thread_cache import ThreadCache

__all__ = ["MAX_MEASUREMENTS", "WRAPPER_FILE", "CallRepeater", "Measurements", "collect_garbage"]

WRAPPER_FILE = __file__
"""Frames of this file stand between find_leak and the call."""

MAX_MEASUREMENTS = 256
"""Four to a doubling make 80 of a million calls."""

MAX_SHARED_NUMBER = 256
"""Numbers above are objects of their own in CPython."""

SLICE_S = 0.1
"""The clock is read about this often while calls are repeated."""

_clear_type_cache = getattr(sys, "_clear_internal_caches", None) or getattr(sys, "_clear_type_cache", None)
"""The interpreter's cache of attributes of types holds up to 4,096 of the names that programs make up for ``getattr``,
and fills slowly, at random: without it healthy calls drift by some bytes each."""

register_wrapper_frame(__file__)


def collect_garbage() -> None:
    """Collect garbage, and empty the cache of attributes of types."""
    gc.collect()
    if _clear_type_cache is not None:
        _clear_type_cache()


class CallRepeater:
    """Calls a callable, or awaits what it returns, as often as it is asked to.

    Parameters
    ----------
    call, args, kwargs
        What is repeated.
    """

    def __init__(self, call: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.calls = 0
        self.spent_s = 0.0
        self._call, self._args, self._kwargs = call, tuple(args), dict(kwargs)
        self._runner: asyncio.Runner | None = None

    def call_first(self) -> None:
        """Make the first call, which imports and fills what is needed once, and learn whether it must be awaited."""
        started = time.perf_counter()
        result = self._call(*self._args, **self._kwargs)
        if inspect.iscoroutine(result):
            if _has_running_loop():
                result.close()
                raise InvalidArgumentError(
                    "find_leak needs a thread without a running event loop to await a coroutine, but one runs here. "
                    "In a notebook: await asyncio.to_thread(memanalysis.find_leak, function)."
                )
            self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)  # the set loop stays set
            self._runner.run(result)
        self._count(1, started)

    def repeat(self, calls: int, *, until_s: float) -> bool:
        """Make a number of calls; False when the time was over before, and fewer were made."""
        left = calls
        while left:
            pace = self.spent_s / self.calls
            bout = min(left, max(1, int(SLICE_S / pace) if pace > 0 else left))
            started = time.perf_counter()
            if self._runner is None:
                self._call_often(bout)
            else:
                self._runner.run(self._await_often(bout))
            self._count(bout, started)
            left -= bout
            if left and time.perf_counter() > until_s:
                return False
        return True

    def close(self) -> None:
        """Close the event loop, if there is one."""
        if self._runner is not None:
            self._runner.close()

    def _call_often(self, times: int) -> None:
        call, args, kwargs = self._call, self._args, self._kwargs
        for _ in range(times):
            call(*args, **kwargs)

    async def _await_often(self, times: int) -> None:
        call, args, kwargs = self._call, self._args, self._kwargs
        for _ in range(times):
            await call(*args, **kwargs)

    def _count(self, calls: int, started: float) -> None:
        self.calls += calls
        self.spent_s += time.perf_counter() - started


class Measurements:
    """What the process used after how many calls; the arrays are made before the first reading.

    Parameters
    ----------
    collect : bool
        Collect garbage before each reading.
    """

    def __init__(self, *, collect: bool) -> None:
        self._collect = collect
        self._process = ProcessReader()
        self._is_aside = False
        self._size = 0
        self._ours = array("q", bytes(8 * 3))
        self._spare: int | None = MAX_SHARED_NUMBER + len(self._ours)
        self.has_native = read_allocator_used_bytes() is not None
        self._thread_cache = ThreadCache() if self.has_native else None
        self.has_rss = self._process.read_rss_bytes() is not None
        self.calls, self.traced, self.native, self.rss, self.blocks = (
            array("q", bytes(8 * MAX_MEASUREMENTS)) for _ in range(5)
        )

    def __len__(self) -> int:
        return self._size

    def read(self, calls: int) -> None:
        """Measure after a number of calls; two after as many calls are one."""
        if calls > MAX_SHARED_NUMBER:
            self._spare = None  # in its place the number of calls is now an object of its own
        if self._size and self.calls[self._size - 1] == calls:
            self._size -= 1
        self._read_into(self._size, calls)
        self._size += 1

    def leave_out_ours(self) -> None:
        """Count what came since the last reading as ours: later readings leave it out."""
        place = self._size
        self._read_into(place, 0)  # a number that is there already: a new one would count
        for column, ours in zip((self.traced, self.native, self.blocks), range(3), strict=True):
            self._ours[ours] += column[place] - column[place - 1]

    def _read_into(self, place: int, calls: int) -> None:
        if self._collect:
            collect_garbage()
        if self._thread_cache is not None:
            self._thread_cache.fill()
        traced, native, blocks, tracer = _read_in_use()
        rss = self._process.read_rss_bytes()
        self.calls[place] = calls
        self.traced[place] = traced - self._ours[0]
        self.native[place] = native - self._ours[1]
        self.blocks[place] = blocks - self._ours[2]
        self.rss[place] = 0 if rss is None else rss - tracer

    def take(self, name: str) -> list[float]:
        """One column, as ``calls``, ``traced``, ``native``, ``rss`` or ``blocks``."""
        return [float(value) for value in getattr(self, name)[: self._size]]

    def set_aside(self) -> None:
        """Take what is alive out of the collector's sight until `bring_back`: collections then take a millisecond.

        Nothing is done where garbage is not collected, or where the program has set something aside itself.
        """
        if self._collect and gc.get_freeze_count() == 0:
            gc.freeze()
            self._is_aside = True

    def bring_back(self) -> None:
        """Let the collector see everything again, also what the call itself set aside: gc cannot distinguish them."""
        if self._is_aside:
            gc.unfreeze()
            self._is_aside = False

    def close(self) -> None:
        """Close what was open for reading, and bring back what was set aside."""
        self.bring_back()
        self._process.close()


def _read_in_use() -> tuple[int, int, int, int]:
    """Traced bytes, those of the C allocator but the tracer's (0 where unknown), blocks of Python's, the tracer's."""
    traced = tracemalloc.get_traced_memory()[0]
    used, tracer = read_allocator_used_bytes(), tracemalloc.get_tracemalloc_memory()
    return traced, 0 if used is None else used - tracer, sys.getallocatedblocks(), tracer


def _has_running_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
