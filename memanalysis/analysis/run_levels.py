"""What is the level of a run, and how certain is it? From the means of batches of its samples.

A program whose memory swings between two sizes has a median that jumps from the one to the other, and its scatter shows
nothing of that. Means of batches scatter by what the level is uncertain by, whatever the samples are distributed like.
Where a cycle is seen, whole periods are the batches: a cycle is no noise. What lies before the level settled, as a step
after the start, is left out.
"""

from dataclasses import dataclass, replace

import numpy as np

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.thresholds import ComparisonThresholds, GrowthThresholds, Thresholds
from memanalysis.analysis.trend.growth import fit_lag_one
from memanalysis.analysis.trend.periods import find_periods

__all__ = ["MANY", "RunLevel", "combine_freedom", "measure_level"]

MANY = 1000.0
"""Degrees of freedom from which Student's t is normal."""


@dataclass(frozen=True, slots=True)
class RunLevel:
    """The level about a fitted line, its standard error, and the degrees of freedom of that."""

    shift: float
    error: float
    freedom: float


def measure_level(
    times: FloatArray, rest: FloatArray, thresholds: Thresholds, *, drift: FloatArray | float = 0.0
) -> RunLevel | None:
    """Return the level of a run; None where it has too few samples for batches.

    Parameters
    ----------
    times, rest : array of float, shape (n,)
        Seconds, ascending, and what a fitted line leaves over, in bytes.
    thresholds : Thresholds
        The numbers to judge by.
    drift : array of float, shape (n,), optional
        What the line moves by about its middle, where that is no trend: part of what the level is uncertain by.

    Notes
    -----
    Batch means with the warm-up left out by the marginal standard error rule: White (1997), Simulation 69, 323-334.
    """
    rule = thresholds.comparison
    periods, coarseness = _cut_into_periods(times, rest, thresholds)
    if periods.size:
        return _level_of(periods[_find_settled(periods, rule) :], coarseness)
    count = min(rule.blocks, rest.size // rule.min_samples_of_block)
    if count < rule.min_blocks:
        return None
    blocks = np.array_split(rest + drift, count)
    means = np.array([block.mean() for block in blocks])
    start = _find_settled(means, rule)
    return _larger(_level_of(means[start:], 0.0), _level_of_samples(np.concatenate(blocks[start:]), thresholds.growth))


def combine_freedom(variance: FloatArray, freedom: FloatArray, total: FloatArray) -> FloatArray:
    """Return the degrees of freedom of a total variance: one part of it has few of them, the rest is known.

    Notes
    -----
    Satterthwaite (1946), Biometrics Bulletin 2, 110-114.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        combined = freedom * (total / variance) ** 2
    return np.where(variance > 0, np.minimum(combined, MANY), MANY)


def _find_settled(batches: FloatArray, rule: ComparisonThresholds) -> int:
    """Return the first batch that counts. Of those before, at most half, the mean is known far better without them."""
    least = max(2, batches.size - batches.size // 2)
    scores = [
        float(((batches[first:] - batches[first:].mean()) ** 2).sum()) / (batches.size - first) ** 2
        for first in range(batches.size - least + 1)
    ]
    best = int(np.argmin(scores))
    return best if scores[best] <= rule.max_variance_without * scores[0] else 0


def _level_of(batches: FloatArray, known_error: float) -> RunLevel:
    """Mean of independent batches."""
    own = float(batches.var(ddof=1)) / batches.size
    total = np.array([own + known_error**2])
    freedom = combine_freedom(np.array([own]), np.array([batches.size - 1.0]), total)
    return RunLevel(float(batches.mean()), float(np.sqrt(total[0])), float(freedom[0]))


def _level_of_samples(samples: FloatArray, thresholds: GrowthThresholds) -> RunLevel:
    """Mean of samples that resemble the ones before them: what moves in a few steps is known from as few values."""
    lag_one = float(fit_lag_one(samples[None], thresholds=replace(thresholds, lag_one_caution=0.0))[0])
    n_effective = max(1.0, samples.size * (1 - lag_one) / (1 + lag_one))
    return RunLevel(float(samples.mean()), float(samples.std()) / np.sqrt(n_effective), max(1.0, n_effective - 1))


def _larger(first: RunLevel, second: RunLevel) -> RunLevel:
    return second if second.error > first.error else first


def _cut_into_periods(times: FloatArray, rest: FloatArray, thresholds: Thresholds) -> tuple[FloatArray, float]:
    """Return the mean of each whole period, counted back from the end; empty where nothing is seen to repeat.

    The other value is the standard deviation of what such a mean is off by because a period has few samples: in each
    period alike, so that their scatter does not show it.
    """
    step = max(1, times.size // thresholds.comparison.max_points_of_a_period)
    period_s = float(find_periods(times[None, ::step], rest[None, ::step], thresholds=thresholds.period)[0])
    if not np.isfinite(period_s):
        return np.empty(0), 0.0
    back = ((times[-1] - times) / period_s).astype(np.int64)
    count = int((times[-1] - times[0]) / period_s)
    whole = [rest[back == number] for number in reversed(range(count)) if (back == number).any()]
    if len(whole) < thresholds.period.min_periods:
        return np.empty(0), 0.0
    coarseness = float(np.mean([np.ptp(part) / (part.size * np.sqrt(12)) for part in whole]))
    return np.array([part.mean() for part in whole]), coarseness
