"""When an episode comes back: the next start, from the gaps between the past ones."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.quantiles import student_t_quantile
from memanalysis.analysis.row_statistics import MAD_TO_SIGMA
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, ForecastThresholds

__all__ = ["UNKNOWN", "Recurrence", "find_episode_starts", "forecast_recurrence"]

GRID = 400
"""Number of quantiles by which the distribution of the next gap is known."""

LONGEST_LOG = 700.0
"""Above, a number of seconds is infinite as a float."""

_DEFAULT = DEFAULT_THRESHOLDS.forecast


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """Seconds from now to the next start, with a 90 % interval; NaN where it is not known."""

    time_s: float
    low_s: float
    high_s: float


UNKNOWN = Recurrence(time_s=math.nan, low_s=math.nan, high_s=math.nan)


def find_episode_starts(
    times: FloatArray, values: FloatArray, level: float, *, thresholds: ForecastThresholds = _DEFAULT
) -> FloatArray:
    """Return the seconds at which the series rose to a level, noise about it left out.

    An episode that was under way at the first sample has no start here.

    Parameters
    ----------
    times, values : arrays of float, shape (n,)
        Strictly rising seconds, and bytes without NaN.
    level : float
        Bytes from which an episode is under way.
    thresholds : ForecastThresholds, optional
        The numbers to judge by.
    """
    if times.size < 2:
        return times[:0]
    steps = np.diff(values)
    sigma = MAD_TO_SIGMA * float(np.median(np.abs(steps - np.median(steps)))) / math.sqrt(2)
    state = np.where(values >= level, 1, np.where(values < level - thresholds.hysteresis_sigmas * sigma, -1, 0))
    latest = np.maximum.accumulate(np.where(state != 0, np.arange(state.size), -1))
    filled = np.where(latest >= 0, state[np.maximum(latest, 0)], 0)
    starts: FloatArray = times[1:][(filled[1:] == 1) & (filled[:-1] == -1)]
    return starts


def forecast_recurrence(
    starts: FloatArray, *, now_s: float, step_s: float, thresholds: ForecastThresholds = _DEFAULT
) -> Recurrence:
    """Return when the next episode starts, if episodes come back.

    Parameters
    ----------
    starts : array of float, shape (k,)
        Seconds at which past episodes started, rising.
    now_s : float
        Second of the last sample: no episode started between the last start and now.
    step_s : float
        Seconds from sample to sample: starts are known no closer.
    thresholds : ForecastThresholds, optional
        The numbers to forecast by.

    Returns
    -------
    Recurrence
        Unknown with fewer than three starts, and where the next is so overdue that they have ended.

    Notes
    -----
    Gaps are taken as independent and log-normal, which fits regular (cron, day cycles) and irregular ones. The next gap
    then follows Student's t about their mean, wider by the error of that mean (Geisser 1993, Predictive Inference,
    ch. 2). It is longer than what has passed of it, so the interval is that of the remaining part of the distribution.
    That interval is one of 93 %, found by simulation: the present gap is longer than most, since a long one covers more
    moments, and a few past gaps do not show that. A trend of the gaps is not modelled.
    """
    if starts.size < thresholds.min_episodes:
        return UNKNOWN
    gaps, passed_s = np.diff(starts), now_s - float(starts[-1])
    logs = np.log(gaps)
    blur = (step_s / float(np.median(gaps))) ** 2 / 6  # each start lies anywhere within a step
    sigma = math.sqrt((float(logs.var(ddof=1)) + blur) * (1 + 1 / gaps.size))
    coming = np.exp(np.minimum(LONGEST_LOG, float(logs.mean()) + sigma * _student_t_grid(gaps.size - 1)))
    left = coming[coming > passed_s] - passed_s
    if left.size < thresholds.overdue_share * GRID:
        return UNKNOWN
    tail = (1 - thresholds.gap_confidence) / 2
    low, middle, high = np.quantile(left, [tail, 0.5, 1 - tail])
    return Recurrence(time_s=float(middle), low_s=float(low), high_s=float(high))


@cache
def _student_t_grid(freedom: int) -> FloatArray:
    """Return quantiles of Student's t at evenly spread probabilities, rising; shape (GRID,)."""
    probabilities = 0.5 + (np.arange(GRID // 2) + 0.5) / GRID
    if freedom == 1:
        upper = np.tan(np.pi * (probabilities - 0.5))
    else:
        upper = np.array([student_t_quantile(float(p), np.array([float(freedom)]))[0] for p in probabilities])
    return np.concatenate([-upper[::-1], upper])
