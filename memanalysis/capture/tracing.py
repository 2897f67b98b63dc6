"""Is tracemalloc tracing, who turned it on, and what does it see? Joined or started, and left as it was found.

Tracing belongs to the whole process. What memanalysis turned on it turns off when its last user leaves; tracing that
was found running is joined, and left running.
"""

import gc
import os
import sys
import threading
import time
import tracemalloc
from typing import Any

from memanalysis.capture.process import ProcessReader
from memanalysis.capture.sites import read_site_table
from memanalysis.errors import CaptureError, InvalidArgumentError
from memanalysis.schema import MemorySnapshot
from memanalysis.units import mb_from_bytes

__all__ = ["TracemallocIntegration"]

DEFAULT_TRACE_LIMIT = 25
"""Frames a traceback: deep enough to leave a web framework, and what the default policy says."""

TOP_SITES = 10
"""Sites in ``MemorySnapshot.tracemalloc_stats``."""

FREE_COST_S = 0.05
"""A table of sites that took more time of the processor than this is used again for a while."""

REST_FACTOR = 20.0
"""Used again for 20 times as long as it took to make: that holds its cost at 5 % of the time."""


class TracemallocIntegration:
    """Tracing by tracemalloc, joined or started, and the snapshots taken under it.

    Parameters
    ----------
    trace_limit : int
        Frames kept of each traceback, at least 1. Ignored when tracing already runs.
    """

    def __init__(self, trace_limit: int = DEFAULT_TRACE_LIMIT) -> None:
        if trace_limit < 1:
            raise InvalidArgumentError(
                f"TracemallocIntegration needs trace_limit of at least 1 frame, but got {trace_limit}. Pass 1 or more."
            )
        self.trace_limit = trace_limit
        self._process = ProcessReader()
        self._born = time.monotonic()
        self._stats: dict[str, Any] = {}
        self._stats_good_until = 0.0

    @property
    def is_tracing(self) -> bool:
        """Whether tracemalloc traces now, whoever started it."""
        return tracemalloc.is_tracing()

    def start(self) -> bool:
        """Start tracing, or join tracing that runs. True when tracing runs afterwards."""
        _tracing.enter(id(self), self.trace_limit)
        return tracemalloc.is_tracing()

    def stop(self) -> bool:
        """End this use of tracing; True when there was one.

        Tracing itself ends with its last user here, and only if it was started here.
        """
        self._process.close()
        self._stats, self._stats_good_until = {}, 0.0
        return _tracing.leave(id(self))

    def take_snapshot(self) -> MemorySnapshot:
        """Take a snapshot of what is traced now.

        Raises
        ------
        CaptureError
            tracemalloc is not tracing.
        """
        if not tracemalloc.is_tracing():
            raise CaptureError("take_snapshot needs tracemalloc tracing, but it is off. Call start() first.")
        current, peak = tracemalloc.get_traced_memory()
        rss = self._process.read_rss_bytes()
        return MemorySnapshot(
            timestamp=time.time(),
            current_mb=mb_from_bytes(current),
            peak_mb=mb_from_bytes(peak),
            object_count=len(gc.get_objects()),
            tracemalloc_stats=self._read_stats(),
            rss_mb=None if rss is None else mb_from_bytes(rss),
            live_allocations=sys.getallocatedblocks(),
            gc_collections=sum(generation["collections"] for generation in gc.get_stats()),
            elapsed_s=time.monotonic() - self._born,
        )

    def _read_stats(self) -> dict[str, Any]:
        started, cpu_started = time.monotonic(), time.thread_time()
        if not self._stats or started >= self._stats_good_until:
            table = read_site_table()
            top = [
                {"file": frames[0][0], "line": frames[0][1], "size_mb": mb_from_bytes(size), "count": count}
                for frames, size, count in table.groups[:TOP_SITES]
            ]
            tracer_bytes = tracemalloc.get_tracemalloc_memory() + table.own_bytes
            self._stats = {"top": top, "tracer_mb": mb_from_bytes(tracer_bytes)}
            cost = time.thread_time() - cpu_started
            self._stats_good_until = started + REST_FACTOR * cost if cost > FREE_COST_S else started
        return self._stats


class _SharedTracing:
    """Who of memanalysis uses tracing in this process, and whether memanalysis turned it on."""

    def __init__(self) -> None:
        self._users: set[int] = set()
        self._started_here = False
        self._lock = threading.Lock()

    def enter(self, user: int, trace_limit: int) -> None:
        with self._lock:
            if not tracemalloc.is_tracing():
                tracemalloc.start(trace_limit)
                self._started_here = True
            self._users.add(user)

    def leave(self, user: int) -> bool:
        with self._lock:
            if user not in self._users:
                return False
            self._users.remove(user)
            if not self._users and self._started_here:
                self._started_here = False
                tracemalloc.stop()
            return True

    def renew_lock(self) -> None:
        """Forget the lock in a forked child, where no thread is left that would free it."""
        self._lock = threading.Lock()


_tracing = _SharedTracing()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_tracing.renew_lock)
