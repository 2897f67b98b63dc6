"""Whether one more call retains more memory, checked repeatedly while calls go on, with an error rate that holds.

Readings come at numbers of calls that rise by a fifth each time (`next_reading`), four to a doubling, so a leak must
last while the calls become eight times as many before it is called one, and a list that leaks eight bytes a call has
been moved to a larger block between any two readings.

Three rules, and one judgement of growth:

- *It rises* is shown by a test of signs that may be checked after every measurement: it bets that the next reading
  lies above the last, and its stake grows a hundredfold with a probability of at most 1 % when readings are as likely
  to fall as to rise. That is so of noise and of random walks; of warm-up it is not. So the bet must be won by a gambler
  who came in after the first sixteenth of the calls, and
- *it is a leak* is decided only when the engine of `memanalysis.analysis` calls what came after the first eighth of the
  calls growing: in each window, and not slowing down; and when the interval below lies above zero, well above
  where the calls are few. The shape is the engine's alone.
- *It is none* is decided when the engine's interval for the slope, at a confidence that leaves 1 % for all checks
  together, lies under the smallest rate that is worth the name, and so does the line from the stretch's first reading
  to its last; or when the bound of `memanalysis.leaktest.retained_bound` does, of readings that hardly move.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.analysis.trend.growth import fit_growth
from memanalysis.analysis.verdict import Shape
from memanalysis.leaktest.retained_bound import bound_retained

__all__ = [
    "CHECK_RATIO",
    "FALSE_ALARMS",
    "MAX_SPREAD",
    "CallGrowth",
    "find_stretch",
    "judge_calls",
    "next_reading",
    "rate_from_end_to_end",
    "weigh_rises",
]

FALSE_ALARMS = 0.01
"""Probability, over the whole run, that noise is called a rise."""

MISSES = 0.01
"""Probability, over the whole run, that the interval which decides *no leak* does not hold the true rate."""

READINGS_A_DOUBLING = 4
"""Each reading after 2 ** (1 / 4) = 1.19 times as many calls: a list grows by an eighth when it is full."""

STRETCH = 8
"""Growth is judged from an eighth of the calls on: the rest is warm-up."""

WAIT = 16
"""The test of signs may begin at a sixteenth of the calls, and not before."""

MAX_STARTS = 20
"""Doublings at which the test may begin, with equal weight: up to a million calls."""

MAX_CHECKS = 24
"""Checks among which the error of the interval is divided: one whenever `CHECK_RATIO` times as many calls were made."""

CHECK_RATIO = 1.5
"""Twenty checks from a hundred calls to half a million."""

BETS = ((1.0, 0.75), (0.5, 0.25))
"""Share of the stake that is put on a rise, and weight of the gambler: the first forgives no fall."""

FEW_CALLS = 1_000
PRECISION = 0.5
"""Of fewer calls the rate must be known to within a half of itself: a leak at each call is even, a warm-up is not."""

MAX_SPREAD = 3.0
"""The bound counts where readings lie this close together, in multiples of the least leak over the stretch: a low one
among high teeth is chance."""

MIN_READINGS = 9
"""Two doublings; fewer readings are not judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallGrowth:
    """What the readings show so far; rates are bytes a call.

    Parameters
    ----------
    is_leak : bool or None
        None while neither is decided.
    shape : str
        The engine's word for the judged stretch.
    bytes_per_call, low, high : float or None
        Slope over the judged stretch, with an interval that may be checked after each doubling; None below
        `MIN_READINGS`.
    rises, windows : int
        Readings of the stretch that lie above the one before, and all that have one before.
    stake : float
        What a stake of 1 has become by betting on rises: above 1 / `FALSE_ALARMS` it rises.
    step : float
        Bytes of a single rise that was left out.
    """

    is_leak: bool | None
    shape: Shape
    bytes_per_call: float | None
    low: float | None
    high: float | None
    rises: int
    windows: int
    stake: float
    step: float = 0.0

    @property
    def is_rising(self) -> bool:
        """True once the test of signs has decided."""
        return self.stake >= 1 / FALSE_ALARMS


def next_reading(calls: int) -> int:
    """Give the number of calls after which to read again: a fifth more."""
    return max(calls + 1, round(calls * 2 ** (1 / READINGS_A_DOUBLING)))


def judge_calls(
    calls: FloatArray,
    levels: FloatArray,
    *,
    min_per_call: float,
    tolerance: float = 0.0,
    without_step: bool = False,
) -> CallGrowth:
    """Judge the readings that there are.

    Parameters
    ----------
    calls, levels : arrays of float, shape (n,)
        Calls made before each reading, as `next_reading` gives them, and bytes in use then.
    min_per_call : float
        Bytes a call under which growth is no leak worth the name; above 0.
    tolerance : float
        Bytes by which two readings may differ and count as equal.
    without_step : bool
        Leave a single rise out where that shows that there is no leak.

    Notes
    -----
    The stake of a gambler who bets a fixed share on a rise is a test supermartingale while rises are no more likely
    than falls, equal readings left aside; so is the mean over gamblers and over starts, whose weights are fixed
    beforehand. By the inequality of Ville (1939), "Étude critique de la notion de collectif", it reaches 1 / a with a
    probability of at most a, however often one checks. Betting: Waudby-Smith and Ramdas (2024), J. R. Stat. Soc. B 86,
    1-27; many starts: Shin, Ramdas and Rinaldo (2024), New Engl. J. Stat. Data Sci. 2, 229-260. The interval is the
    engine's, at 1 - `MISSES` / `MAX_CHECKS` (Bonferroni).
    """
    first = find_stretch(calls.tolist())
    stretch, heights = calls[first:], levels[first:]
    signs = _signs(heights.tolist(), tolerance)
    stake = weigh_rises(calls.tolist(), levels.tolist(), tolerance=tolerance)
    rises = sum(sign > 0 for sign in signs)
    if stretch.size < MIN_READINGS:
        return CallGrowth(
            is_leak=None,
            shape="inconclusive",
            bytes_per_call=None,
            low=None,
            high=None,
            rises=rises,
            windows=len(signs),
            stake=stake,
        )
    fit = fit_growth(stretch[None], heights[None])
    slope, half_width = float(fit.slope[0]), float(fit.half_width(1 - MISSES / MAX_CHECKS)[0])
    shape = _name_shape(stretch, heights, min_per_call)
    is_leak = None
    known_to = half_width if calls[-1] >= FEW_CALLS else half_width / PRECISION
    if stake >= 1 / FALSE_ALARMS and shape == "growing" and slope >= min_per_call and slope > known_to:
        is_leak = True
    low, high, step = slope - half_width, slope + half_width, 0.0
    if is_leak is None and max(high, rate_from_end_to_end(calls.tolist(), levels.tolist())) < min_per_call:
        is_leak = False
    elif is_leak is None:
        for leaves_out in (False, True)[: 1 + without_step]:
            bound = bound_retained(stretch.tolist(), heights.tolist(), without_step=leaves_out)
            most = bound.find_bound(max_spread=MAX_SPREAD * min_per_call * float(np.ptp(stretch)))
            if most < min_per_call:
                is_leak, high, step = False, most, bound.step
                slope = min(slope, high)
                low = min(low, slope)
                break
    return CallGrowth(
        is_leak=is_leak,
        shape=shape,
        bytes_per_call=slope,
        low=low,
        high=high,
        rises=rises,
        windows=len(signs),
        stake=stake,
        step=step,
    )


def weigh_rises(calls: Sequence[float], levels: Sequence[float], *, tolerance: float = 0.0) -> float:
    """Return what a stake of 1 is worth after bets on rises, for the best of the starts that may count; plain Python.

    Parameters
    ----------
    calls, levels : sequences of float
        As for `judge_calls`.
    tolerance : float
        As there.
    """
    signs = _signs(levels, tolerance)
    best = 0.0 if signs else 1.0
    for doubling in range(MAX_STARTS):
        start = bisect_left(calls, 2**doubling)
        if start < len(signs) and 2**doubling * WAIT >= calls[-1]:
            best = max(best, _stake(signs[start:]) / MAX_STARTS)
    return best


def rate_from_end_to_end(calls: Sequence[float], levels: Sequence[float]) -> float:
    """Bytes a call from the first reading of the judged stretch to the last; 0 where there is one; plain Python."""
    first = find_stretch(calls)
    return (levels[-1] - levels[first]) / (calls[-1] - calls[first]) if first < len(calls) - 1 else 0.0


def find_stretch(calls: Sequence[float]) -> int:
    """Return the place of the first reading of the judged stretch: from an eighth of the calls on; plain Python."""
    return bisect_left(calls, calls[-1] / STRETCH) if calls else 0


def _signs(levels: Sequence[float], tolerance: float) -> list[int]:
    """Rise (1), fall (-1) or neither (0) from each reading to the next."""
    return [
        0 if abs(after - before) <= tolerance else 1 if after > before else -1 for before, after in pairwise(levels)
    ]


def _stake(signs: list[int]) -> float:
    return math.fsum(weight * math.prod(1 + share * sign for sign in signs) for share, weight in BETS)


def _name_shape(calls: FloatArray, levels: FloatArray, min_per_call: float) -> Shape:
    """Ask the engine, in calls for seconds.

    The bytes are weighed so that its least growth stands for the least rate, and lifted so that a fall is no restart
    and the level itself makes no growth too small to matter: these readings are of what calls keep, not of a process.
    """
    weight = DEFAULT_THRESHOLDS.shape.min_growth_bytes / (min_per_call * float(calls[-1] - calls[0]))
    heights = (levels - levels.min()) * weight
    return assess_series(
        calls, heights + 2 * np.ptp(heights), thresholds=DEFAULT_THRESHOLDS.from_first_evidence()
    ).shape
