"""Which lines keep what they allocate? Found by tracing for a moment now and then, once memory is seen to grow.

A window starts tracing, waits, collects garbage, groups what survived by site, and stops. What a program holds only for
a while survives one window by chance; the sites whose survivors come back in every window are the suspects. The bytes
written for a site are those of all windows so far, so that they can be compared as those of full snapshots are.
"""

import gc
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from memanalysis.capture.grouping import RawFrames, RawGroup
from memanalysis.capture.sample import Clock
from memanalysis.capture.sites import make_rows, read_site_table
from memanalysis.capture.tracing import TracingUse
from memanalysis.schema import Row
from memanalysis.units import format_bytes
from memanalysis.watcher.governor import CostGovernor
from memanalysis.watcher.growth_signal import BLOCKS_STEP, RSS_STEP_BYTES, STEPS, GrowthSignal

__all__ = ["TracingWindows"]

SHORTEST_S = 0.2
"""A shorter window sees little but what is under way."""

LONGEST_S = 5.0
"""The recorder takes no samples while one is open."""

WINDOWS_IN_A_ROW = 3
"""Windows after which suspects are named; later ones come when growth shows again."""

FIRST_REST_S = 30.0
LONGEST_REST_S = 1800.0
"""Between windows that come after: twice as long each time."""

MOST_SITES = 500
"""Sites whose survivors are remembered, the biggest: a megabyte at 25 frames."""


class TracingWindows:
    """Decides when to trace, traces, and keeps what survived.

    Parameters
    ----------
    trace_limit : int
        Frames of each traceback.
    top_sites : int
        Rows given of a window, at most.
    governor : CostGovernor
        Says what can be afforded.
    clock : Clock
        When it is.
    wait : callable
        Waits so many seconds; True when watching is to end.
    record_event : callable
        Writes an event.
    begin : callable
        Called once growth is believed, before the first window.
    """

    def __init__(
        self,
        *,
        trace_limit: int,
        top_sites: int,
        governor: CostGovernor,
        clock: Clock,
        wait: Callable[[float], bool],
        record_event: Callable[..., None],
        begin: Callable[[], None],
    ) -> None:
        self.n_windows = 0
        self._tracer = TracingUse(trace_limit)
        self._top_sites = top_sites
        self._governor = governor
        self._clock = clock
        self._wait = wait
        self._record_event = record_event
        self._begin = begin
        self._signals = {"rss_bytes": GrowthSignal(RSS_STEP_BYTES), "live_allocations": GrowthSignal(BLOCKS_STEP)}
        self._at_first_sign: dict[str, int | None] | None = None
        self._windows_due = 0
        self._rest_s = FIRST_REST_S
        self._rest_until = float("-inf")
        self._survivors: dict[RawFrames, tuple[int, int, int]] = {}
        self._rss_growth_bytes: int | None = 0

    @property
    def has_concluded(self) -> bool:
        """Whether the last look was the one that named the suspects."""
        return self.n_windows >= WINDOWS_IN_A_ROW and not self._windows_due

    def look(self, sample: Row, read_again: Callable[[], Row]) -> list[dict[str, Any]]:
        """Look at a sample; open a window when it is time for one.

        Parameters
        ----------
        sample : row of ``samples``
            The tick's.
        read_again : callable
            Reads another, after garbage was collected.

        Returns
        -------
        list of dict
            Rows of ``sites``, without run, seq and time, when a window was open; else empty.
        """
        signs = [name for name, signal in self._signals.items() if signal.add(sample[name])]
        if signs and not self._windows_due and self._clock.monotonic() >= self._rest_until:
            self._judge(signs, read_again)
        if not self._windows_due or tracemalloc.is_tracing():  # somebody else traces: that is left alone
            return []
        seconds = self._governor.choose_window_s(shortest=SHORTEST_S, longest=LONGEST_S)
        return [] if seconds is None else self._open(seconds, lambda: read_again()["rss_bytes"])

    def release(self) -> None:
        """End tracing, if a window is open."""
        self._tracer.stop()

    def _judge(self, signs: list[str], read_again: Callable[[], Row]) -> None:
        """Growth was seen: collect garbage, and believe it when the second sign stands above the first."""
        started = time.thread_time()
        _collect()
        sample = read_again()
        self._governor.pay(time.thread_time() - started)
        before = self._at_first_sign
        self._at_first_sign = {name: sample[name] for name in self._signals}
        for signal in self._signals.values():
            signal.clear()
        if before is None or not any(self._has_grown(name, before, sample) for name in signs):
            return
        self._windows_due = WINDOWS_IN_A_ROW if self.n_windows < WINDOWS_IN_A_ROW else 1
        if self.n_windows == 0:
            self._record_event(
                "growth",
                level="info",
                message="Memory grows, so tracing begins, in short windows.",
                data={name: [before[name], sample[name]] for name in self._signals},
            )
            self._begin()

    def _has_grown(self, name: str, before: dict[str, int | None], sample: Row) -> bool:
        first, last = before[name], sample[name]
        return first is not None and last is not None and last - first >= STEPS / 2 * self._signals[name].least_step

    def _open(self, seconds: float, read_rss_bytes: Callable[[], int | None]) -> list[dict[str, Any]]:
        """Trace for so long; the rows of the suspects so far. Nothing when watching ended meanwhile."""
        process_started, own_started = time.process_time(), time.thread_time()
        began = self._clock.monotonic()
        rss_before = read_rss_bytes()
        self._tracer.start()
        try:
            if self._wait(seconds):
                return []
            _collect()
            if not tracemalloc.is_tracing():  # the program stopped it: the next tick tries again
                return []
            rss_after, tracer_bytes = read_rss_bytes(), tracemalloc.get_tracemalloc_memory()
            ended = self._clock.monotonic()
            groups = read_site_table().groups
        finally:
            self._tracer.stop()
        self.n_windows += 1
        self._windows_due -= 1
        self._keep(groups)
        suspects = self._find_suspects()
        rows = make_rows(suspects[: self._top_sites])
        cost_s = self._governor.pay_window(
            ended - began,
            process_s=time.process_time() - process_started,
            own_s=time.thread_time() - own_started,
        )
        rss_growth = _subtract(rss_after, rss_before, tracer_bytes)
        self._rss_growth_bytes = _add(self._rss_growth_bytes, rss_growth)
        data = {
            "window": self.n_windows,
            "seconds": round(ended - began, 3),
            "survived_bytes": sum(size for _, size, _ in groups),
            "rss_growth_bytes": rss_growth,
            "suspects": len(suspects),
            "suspect_bytes": sum(size for _, size, _ in suspects),
            "cost_s": round(cost_s, 4),
        }
        self._record_event("window", level="info", message=_describe_window(data), data=data)
        if not self._windows_due:
            self._conclude(rows)
        return rows

    def _keep(self, groups: list[RawGroup] | Any) -> None:
        for frames, size, count in groups[:MOST_SITES]:
            bytes_before, blocks_before, seen = self._survivors.get(frames, (0, 0, 0))
            self._survivors[frames] = bytes_before + size, blocks_before + count, seen + 1
        if self.n_windows > 1:  # whoever missed a window is no suspect any more
            self._survivors = {frames: kept for frames, kept in self._survivors.items() if kept[2] == self.n_windows}

    def _find_suspects(self) -> list[RawGroup]:
        found = [(frames, size, count) for frames, (size, count, _) in self._survivors.items()]
        return sorted(found, key=lambda group: group[1:], reverse=True)

    def _conclude(self, rows: list[dict[str, Any]]) -> None:
        """Name the first suspect, and rest."""
        self._rest_until = self._clock.monotonic() + self._rest_s
        self._rest_s = min(LONGEST_REST_S, 2 * self._rest_s)
        for signal in self._signals.values():  # what tracing itself took must not count as growth
            signal.clear()
        if not rows:
            message = "Memory grows, but no line of Python kept memory in every window: native code or fragmentation."
            self._record_event("suspect", level="info", message=message, data=None)
            return
        first = rows[0]
        place = f"{first['file']}:{first['line']}" + (f" in {first['function']}" if first["function"] else "")
        kept = f"{format_bytes(first['size_bytes'])} in {first['live_allocations']} blocks"
        meanwhile = self._rss_growth_bytes
        grown = "" if meanwhile is None or meanwhile <= 0 else f"; RSS grew by {format_bytes(meanwhile)} meanwhile"
        message = f"{place} kept memory in each of {self.n_windows} windows: {kept}{grown}."
        self._record_event("suspect", level="warning", message=message, data={"site_id": first["site_id"]})


def _collect() -> None:
    """Collect garbage, unless the program turned the collector off: then it is for the program to say when."""
    if gc.isenabled():
        gc.collect()


def _add(total: int | None, part: int | None) -> int | None:
    return None if total is None or part is None else total + part


def _subtract(rss_after: int | None, rss_before: int | None, tracer_bytes: int) -> int | None:
    """What the program's own memory grew by while the window was open."""
    return None if rss_after is None or rss_before is None else rss_after - rss_before - tracer_bytes


def _describe_window(data: dict[str, Any]) -> str:
    return (
        f"Traced for {data['seconds']:.1f} s: {format_bytes(data['survived_bytes'])} survived, "
        f"{data['suspects']} sites are suspects."
    )
