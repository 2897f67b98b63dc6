"""What may watching cost? A purse that fills with the time that goes by, and from which each dear thing is paid.

Seconds of the processor throughout. What a tracing window costs the program cannot be measured from inside, so it is
reckoned at nearly all the processor time that the process took while it was open.
"""

import time
from collections.abc import Callable

from memanalysis.capture.sample import Clock

__all__ = ["CostGovernor"]

FULL_AFTER_S = 60.0
"""The purse holds what a minute brings in: after a quiet hour no hour's worth is spent at once."""

TRACING_SHARE = 0.9
"""Tracing 25 frames slows Python that only makes objects 20 times and more: this much of its time is the tracing's."""

MOST_SLOWED = 20.0
"""A program is taken to be so many times as busy while it is traced, up to a whole processor, until a window tells."""

REMEMBERED_TICKS = 4.0
"""The cost of a tick is averaged over about so many of those that are measured."""

MAX_PACE = 60.0
"""However dear a tick is, one comes every 60 intervals."""


class CostGovernor:
    """Keeps watching under its ceiling: says what can be afforded now, and how far apart ticks must be.

    Parameters
    ----------
    max_overhead : float
        Share of one processor that watching may take, such as 0.05.
    clock : Clock
        Time that goes by.
    cpu_time : callable
        Processor time of this process, all threads.
    """

    def __init__(self, max_overhead: float, *, clock: Clock, cpu_time: Callable[[], float] = time.process_time) -> None:
        self.max_overhead = max_overhead
        self.spent_s = 0.0
        self._clock = clock
        self._cpu_time = cpu_time
        self._purse_s = 0.0
        self._filled_at = self._began_at = clock.monotonic()
        self._cpu_at_begin = cpu_time()
        self._tick_s = 0.0
        self._traced_share: float | None = None

    def read_purse(self) -> float:
        """Seconds that can be spent now; below zero when too much was."""
        now = self._clock.monotonic()
        self._purse_s = min(
            self._purse_s + self.max_overhead * (now - self._filled_at), self.max_overhead * FULL_AFTER_S
        )
        self._filled_at = now
        return self._purse_s

    def pay(self, seconds: float) -> None:
        """Take from the purse what something has cost."""
        self.read_purse()
        self._purse_s -= seconds
        self.spent_s += seconds

    def choose_window_s(self, *, shortest: float, longest: float) -> float | None:
        """Length of a tracing window that can be afforded; None when not even the shortest can."""
        elapsed = self._clock.monotonic() - self._began_at
        busy = (self._cpu_time() - self._cpu_at_begin) / elapsed if elapsed > 0 else 1.0
        traced = min(1.0, MOST_SLOWED * busy) if self._traced_share is None else self._traced_share
        length = self.read_purse() / 2 / (TRACING_SHARE * max(busy, traced, 0.01))
        return min(length, longest) if length >= shortest else None

    def pay_window(self, seconds: float, *, process_s: float, own_s: float) -> float:
        """Pay for a window of so many seconds, in which the process took ``process_s`` and our own work ``own_s``."""
        program_s = max(0.0, process_s - own_s)
        self._traced_share = program_s / max(seconds, 0.001)
        cost = own_s + TRACING_SHARE * program_s
        self.pay(cost)
        return cost

    def choose_pace(self, tick_s: float, interval_s: float) -> float:
        """By how much intervals must be longer, 1 or more, when a tick took ``tick_s``."""
        self._tick_s += (tick_s - self._tick_s) / REMEMBERED_TICKS
        return min(MAX_PACE, max(1.0, self._tick_s / (self.max_overhead * interval_s)))
