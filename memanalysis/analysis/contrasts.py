"""The change of one quantity between two sides: its interval, its p-value, and p-values of many changes at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.quantiles import student_t_p_value, student_t_quantile
from memanalysis.analysis.run_levels import MANY
from memanalysis.analysis.thresholds import ComparisonThresholds

__all__ = ["Contrast", "Side", "adjust_p_values", "contrast_sides"]


@dataclass(frozen=True, slots=True)
class Side:
    """One quantity on one side: a value a run, the standard error of each, and the degrees of freedom of that.

    Without ``freedoms`` the errors are taken as known.
    """

    values: FloatArray
    errors: FloatArray
    freedoms: FloatArray | None = None

    @property
    def mean(self) -> float:
        """Mean over the runs."""
        return float(self.values.mean())

    @property
    def variance_of_mean(self) -> float:
        """Of several runs what they differ by, of one run what it varies by within; never less than the latter."""
        return max(self._within, self._between)

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the variance: of what the runs differ by, or of their own errors."""
        if self._between > self._within:
            return self.values.size - 1.0
        if self.freedoms is None or not self._within:
            return MANY
        return float(np.sum(self.errors**2) ** 2 / np.sum(self.errors**4 / self.freedoms))

    @property
    def _within(self) -> float:
        return float(np.mean(self.errors**2)) / self.values.size

    @property
    def _between(self) -> float:
        return float(self.values.var(ddof=1)) / self.values.size if self.values.size > 1 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """The change from one side to another, with the ends of its interval; ``p_value`` is of this change alone."""

    before: float
    after: float
    change: float
    low: float
    high: float
    p_value: float
    runs_before: int
    runs_after: int


def contrast_sides(before: Side, after: Side, rule: ComparisonThresholds) -> Contrast:
    """Return the change of the mean with Welch's interval and two-sided p-value.

    Notes
    -----
    Welch (1947), Biometrika 34, 28-35, with the degrees of freedom of Satterthwaite.
    """
    change = after.mean - before.mean
    error = float(np.sqrt(before.variance_of_mean + after.variance_of_mean))
    freedom = _find_freedom(before, after)
    half_width = float(student_t_quantile(0.5 + rule.confidence / 2, np.array([freedom]))[0]) * error
    return Contrast(
        before=before.mean,
        after=after.mean,
        change=change,
        low=change - half_width,
        high=change + half_width,
        p_value=student_t_p_value(change / error, freedom) if error > 0 else float(change == 0),
        runs_before=before.values.size,
        runs_after=after.values.size,
    )


def adjust_p_values(p_values: Sequence[float]) -> list[float]:
    """Return the p-values of several tests so that each may be read as if it were the only one.

    Notes
    -----
    Holm (1979), Scand. J. Stat. 6, 65-70.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, largest = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def _find_freedom(before: Side, after: Side) -> float:
    parts = [(side.variance_of_mean, side.freedom) for side in (before, after)]
    whole = before.variance_of_mean + after.variance_of_mean
    return max(1.0, whole**2 / sum(part**2 / degrees for part, degrees in parts)) if whole else MANY
