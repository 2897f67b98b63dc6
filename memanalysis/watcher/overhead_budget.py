"""What may watching still cost? A share of one processor, held over the whole run and over every ten seconds of it.

Seconds of the processor throughout. Whoever does something expensive asks first what is available, and afterwards
spends what it took. Ticks are spent as they come: where they alone would take much of the share, they come less often.
The workers of one server share a part of a processor that is small for all of them together.
"""

import os
from collections import deque

from memanalysis.capture.sample import Clock

__all__ = ["SERVER_TICKS_SHARE", "STRETCH_S", "OverheadBudget"]

STRETCH_S = 10.0
"""The share is held over each stretch of this length."""

BUCKET_S = 0.1
"""What is spent within a tenth of a second is kept as one number: a hundred numbers however short the intervals are."""

TICKS_SHARE = 0.5
"""Ticks take at most this part of the budget; the rest is for windows."""

REMEMBERED_TICKS = 4.0
"""The cost of a tick is averaged over about this many of those that are measured."""

MAX_PACE = 60.0
"""However expensive a tick is, one comes every 60 intervals."""

COUNTED_SHARE = 0.9
"""A tenth of the share is for what cannot be counted, such as caches that the program has to fill again."""

SAFE_SHARE = 0.9
"""One thing takes at most this part of what ticks leave of a stretch: costs are estimates until they are spent."""


SERVER_TICKS_SHARE = 0.002
"""Of a processor, for the ticks of all workers of one server. Half a dozen workers or so still tick once a second."""

SERVER_RARE_SHARE = 0.001
"""Of a processor, for all workers of one server and each thing that is done once a minute."""

FEW_WORKERS = 8
"""Up to eight workers take twice that share, and more of them ever less of its second half. What a few workers found
out is to be known within a minute."""


GOLDEN_SHARE = (5**0.5 - 1) / 2
"""Multiples of it, without their whole part, lie evenly between 0 and 1: so do the turns of successive processes."""


class OverheadBudget:
    """Decides what can be afforded now, and how far apart ticks must be.

    Parameters
    ----------
    max_overhead : float
        Share of one processor that watching may take, such as 0.05.
    clock : Clock
        Time that goes by.

    Attributes
    ----------
    spent_s : float
        What watching cost so far.
    tick_s : float
        What a tick costs, on the average of the last few that were measured.
    n_workers : int
        Workers of the server that this process is one of; 1 where it is none.
    is_slowed_for_server : bool
        Whether ticks come less often for what all workers take together.
    """

    def __init__(self, max_overhead: float, *, clock: Clock) -> None:
        self.max_overhead = max_overhead
        self.spent_s = 0.0
        self.tick_s = 0.0
        self.n_workers = 1
        self.is_slowed_for_server = False
        self._clock = clock
        self._began_at = clock.monotonic()
        self._reserved_s = 0.0
        self._ticks_share = 0.0
        self._recent: deque[tuple[int, float]] = deque()

    @property
    def max_expense_s(self) -> float:
        """The most that one thing may take: what ticks leave of ten seconds, less a margin."""
        return SAFE_SHARE * (COUNTED_SHARE * self.max_overhead - self._ticks_share) * STRETCH_S

    def available_s(self) -> float:
        """Seconds that can be spent now; below zero when too much was."""
        now = self._clock.monotonic()
        oldest = (now - STRETCH_S) / BUCKET_S
        while self._recent and self._recent[0][0] + 1 <= oldest:
            self._recent.popleft()
        share = COUNTED_SHARE * self.max_overhead
        of_stretch = share * STRETCH_S - sum(seconds for _, seconds in self._recent)
        of_run = share * (now - self._began_at) - self._reserved_s - self.spent_s
        return min(of_stretch, of_run)

    def spend(self, seconds: float) -> None:
        """Count what something has cost."""
        self.spent_s += seconds
        bucket = int(self._clock.monotonic() / BUCKET_S)
        if self._recent and self._recent[-1][0] == bucket:
            seconds += self._recent.pop()[1]
        elif len(self._recent) > STRETCH_S / BUCKET_S:
            self._recent.popleft()
        self._recent.append((bucket, seconds))

    def reserve(self, seconds: float) -> None:
        """Set so much of the run's share aside for what is spent at its end."""
        self._reserved_s += seconds

    def choose_pace(self, tick_s: float, interval_s: float) -> float:
        """By how much intervals must be longer, 1 or more, when a tick took ``tick_s``."""
        self.tick_s += (tick_s - self.tick_s) / REMEMBERED_TICKS
        own = self.tick_s / (TICKS_SHARE * self.max_overhead * interval_s)
        of_server = self._share_of_server(self.tick_s, SERVER_TICKS_SHARE) / interval_s
        pace = min(MAX_PACE, max(1.0, own, of_server))
        self.is_slowed_for_server = of_server > max(1.0, own)
        self._ticks_share = min(TICKS_SHARE * self.max_overhead, self.tick_s / (pace * interval_s))
        return pace

    def rest_as_worker_s(self, cost_s: float) -> float:
        """Seconds that this worker waits before it does again what cost that much; 0 where it is none."""
        return self._share_of_server(cost_s, SERVER_RARE_SHARE * (1 + min(1, FEW_WORKERS / self.n_workers)))

    def wait_for_turn_s(self, cost_s: float) -> float:
        """Seconds that this worker waits to do what all workers are about to do, and costs that much; 0 where none.

        Workers take turns: the first does it soon, the last after `rest_as_worker_s`.
        """
        return self.rest_as_worker_s(cost_s) * (os.getpid() * GOLDEN_SHARE % 1)

    def _share_of_server(self, cost_s: float, share: float) -> float:
        return cost_s * self.n_workers / share if self.n_workers > 1 else 0.0
