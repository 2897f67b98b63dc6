"""`TracemallocIntegration`: tracing by tracemalloc, and the snapshots taken under it."""

import gc
import sys
import time
import tracemalloc
from typing import Any

from memanalysis.capture.process import ProcessReader
from memanalysis.capture.sites import read_site_table
from memanalysis.capture.tracing import DEFAULT_TRACE_LIMIT, TOP_SITES, TracingUse
from memanalysis.errors import CaptureError
from memanalysis.schema import MemorySnapshot
from memanalysis.units import mb_from_bytes

__all__ = ["TracemallocIntegration"]

FREE_COST_S = 0.05
"""A table of sites that took more processor time than this is used again for a while."""

REST_FACTOR = 20.0
"""It is used again for 20 times as long as it took to make, which holds its cost at 5 % of the time."""


class TracemallocIntegration:
    """Tracing by tracemalloc, joined or started, and the snapshots taken under it.

    Parameters
    ----------
    trace_limit : int
        Frames kept of each traceback, at least 1. Ignored when tracing already runs.

    Examples
    --------
    >>> from memanalysis import TracemallocIntegration
    >>> tracer = TracemallocIntegration(trace_limit=1)
    >>> tracer.start()
    True
    >>> tracer.take_snapshot().current_mb >= 0
    True
    >>> tracer.stop()
    True
    """

    def __init__(self, trace_limit: int = DEFAULT_TRACE_LIMIT) -> None:
        self._use = TracingUse(trace_limit)
        self._process = ProcessReader()
        self._born = time.monotonic()
        self._stats: dict[str, Any] = {}
        self._stats_good_until = 0.0

    @property
    def trace_limit(self) -> int:
        """Frames kept of each traceback."""
        return self._use.trace_limit

    @property
    def is_tracing(self) -> bool:
        """Whether tracemalloc traces now, whoever started it."""
        return tracemalloc.is_tracing()

    def start(self) -> bool:
        """Start tracing, or join tracing that runs. True when tracing runs afterwards."""
        return self._use.start()

    def stop(self) -> bool:
        """End this use of tracing; True when there was one.

        Tracing itself ends with its last user in memanalysis, and only if memanalysis started it.
        """
        self._process.close()
        self._stats, self._stats_good_until = {}, 0.0
        return self._use.stop()

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
