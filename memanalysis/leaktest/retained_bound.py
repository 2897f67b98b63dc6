"""How much a call keeps at most: a bound from the rises that are never given back.

Exact figures of allocators (bytes handed out, blocks handed out) stay equal while a healthy call is repeated, but for
teeth: buffers that are flushed, caches that are emptied. What counts is the lower envelope, so a rise counts as far as
no later reading is lower. Rises are taken as events of a Poisson process of one size, and bounded as such: growth that
came in few large rises may come again, growth that came in many small ones is known well.

Where readings go up and down far, a low one is chance. There the two lowest of the earlier half are compared with the
two lowest of the later half.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["RetainedBound", "bound_events", "bound_retained"]

QUANTILE = 2.326
"""Of the normal distribution, one-sided, at 99 %."""

MIN_FALLS = 0.5
"""Readings go up and down where their falls are this share of their rises: a leak that is rare falls hardly ever."""

MIN_LOWS = 4
"""Readings in each half among which the lowest is searched for."""


@dataclass(frozen=True, slots=True)
class RetainedBound:
    """What a call keeps, in the unit of the levels.

    Parameters
    ----------
    retained : float
        Sum of the rises that were not given back.
    max_per_call : float
        Upper bound of what a call keeps.
    spread : float
        From the lowest reading to the highest.
    step : float
        The rise that was left out.
    baseline_per_call : float
        What the lowest readings rose a call at most; infinite where readings seldom fall.
    """

    retained: float
    max_per_call: float
    spread: float
    step: float = 0.0
    baseline_per_call: float = float("inf")

    def find_bound(self, *, max_spread: float) -> float:
        """Return the bound that holds: of close readings, or of those that lie further apart."""
        return self.max_per_call if self.spread <= max_spread else self.baseline_per_call


def bound_retained(calls: Sequence[float], levels: Sequence[float], *, without_step: bool = False) -> RetainedBound:
    """Bound what a call keeps, from readings after the warm-up; plain Python.

    Parameters
    ----------
    calls, levels : sequences of float
        Calls made before each reading, and what was in use then.
    without_step : bool
        Leave out the largest rise: a table that grew once is no leak. A leak as rare as that is not seen.

    Notes
    -----
    The bound is that of Poisson's distribution at 99 %, for as many events as rises of equal size would have the same
    sum and sum of squares.
    """
    span = calls[-1] - calls[0] if calls else 0.0
    if span <= 0:
        return RetainedBound(0.0, float("inf"), 0.0)
    rises = _retained_rises(levels)
    step = max(rises, default=0.0) if without_step else 0.0
    if step:
        rises.remove(step)
    total = sum(rises)
    spread = max(levels) - min(levels) - step
    size = sum(rise * rise for rise in rises) / total if total > 0 else 0.0
    most = size * bound_events(total / size) / span if size else 0.0
    return RetainedBound(total, most, spread, step, _bound_baseline(calls, levels))


def bound_events(count: float) -> float:
    """Return how many events are expected at most where ``count`` were seen, at 99 %.

    By the approximation of Wilson and Hilferty (1931), PNAS 17, 684-688, to the chi-squared distribution: 4.6 of none,
    6.6 of one.
    """
    degrees = count + 1
    return float(degrees * (1 - 1 / (9 * degrees) + QUANTILE / (3 * degrees**0.5)) ** 3)


def _bound_baseline(calls: Sequence[float], levels: Sequence[float]) -> float:
    """Bytes a call from the lowest readings of the earlier half to those of the later, and what each two differ by."""
    half = len(levels) // 2
    steps = [after - before for before, after in pairwise(levels)]
    falls, rises = -sum(step for step in steps if step < 0), sum(step for step in steps if step > 0)
    if half < MIN_LOWS or falls < MIN_FALLS * rises:
        return float("inf")
    early, late = (sorted(zip(levels[part], calls[part], strict=True)) for part in (slice(half), slice(half, None)))
    rise = late[1][0] - early[0][0] + (early[1][0] - early[0][0])
    return max(0.0, rise) / (late[0][1] - early[0][1])


def _retained_rises(levels: Sequence[float]) -> list[float]:
    """Rises of the lowest level that is still to come."""
    lowest = list(levels)
    for place in range(len(lowest) - 2, -1, -1):
        lowest[place] = min(lowest[place], lowest[place + 1])
    return [after - before for before, after in pairwise(lowest) if after > before]
