"""Does memory seem to grow? Asked on each tick, of figures that cost nothing, before anything expensive is done.

A figure grows when its least value rose in every one of the last stretches of time, by far more in all than it swings
within one, and has not nearly stopped rising.
Stretches of several lengths are watched beside each other, so that a fast leak shows in seconds and a slow one in
hours. It may be wrong, such as about garbage that waits for the collector: whoever acts on it checks twice.
"""

from collections import deque
from itertools import pairwise

from memanalysis.units import KIB, MIB

__all__ = ["BLOCKS_STEP", "RSS_STEP_BYTES", "STEPS", "FastRise", "GrowthSignal"]

RSS_STEP_BYTES = 256 * KIB
"""Resident memory wobbles by less than this when nothing grows (the heap's top moves by 132 KiB)."""

BLOCKS_STEP = 1_500
"""Blocks of Python's allocator, some 100 KB."""

FIRST_STRETCH = 3
"""Ticks in a stretch of the shortest kind."""

STRETCH_FACTOR = 4
KINDS = 6
"""From 3 ticks to 3,072: with a tick a second from seconds to an hour."""

STEPS = 4
"""Rises in a row that are growth: five values fall in rising order by chance once in 120."""

SLOWED = 1 / 3
"""The last rise is less than this part of the first: a warm-up or a cache that fills."""


MIN_RISE_BYTES = 8 * MIB
MIN_RISE_SHARE = 0.1
"""Resident memory that rose by both since the first value rose fast: so much is also named in the report on a death."""

NEXT_RISE = 2.0
"""After that it rises fast again at twice the level, so that a program which grows as it starts is seen a few times."""

SWINGS = 2.0
"""The rise in all is at least this many times the widest swing in one stretch; of a straight line it is 4 or more."""


class GrowthSignal:
    """Watches one figure for growth; holds some sixty numbers however long it runs.

    Parameters
    ----------
    min_step : float
        Rise from one stretch to the next that counts, in the figure's own unit.
    """

    def __init__(self, min_step: float) -> None:
        self.min_step = min_step
        self.clear()

    def clear(self) -> None:
        """Forget what was seen."""
        self._stretches = [_Stretch(FIRST_STRETCH if kind == 0 else STRETCH_FACTOR) for kind in range(KINDS)]

    def add(self, value: float | None) -> bool:
        """Take the next value; True when it grew, as seen over some kind of stretch. Unknown values are passed over."""
        if value is None:
            return False
        low = high = value
        grows = False
        for stretch in self._stretches:  # a few stretches of one kind are one of the next
            if not stretch.add(low, high):
                break
            low, high = stretch.lows[-1], stretch.highs[-1]
            grows = stretch.rises(self.min_step) or grows
        return grows


class FastRise:
    """Shows at once that resident memory stands far above where it was first; holds two numbers.

    It may be a warm-up, which a `GrowthSignal` distinguishes from growth by waiting. A program may not live that long.
    """

    def __init__(self) -> None:
        self._last: float | None = None
        self._next_at = float("inf")

    def add(self, rss_bytes: float | None) -> None:
        """Take the next value. An unknown one is passed over."""
        if rss_bytes is None:
            return
        if self._last is None:
            self._next_at = max(rss_bytes + MIN_RISE_BYTES, rss_bytes / (1 - MIN_RISE_SHARE))
        self._last = rss_bytes

    @property
    def is_seen(self) -> bool:
        """Whether the last value stands that far above."""
        return self._last is not None and self._last >= self._next_at

    def clear(self) -> None:
        """Wait for the next one, from the last value on."""
        if self._last is not None:
            self._next_at = NEXT_RISE * self._last


class _Stretch:
    """The least and the greatest values of the last few stretches of one length."""

    __slots__ = ("_count", "_high", "_low", "_parts", "highs", "lows")

    def __init__(self, parts: int) -> None:
        self.lows: deque[float] = deque(maxlen=STEPS + 1)
        self.highs: deque[float] = deque(maxlen=STEPS + 1)
        self._parts = parts
        self._count, self._low, self._high = 0, float("inf"), float("-inf")

    def add(self, low: float, high: float) -> bool:
        """Take a part of the stretch; True when that completes it."""
        if low < self._low:
            self._low = low
        if high > self._high:
            self._high = high
        self._count += 1
        if self._count < self._parts:
            return False
        self.lows.append(self._low)
        self.highs.append(self._high)
        self._count, self._low, self._high = 0, float("inf"), float("-inf")
        return True

    def rises(self, min_step: float) -> bool:
        """Return whether each of the stretches lies above the one before."""
        lows = list(self.lows)
        if len(lows) <= STEPS:
            return False
        widest = max(high - low for low, high in zip(lows, self.highs, strict=True))
        if lows[-1] - lows[0] < SWINGS * widest:
            return False
        steps = [later - earlier for earlier, later in pairwise(lows)]
        return min(steps) >= min_step and steps[-1] >= SLOWED * steps[0]
