"""Which lines keep what they allocate? Found by tracing for a moment now and then, once memory is seen to grow.

A window starts tracing, lets the program go on, collects garbage, groups what survived by site, and stops. What a
program holds only for a while survives one window by chance; the sites whose survivors come back in every window are
the suspects. The bytes written for a site are those of all windows so far, so that they can be compared as those of
full snapshots are.

A program may not live until growth is believed, so where resident memory rises fast an early window is opened at once.
It names no suspect and drops none.

Nothing waits here: a window is opened and closed by `check`, which is called between ticks, and samples are taken
meanwhile. A window ends when its cost reaches what the overhead budget allows. One that had to end early is continued
when there is budget again, as the next slice of the same window.
"""

import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

from memanalysis.capture.grouping import RawGroup
from memanalysis.capture.sample import Clock
from memanalysis.capture.sites import describe_place, make_rows, read_site_table
from memanalysis.capture.tracing import TracingUse
from memanalysis.schema import Row
from memanalysis.units import format_bytes
from memanalysis.watcher.growth_signal import BLOCKS_STEP, RSS_STEP_BYTES, STEPS, FastRise, GrowthSignal
from memanalysis.watcher.overhead_budget import OverheadBudget
from memanalysis.watcher.survivors import Survivors
from memanalysis.watcher.window_cost import WindowCost

__all__ = ["TracingWindows"]

MIN_WINDOW_S = 0.2
"""A shorter window sees little but what is under way."""

MIN_SLICE_S = 0.05
"""A slice is not opened where not even this can be afforded."""

WANTED_S = 0.5
"""A slice waits until this can be afforded, or most of what can ever be spent at once."""

READY_SHARE = 0.6

EARLY_READY_SHARE = 0.3
"""The same for an early window, which is wanted as soon as can be: it is short, or is traced in slices."""

MAX_SLICE_S = 5.0
"""An idle program is traced for no longer than this at once."""

MAX_EARLY_SLICE_S = 2.0
"""The same in an early window: what it sees is written when it closes, and the program may die before."""

MIN_STEP_S = 0.02
MAX_STEP_S = 0.25
"""The cost of an open window is measured at half of the time that it seems to have left, within these bounds."""

WINDOWS_IN_A_ROW = 3
"""Windows after which suspects are named; later ones come when growth shows again."""

FIRST_REST_S = 30.0
MAX_REST_S = 1800.0
"""Between windows that come after: twice as long each time."""


class TracingWindows:
    """Decides when to trace, traces, and keeps what survived.

    Parameters
    ----------
    trace_limit : int
        Frames of each traceback.
    top_sites : int
        Rows written of a window, at most.
    budget : OverheadBudget
        Decides what can be afforded.
    clock : Clock
        When it is.
    read_sample : callable
        Reads a sample.
    record_event : callable
        Writes an event.
    write_sites : callable
        Writes rows of ``sites``, without run, seq and time.
    begin : callable
        Called once growth is believed, before the first window.
    conclude : callable
        Called once the suspects are named.
    cost : WindowCost, optional
        Measures what windows cost.
    """

    def __init__(
        self,
        *,
        trace_limit: int,
        top_sites: int,
        budget: OverheadBudget,
        clock: Clock,
        read_sample: Callable[[], Row],
        record_event: Callable[..., None],
        write_sites: Callable[[Sequence[Row]], None],
        begin: Callable[[], None],
        conclude: Callable[[], None],
        cost: WindowCost | None = None,
    ) -> None:
        self.is_open = False
        self._tracer = TracingUse(trace_limit)
        self._top_sites = top_sites
        self._budget = budget
        self._clock = clock
        self._read_sample = read_sample
        self._record_event = record_event
        self._write_sites = write_sites
        self._begin = begin
        self._report_conclusion = conclude
        self._cost = WindowCost(clock=clock) if cost is None else cost
        self._signals = {"rss_bytes": GrowthSignal(RSS_STEP_BYTES), "live_allocations": GrowthSignal(BLOCKS_STEP)}
        self._fast_rise = FastRise()
        self._at_first_sign: dict[str, int | None] | None = None
        self._windows_due = 0
        self._rest_s = FIRST_REST_S
        self._rest_until = float("-inf")
        self._survivors = Survivors()
        self._window = _Window()
        self._rss_growth_bytes: int | None = 0
        self._opened_at = self._allowed_s = 0.0
        self._rss_at_open: int | None = None

    @property
    def n_windows(self) -> int:
        """Windows so far, without early ones."""
        return self._survivors.n_windows

    def on_sample(self, sample: Row) -> None:
        """Check a tick's sample for growth. One that was taken in a window shows nothing: it holds the tracer too."""
        if self.is_open:
            return
        self._fast_rise.add(sample["rss_bytes"])
        signs = [name for name, signal in self._signals.items() if signal.add(sample[name])]
        if signs and not self._windows_due and self._clock.monotonic() >= self._rest_until:
            self._judge(signs)

    def check(self) -> float | None:
        """Open a window if one is due and can be afforded, or close the open one when it is time.

        Returns
        -------
        float or None
            When to check again, of the monotonic clock; None when the next tick will do.
        """
        now = self._clock.monotonic()
        if not self.is_open:
            return now + MIN_SLICE_S if self._open() else None
        if not tracemalloc.is_tracing():  # the program stopped it: the next tick tries again
            self._abandon()
            return None
        cost_s = self._cost.measure() + self._cost.estimate_close(at_once=self._budget.max_expense_s)
        elapsed_s = now - self._opened_at
        longest_s = MAX_SLICE_S if self._windows_due else MAX_EARLY_SLICE_S
        left_s = min(longest_s - elapsed_s, (self._allowed_s - cost_s) * elapsed_s / max(cost_s, 1e-9))
        if left_s < MIN_STEP_S:
            self._close()
            return None
        return now + min(MAX_STEP_S, max(MIN_STEP_S, left_s / 2))

    def finish(self) -> None:
        """End the open window at once, and keep what it saw where that is enough for a result."""
        if self.is_open and tracemalloc.is_tracing():
            self._close()
        self.release()
        if self._window.seconds > 0 and self.n_windows == 0:
            self._end_window()

    def release(self) -> None:
        """End tracing, if a window is open."""
        self._tracer.stop()
        self.is_open = False

    def _judge(self, signs: list[str]) -> None:
        """Growth was seen: collect garbage, and believe it when the second sign stands above the first."""
        at_once = self._budget.max_expense_s
        if self._cost.estimate_collection(at_once) > self._budget.available_s():
            return  # the next sign will do
        started = time.thread_time()
        self._cost.collect(at_once=at_once)
        sample = self._read_sample()
        self._budget.spend(time.thread_time() - started)
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
        return first is not None and last is not None and last - first >= STEPS / 2 * self._signals[name].min_step

    def _open(self) -> bool:
        """Start tracing if a window is due and can be afforded, unless somebody else traces."""
        is_early = self.n_windows == 0 and self._fast_rise.is_seen
        if not (self._windows_due or is_early) or tracemalloc.is_tracing():
            return False
        ready_share = READY_SHARE if self._windows_due else EARLY_READY_SHARE
        at_once, available_s = self._budget.max_expense_s, self._budget.available_s()
        wanted_s = self._cost.estimate(WANTED_S, at_once=at_once)
        shortest_s = self._cost.estimate(MIN_SLICE_S, at_once=at_once)
        if available_s < max(shortest_s, min(wanted_s, ready_share * at_once)):
            return False
        self._allowed_s = min(at_once, available_s, max(available_s / 2, wanted_s))
        self._cost.open()
        with self._cost.own_work():
            self._rss_at_open = self._read_sample()["rss_bytes"]
            self._opened_at = self._clock.monotonic()
            self._tracer.start()
        self.is_open = True
        return True

    def _abandon(self) -> None:
        self.release()
        self._budget.spend(self._cost.measure())

    def _close(self) -> None:
        """Read what survived, end tracing, and end the window if it was traced for long enough."""
        try:
            with self._cost.own_work():
                groups, rss_growth_bytes, seconds = self._read_survivors()
            with self._cost.own_work():
                self._survivors.add_slice(groups)
        finally:
            cost_s = self._cost.measure()
            self._budget.spend(cost_s)
            self.release()
        self._window.add(seconds, cost_s=cost_s, rss_growth_bytes=rss_growth_bytes)
        if self._window.seconds >= MIN_WINDOW_S:
            self._end_window()

    def _read_survivors(self) -> tuple[Sequence[RawGroup], int | None, float]:
        """Groups of what survived, growth of RSS without the tracer's, and how long was traced; tracing has ended."""
        self._cost.collect(at_once=self._budget.max_expense_s)
        rss_bytes, tracer_bytes = self._read_sample()["rss_bytes"], tracemalloc.get_tracemalloc_memory()
        seconds = self._clock.monotonic() - self._opened_at
        started = time.thread_time()
        groups = read_site_table().groups
        read_s = time.thread_time() - started
        self._cost.learn(read_s=read_s, tracer_bytes=tracer_bytes)
        self.release()
        self._cost.trim(tracer_bytes)
        return groups, _subtract(rss_bytes, self._rss_at_open, tracer_bytes), seconds

    def _end_window(self) -> None:
        """Write what the window saw, and name the suspects after the last one due; an early one has none."""
        started = time.thread_time()
        window, self._window = self._window, _Window()
        survived_bytes = self._survivors.window_bytes
        is_early = not self._windows_due
        if is_early:
            self._survivors.end_early_window()
            self._fast_rise.clear()
        else:
            self._survivors.end_window()
            self._windows_due -= 1
        suspects = self._survivors.find_suspects()
        rows = make_rows(suspects[: self._top_sites])
        self._rss_growth_bytes = _add(self._rss_growth_bytes, window.rss_growth_bytes)
        data = {
            "window": self.n_windows,
            "seconds": round(window.seconds, 3),
            "slices": window.slices,
            "survived_bytes": survived_bytes,
            "rss_growth_bytes": window.rss_growth_bytes,
            "suspects": 0 if is_early else len(suspects),
            "suspect_bytes": None if is_early else self._survivors.suspect_bytes,
            "cost_s": round(window.cost_s, 4),
        }
        self._record_event("window", level="info", message=_describe_window(data), data=data)
        if rows:
            self._write_sites(rows)
        if not self._windows_due and not is_early:
            self._conclude(rows)
        self._budget.spend(time.thread_time() - started)

    def _conclude(self, rows: list[dict[str, Any]]) -> None:
        """Name the first suspect, and rest."""
        self._rest_until = self._clock.monotonic() + self._rest_s
        self._rest_s = min(MAX_REST_S, 2 * self._rest_s)
        for signal in self._signals.values():  # what tracing itself took must not count as growth
            signal.clear()
        if not rows:
            message = "Memory grows, but no line of Python kept memory in every window: native code or fragmentation."
            self._record_event("suspect", level="info", message=message, data=None)
            return
        first = rows[0]
        place = describe_place(first)
        kept = f"{format_bytes(first['size_bytes'])} in {first['live_allocations']} blocks"
        meanwhile = self._rss_growth_bytes
        grown = "" if meanwhile is None or meanwhile <= 0 else f"; RSS grew by {format_bytes(meanwhile)} meanwhile"
        message = f"{place} kept memory in each of {self.n_windows} windows: {kept}{grown}."
        self._record_event(
            "suspect", level="warning", message=message, data={"site_id": first["site_id"], "place": place}
        )
        self._report_conclusion()


class _Window:
    """What the slices of one window add up to."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slices = 0
        self.cost_s = 0.0
        self.rss_growth_bytes: int | None = 0

    def add(self, seconds: float, *, cost_s: float, rss_growth_bytes: int | None) -> None:
        self.seconds += seconds
        self.slices += 1
        self.cost_s += cost_s
        self.rss_growth_bytes = _add(self.rss_growth_bytes, rss_growth_bytes)


def _add(total: int | None, part: int | None) -> int | None:
    return None if total is None or part is None else total + part


def _subtract(rss_after: int | None, rss_before: int | None, tracer_bytes: int) -> int | None:
    """What the program's own memory grew by while the window was open."""
    return None if rss_after is None or rss_before is None else rss_after - rss_before - tracer_bytes


def _describe_window(data: dict[str, Any]) -> str:
    seen = f"Traced for {data['seconds']:.1f} s: {format_bytes(data['survived_bytes'])} survived"
    if not data["window"]:
        return f"{seen}, early, as memory rises fast."
    return f"{seen}, {data['suspects']} sites are suspects."
