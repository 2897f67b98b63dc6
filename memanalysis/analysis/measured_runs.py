"""Level and slope of each run of a service, with standard errors, at a moment that runs of two sides have in common."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.budgets.budget_metric import primary_metric
from memanalysis.analysis.contrasts import Side
from memanalysis.analysis.input_frames import known_floats, with_elapsed, without_end
from memanalysis.analysis.run_levels import combine_freedom, measure_level
from memanalysis.analysis.series.prepare import prepare_batch
from memanalysis.analysis.thresholds import Thresholds
from memanalysis.analysis.trend.shape_readings import classify_shapes
from memanalysis.analysis.trend.trend_shape import GROWING

__all__ = ["MeasuredRuns", "find_moments", "measure_runs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRuns:
    """The runs of one service that have enough samples to be fitted; every array has shape (m,).

    Parameters
    ----------
    run_ids : list
        Of each run.
    slope, slope_error, low, high : arrays of float
        Bytes per second, with the standard error and the ends of the interval.
    intercept, level_error, level_freedom : arrays of float
        The fitted line at ``elapsed_s`` 0, the standard error of its middle, and the degrees of freedom of that.
    first_s, last_s : arrays of float
        Ends of the judged stretch, after warm-up.
    grows : array of bool
        Whether the shape of the run is that of growth, as the verdict on it reads it.
    """

    run_ids: list[Any]
    slope: FloatArray
    slope_error: FloatArray
    low: FloatArray
    high: FloatArray
    intercept: FloatArray
    level_error: FloatArray
    level_freedom: FloatArray
    first_s: FloatArray
    last_s: FloatArray
    grows: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """How many runs there are."""
        return self.slope.size

    @property
    def middle_s(self) -> FloatArray:
        """Middle of the judged stretch."""
        return (self.first_s + self.last_s) / 2

    @property
    def is_trending(self) -> NDArray[np.bool_]:
        """Whether the interval of the slope lies on one side of zero."""
        return (self.low > 0) | (self.high < 0)

    def levels_at(self, moments_s: FloatArray, *, scatter: float) -> Side:
        """Return the level of each run, read off its line at a moment where it has a trend, else at its middle.

        Parameters
        ----------
        moments_s : array of float, shape (m,)
            Seconds of each run.
        scatter : float
            Share of the level by which runs of one program differ.
        """
        at_s = np.where(self.is_trending, moments_s, self.middle_s)
        levels = self.intercept + self.slope * at_s
        known = np.hypot(self.slope_error * (at_s - self.middle_s), scatter * np.abs(levels))
        errors = np.hypot(self.level_error, known)
        return Side(levels, errors, combine_freedom(self.level_error**2, self.level_freedom, errors**2))

    def slopes(self, *, scatter: float) -> Side:
        """Return the slope of each run, which differs by this share of itself from run to run of one program."""
        return Side(self.slope, np.hypot(self.slope_error, scatter * np.abs(self.slope)))


def measure_runs(samples: pd.DataFrame, thresholds: Thresholds) -> MeasuredRuns:
    """Fit each run of one service.

    Parameters
    ----------
    samples : DataFrame
        Rows of the table ``samples`` of one service.
    thresholds : Thresholds
        The numbers to fit by.
    """
    codes, runs = pd.factorize(samples["run_id"], use_na_sentinel=False)
    values = known_floats(samples, primary_metric(samples))
    elapsed_s = without_end(samples, with_elapsed(samples))
    batch = prepare_batch(codes.astype(np.int64), elapsed_s, values, n_series=len(runs), thresholds=thresholds.series)
    fits = classify_shapes(batch, thresholds=thresholds)
    known = np.isfinite(fits.slope)
    first_s = batch.judged_until_s - fits.judged_s
    intercept, level_error = fits.intercept.copy(), fits.noise / np.sqrt(np.maximum(1.0, fits.n_effective))
    freedom = np.maximum(1.0, fits.n_effective - 2.0)
    for i in np.flatnonzero(known):
        times, values = batch.take(int(i))
        is_judged = times >= first_s[i]
        times, values = times[is_judged], values[is_judged]
        rest = values - fits.intercept[i] - fits.slope[i] * times
        drift = fits.slope[i] * (times - (first_s[i] + batch.judged_until_s[i]) / 2)
        is_trending = fits.low[i] > 0 or fits.high[i] < 0
        level = measure_level(times, rest, thresholds, drift=0.0 if is_trending else drift)
        if level is not None:
            intercept[i] += level.shift
            level_error[i], freedom[i] = level.error, level.freedom
    return MeasuredRuns(
        run_ids=[run for run, is_known in zip(runs, known, strict=True) if is_known],
        slope=fits.slope[known],
        slope_error=((fits.high - fits.low) / 4)[known],
        low=fits.low[known],
        high=fits.high[known],
        intercept=intercept[known],
        level_error=level_error[known],
        level_freedom=freedom[known],
        first_s=first_s[known],
        last_s=batch.judged_until_s[known],
        grows=(fits.shape == GROWING)[known],
    )


def find_moments(before: MeasuredRuns, after: MeasuredRuns) -> tuple[FloatArray, FloatArray]:
    """Return the second at which the level of each run is read, for both sides.

    A run that is on both sides was cut in two, and is read at the cut: what grew through it with one slope has changed
    nothing. All other runs are read at one age, one at which all were judged, or as near to it as each was: a run
    that went on for longer holds more of the same leak.
    """
    earliest, latest = max(before.first_s.max(), after.first_s.max()), min(before.last_s.min(), after.last_s.min())
    age_s = float(min(before.middle_s.min(), after.middle_s.min()))
    age_s = float(np.clip(age_s, earliest, latest)) if earliest <= latest else age_s
    cuts = {
        run: (float(before.last_s[i]) + float(after.first_s[after.run_ids.index(run)])) / 2
        for i, run in enumerate(before.run_ids)
        if run in after.run_ids and before.last_s[i] <= after.first_s[after.run_ids.index(run)]
    }
    return _moments_of(before, age_s, cuts), _moments_of(after, age_s, cuts)


def _moments_of(side: MeasuredRuns, age_s: float, cuts: dict[Any, float]) -> FloatArray:
    moments = np.clip(age_s, side.first_s, side.last_s)
    return np.array([cuts.get(run, moment) for run, moment in zip(side.run_ids, moments, strict=True)])
