"""One run of `find_leak`: call, measure, check, and decide as soon as the measurements allow it.

Checking is expensive under tracing, and what it keeps is ours: it is done seldom, and what came meanwhile is left out.
"""

import time
import tracemalloc

import numpy as np

from memanalysis.capture.containers import read_remaining_capacities
from memanalysis.capture.tracing import TracingUse
from memanalysis.capture.wrapper_frames import register_wrapper_frame
from memanalysis.leaktest.block_growth import judge_by_blocks
from memanalysis.leaktest.call_growth import CallGrowthDetails, find_call_growth
from memanalysis.leaktest.call_verdict import GrowthChecks, describe_cleared, describe_finding
from memanalysis.leaktest.finding import LeakFinding
from memanalysis.leaktest.measurements import MAX_MEASUREMENTS, CallRepeater, Measurements
from memanalysis.leaktest.retained_bound import bound_retained
from memanalysis.leaktest.sequential_test import (
    CHECK_RATIO,
    FALSE_ALARMS,
    CallGrowth,
    find_stretch,
    judge_calls,
    next_reading,
    rate_from_end_to_end,
    weigh_rises,
)
from memanalysis.leaktest.untraced_calls import (
    ENOUGH_CALLS,
    MAX_RSS_GROWTH_BYTES,
    MAX_UNTRACED_CALLS,
    UntracedCheck,
    check_untraced,
)
from memanalysis.units import MIB

__all__ = ["LeakTest"]

MANY_CALLS = 20_000
"""From here on a leak may be reported, if `SOON` is over too: caches of some thousand entries are full."""

SOON = 0.2
"""Share of the time after which `MANY_CALLS` will do."""

ABUNDANT_CALLS = 100_000
"""This number is enough at once."""

LATE = 0.5
"""Share after which `ENOUGH_CALLS` will do; fewer, only at the end. A single rise is left out from then on."""

MIN_CALLS_UNTRACED = 4 * MAX_UNTRACED_CALLS
"""With fewer calls allowed all of them are traced."""

FRAMES_TO_MEASURE = 1
"""Each frame costs, in every allocation: they are recorded only when a leak is there to be named."""

MEASURED = 0.75
"""Share of the time for measuring; the rest is for naming lines and holders."""

MEASURED_CALLS = 0.9
"""Share of the calls for measuring: lines are named by few."""

NAMING_BOUTS = 4
"""Bouts of calls by which lines are named, at most; each makes as many as leave some for the others."""

NAMING_TIME = 0.05
"""Share of the time for each such bout."""

FILLING_AGAIN = 4
"""Times as many calls after which is looked again whether a cache with a bound is all that grows: that is expensive."""

MAX_GROWTH_BYTES = 256 * MIB
"""No more than this is left to grow."""

PAGES_BYTES = 64 * 1024
"""Changes of the resident size up to this are none: allocators move by as much."""

MIN_RSS_GROWTH_BYTES = 8 * MIB
"""Resident growth that counts where neither tracemalloc nor the C allocator sees any."""


register_wrapper_frame(__file__)


class LeakTest:
    """Calls, reads, judges, and ends; to be closed.

    Parameters
    ----------
    repeater : CallRepeater
        Whose first call is made before `run`.
    max_calls, max_s, min_per_call, frames, collect, holders
        As for `find_leak`.
    """

    def __init__(
        self,
        repeater: CallRepeater,
        *,
        max_calls: int,
        max_s: float,
        min_per_call: float,
        frames: int,
        collect: bool,
        holders: bool,
    ) -> None:
        self._repeater, self._readings = repeater, Measurements(collect=collect)
        self._max_calls, self._max_s, self._least = max_calls, max_s, min_per_call
        self._measured_calls = min(int(max_calls * MEASURED_CALLS), max_calls - NAMING_BOUTS)
        self._frames, self._collect, self._holders = frames, collect, holders
        self._started = 0.0
        self._was_tracing = tracemalloc.is_tracing()
        self._tracing = TracingUse(trace_limit=FRAMES_TO_MEASURE)
        self._kept: CallGrowthDetails | None = None
        self._capacities: dict[int, int] = {}
        self._checked_at = 0
        self._filled_at = 0
        self._calls_before = 0
        self._untraced: UntracedCheck | None = None

    def close(self) -> None:
        """Leave tracing as it was found."""
        self._tracing.stop()
        self._readings.close()

    def run(self, started: float) -> LeakFinding:
        """Repeat the call until there is an answer, or a bound is reached.

        Parameters
        ----------
        started : float
            Second of ``time.perf_counter`` from where the time counts.
        """
        self._started = started
        if self._may_run_untraced():
            self._untraced = check_untraced(
                self._repeater,
                collect=self._collect,
                min_per_call=self._least,
                started=started,
                max_s=self._max_s,
            )
            if self._untraced.is_cleared:
                return describe_cleared(self._untraced, min_per_call=self._least, calls=self._repeater.calls)
            self._calls_before = self._repeater.calls - 1
        self._tracing.start()
        self._readings.read(self._calls)
        self._capacities = read_remaining_capacities()
        self._check()  # what a first look keeps under tracing is ours
        self._readings.set_aside()
        self._readings.leave_out_ours()
        while True:
            self._readings.read(self._calls)
            is_over = self._is_over()
            if self._is_time_to_check(is_over=is_over):
                calls = self._repeater.calls
                finding = self._decide(is_over=is_over)
                if finding is not None:
                    return finding
                if self._repeater.calls == calls:  # else what came meanwhile is the program's too
                    self._readings.leave_out_ours()
            self._call_until(min(self._measured_calls, self._calls_before + next_reading(self._calls)))

    def _may_run_untraced(self) -> bool:
        return self._readings.has_native and not self._was_tracing and self._max_calls >= MIN_CALLS_UNTRACED

    def _may_clear(self) -> bool:
        """Whether there are as many traced calls as untraced ones that did not clear it, or enough."""
        return self._untraced is None or self._calls >= min(ENOUGH_CALLS, self._untraced.calls)

    @property
    def _calls(self) -> int:
        """Calls made under tracing, and one before."""
        return self._repeater.calls - self._calls_before

    def _is_time_to_check(self, *, is_over: bool) -> bool:
        """Return whether to check now: not before an answer is allowed, then at every few readings.

        Checking is expensive under tracing.
        """
        calls = self._calls
        if is_over:
            return True
        if calls < CHECK_RATIO * self._checked_at or not (calls >= ENOUGH_CALLS or self._is_late()):
            return False
        at, traced = self._readings.take("calls"), self._readings.take("traced")
        is_flat = rate_from_end_to_end(at, traced) < self._least
        if not is_flat and not (self._has_lasted() and weigh_rises(at, traced) * FALSE_ALARMS >= 1):
            return False
        self._checked_at = calls
        return True

    def _decide(self, *, is_over: bool) -> LeakFinding | None:
        checks = self._check()
        self._kept = None
        if checks.origin and (is_over or self._has_lasted()):
            finding = self._name_leak(checks, is_over=is_over)
            if finding is not None:
                return finding
        elif checks.is_quiet and self._may_clear():
            return self._make_finding(checks, is_leak=False)
        if is_over and checks.traced.is_rising:
            self._finds_filling(is_over=True)
        return self._make_finding(checks, is_leak=None) if is_over else None

    def _check(self) -> GrowthChecks:
        rss = self._judge_rss() if self._readings.has_rss else None
        return GrowthChecks(
            traced=self._judge_traced(),
            native=self._judge("native") if self._readings.has_native else None,
            rss=rss,
            is_rss_open=rss is not None and rss.is_rising and self._retained_rss_bytes() > MAX_RSS_GROWTH_BYTES,
            is_native_cleared=self._untraced is not None and self._untraced.is_native_quiet,
        )

    def _judge_traced(self) -> CallGrowth:
        calls, traced, blocks = (np.array(self._readings.take(name)) for name in ("calls", "traced", "blocks"))
        return judge_by_blocks(self._judge("traced"), calls, traced, blocks, min_per_call=self._least)

    def _judge(self, name: str) -> CallGrowth:
        return judge_calls(
            np.array(self._readings.take("calls")),
            np.array(self._readings.take(name)),
            min_per_call=self._least,
            without_step=self._is_late() and self._calls >= ENOUGH_CALLS,
        )

    def _judge_rss(self) -> CallGrowth:
        return judge_calls(
            np.array(self._readings.take("calls")),
            np.array(self._readings.take("rss")),
            min_per_call=max(self._least, MIN_RSS_GROWTH_BYTES / self._calls),
            tolerance=PAGES_BYTES,
        )

    def _retained_rss_bytes(self) -> float:
        at, levels = self._readings.take("calls"), self._readings.take("rss")
        first = find_stretch(at)
        return bound_retained(at[first:], levels[first:]).retained

    def _elapsed_share(self) -> float:
        return (time.perf_counter() - self._started) / self._max_s

    def _is_over(self) -> bool:
        grown = max(self._grown_bytes("traced"), self._grown_bytes("rss"))
        return (
            self._elapsed_share() >= MEASURED
            or self._repeater.calls >= self._measured_calls
            or grown >= MAX_GROWTH_BYTES
            or len(self._readings) + 1 == MAX_MEASUREMENTS
        )

    def _grown_bytes(self, name: str) -> int:
        values = getattr(self._readings, name)
        return int(values[len(self._readings) - 1] - values[0])

    def _has_lasted(self) -> bool:
        """Whether growth has lasted so often or so long that a leak may be named."""
        calls, elapsed = self._calls, self._elapsed_share()
        return (
            calls >= ABUNDANT_CALLS
            or (calls >= MANY_CALLS and elapsed >= SOON)
            or (calls >= ENOUGH_CALLS and elapsed >= LATE)
        )

    def _is_late(self) -> bool:
        return self._elapsed_share() >= LATE

    def _call_until(self, calls: int) -> int:
        """Call up to that number of calls, or to the end of the time; gives how many were made."""
        before = self._repeater.calls
        self._repeater.repeat(calls - before, until_s=self._started + self._max_s * MEASURED)
        return self._repeater.calls - before

    def _name_leak(self, checks: GrowthChecks, *, is_over: bool) -> LeakFinding | None:
        """Return the leak with its lines; None while a cache with a bound is all that grows, and there is time."""
        if checks.origin != "python":
            if checks.has_traced_part:
                self._name_lines()
            return self._make_finding(checks, is_leak=True)
        if self._calls < FILLING_AGAIN * self._filled_at and not is_over:
            return None
        if self._finds_filling(is_over=is_over):
            return self._make_finding(checks, is_leak=None) if is_over else None
        self._name_lines()
        return self._make_finding(checks, is_leak=True)

    def _name_lines(self) -> None:
        """Find by some more calls what grows, by line, type and container."""
        self._readings.bring_back()
        self._kept = find_call_growth(
            self._call_once_more, collect=self._collect, holders=self._holders, tracing=self._trace_deeper()
        )

    def _finds_filling(self, *, is_over: bool) -> bool:
        """Whether hardly anything grows but caches with a bound; found out by some more calls."""
        self._readings.bring_back()
        if not self._is_cache_filling():
            return False
        kept = find_call_growth(
            self._call_once_more,
            collect=self._collect,
            holders=False,
            tracing=self._trace_deeper() if is_over else None,
        )
        if kept.is_filling:
            self._kept, self._filled_at = kept, self._calls
        if not is_over:
            self._readings.set_aside()
        return kept.is_filling

    def _is_cache_filling(self) -> bool:
        """Whether a cache or deque with a bound can take fewer entries than at first, and still takes some."""
        return any(capacity < self._capacities.get(key, 0) for key, capacity in read_remaining_capacities().items())

    def _trace_deeper(self) -> TracingUse | None:
        """End tracing and give one of all frames, not yet started; None where the program traces itself."""
        if self._was_tracing:
            return None
        self._tracing.stop()
        self._tracing = TracingUse(trace_limit=self._frames)
        return self._tracing

    def _call_once_more(self) -> int:
        """Calls for naming lines: as many as to the next reading, of what is left of the calls, in a bounded time."""
        before = self._calls
        most = max(1, (self._max_calls - self._repeater.calls) // NAMING_BOUTS)
        until_s = time.perf_counter() + NAMING_TIME * self._max_s
        self._repeater.repeat(min(most, next_reading(before) - before), until_s=until_s)
        return self._calls - before

    def _make_finding(self, checks: GrowthChecks, *, is_leak: bool | None) -> LeakFinding:
        return describe_finding(
            checks,
            is_leak=is_leak,
            kept=self._kept,
            blocks_per_call=rate_from_end_to_end(self._readings.take("calls"), self._readings.take("blocks")),
            min_per_call=self._least,
            calls=self._repeater.calls,
        )
