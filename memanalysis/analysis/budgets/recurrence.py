"""When does it happen again: the next of episodes that come back, from the gaps between the past ones."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.quantiles import student_t_quantile

__all__ = ["LEAST_EPISODES", "Recurrence", "find_episode_starts", "forecast_recurrence"]

LEAST_EPISODES = 3
"""Two gaps are the fewest that tell how much gaps differ."""

CONFIDENCE = 0.93
"""Of the distribution of a gap, for an interval that holds the next start in 90 %: the gap that now falls into is
longer than most (a long one covers more moments), and a few past gaps do not tell that. Found by simulation."""

OVERDUE = 0.02
"""When fewer gaps than this share would be so long as the one under way, whatever came back has ended."""

HYSTERESIS_SIGMAS = 2.0
"""An episode ends when the value lies under its level by this many standard deviations of the noise from sample to
sample: at the level itself noise alone crosses many times."""

MAD_TO_SIGMA = 1.4826

GRID = 400
"""Quantiles by which the distribution of the next gap is told."""

LONGEST_LOG = 700.0
"""Above, a number of seconds is infinite as a float."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """Seconds from now to the next start, with a 90 % interval; NaN where it cannot be told."""

    time_s: float
    low_s: float
    high_s: float


UNKNOWN = Recurrence(time_s=math.nan, low_s=math.nan, high_s=math.nan)


def find_episode_starts(times: FloatArray, values: FloatArray, level: float) -> FloatArray:
    """Seconds at which the series rose to a level, noise about it left out.

    An episode that was under way at the first sample has no start here.

    Parameters
    ----------
    times, values : arrays of float, shape (n,)
        Strictly rising seconds, and bytes without NaN.
    """
    if times.size < 2:
        return times[:0]
    steps = np.diff(values)
    sigma = MAD_TO_SIGMA * float(np.median(np.abs(steps - np.median(steps)))) / math.sqrt(2)
    state = np.where(values >= level, 1, np.where(values < level - HYSTERESIS_SIGMAS * sigma, -1, 0))
    told = np.maximum.accumulate(np.where(state != 0, np.arange(state.size), -1))
    filled = np.where(told >= 0, state[np.maximum(told, 0)], 0)
    starts: FloatArray = times[1:][(filled[1:] == 1) & (filled[:-1] == -1)]
    return starts


def forecast_recurrence(starts: FloatArray, *, now_s: float, step_s: float) -> Recurrence:
    """Tell when the next episode starts, if they come back.

    Parameters
    ----------
    starts : array of float, shape (k,)
        Seconds at which past episodes started, rising.
    now_s : float
        Second of the last sample: no episode started between the last start and now.
    step_s : float
        Seconds from sample to sample: starts are known no closer.

    Returns
    -------
    Recurrence
        Unknown with fewer than three starts, and where the next is so overdue that they have ended.

    Notes
    -----
    Gaps are taken for independent, and their logarithms for normal, which holds regular ones (cron, day cycles) and
    irregular ones alike; the next gap then follows Student's t about their mean, wider by the error of that mean
    (Geisser 1993, Predictive Inference, ch. 2). It is longer than what has passed of it, so the interval is that of the
    part of the distribution that is left. Gaps that grow shorter and shorter are not told.
    """
    if starts.size < LEAST_EPISODES:
        return UNKNOWN
    gaps, passed_s = np.diff(starts), now_s - float(starts[-1])
    logs = np.log(gaps)
    blur = (step_s / float(np.median(gaps))) ** 2 / 6  # each start lies anywhere within a step
    sigma = math.sqrt((float(logs.var(ddof=1)) + blur) * (1 + 1 / gaps.size))
    coming = np.exp(np.minimum(LONGEST_LOG, float(logs.mean()) + sigma * _student_t_grid(gaps.size - 1)))
    left = coming[coming > passed_s] - passed_s
    if left.size < OVERDUE * GRID:
        return UNKNOWN
    tail = (1 - CONFIDENCE) / 2
    low, middle, high = np.quantile(left, [tail, 0.5, 1 - tail])
    return Recurrence(time_s=float(middle), low_s=float(low), high_s=float(high))


@cache
def _student_t_grid(freedom: int) -> FloatArray:
    """Quantiles of Student's t at evenly spread probabilities, rising; shape (GRID,)."""
    probabilities = 0.5 + (np.arange(GRID // 2) + 0.5) / GRID
    if freedom == 1:
        upper = np.tan(np.pi * (probabilities - 0.5))
    else:
        upper = np.array([student_t_quantile(float(p), np.array([float(freedom)]))[0] for p in probabilities])
    return np.concatenate([-upper[::-1], upper])
