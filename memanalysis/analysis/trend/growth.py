"""How fast series grow, and between which bounds: robust slopes, with intervals honest for autocorrelated samples.

Memory at one moment is nearly memory a moment ago, so samples are not independent, and an interval that takes them for
independent is far too narrow. The interval here is widened by the autocorrelation of what the line leaves over.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.quantiles import student_t_quantile
from memanalysis.analysis.row_statistics import MAD_TO_SIGMA, row_medians, row_products, share_row
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, GrowthThresholds

__all__ = ["GrowthFits", "clip_outliers", "fit_growth", "fit_lag_one", "theil_sen_slopes"]

_DEFAULT = DEFAULT_THRESHOLDS.growth

SLOPES_AT_ONCE = 1 << 16
"""Slopes between pairs of points, formed in one go: half a megabyte stays in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthFits:
    """Lines through ``m`` series; every array has shape (m,).

    Parameters
    ----------
    slope, intercept : arrays of float
        Theil-Sen slope in bytes per second, and the value of the line at ``elapsed_s`` 0.
    noise : array of float
        Standard deviation about the line in bytes, outliers clipped.
    slow_noise : array of float
        The part of it that swings as slowly as growth may seem to: less than the noise under saw-teeth.
    lag_one : array of float
        Autocorrelation of neighbouring residuals, taken on the cautious side.
    n_effective : array of float
        How many independent samples the series is worth.
    standard_error : array of float
        Of the slope.
    thresholds : GrowthThresholds
        What they were fitted by.
    """

    slope: FloatArray
    intercept: FloatArray
    noise: FloatArray
    slow_noise: FloatArray
    lag_one: FloatArray
    n_effective: FloatArray
    standard_error: FloatArray
    thresholds: GrowthThresholds

    def half_width(self, confidence: float | None = None) -> FloatArray:
        """Return half the width of the slopes' intervals, at the confidence of the thresholds or another."""
        coverage = self.thresholds.confidence if confidence is None else confidence
        freedom = np.maximum(self.thresholds.min_freedom, self.n_effective - 2)
        return self.standard_error * student_t_quantile(0.5 + coverage / 2, freedom)


def fit_growth(times: FloatArray, levels: FloatArray, *, thresholds: GrowthThresholds = _DEFAULT) -> GrowthFits:
    """Return Theil-Sen lines with intervals widened for autocorrelation.

    Parameters
    ----------
    times, levels : arrays of float, shape (m, p), p >= 3
        Strictly rising seconds, and bytes without NaN, one series a row.
    thresholds : GrowthThresholds, optional
        The numbers to fit by.

    Notes
    -----
    Slope: Sen (1968), J. Am. Stat. Assoc. 63, 1379-1389. Width: the exact variance of a least-squares slope when the
    errors are AR(1) with the estimated lag-one autocorrelation, taken from sample to sample (uneven steps count as
    even). Saw-teeth have lag-one autocorrelation but no slow swings to bend a line, so the variance is lowered by what
    their slowest cosines lack: Mueller (2007), J. Econometrics 141, 1331-1352. Bias of the autocorrelation: Marriott
    and Pope (1954), Biometrika 41, 390-402. Degrees of freedom: those of the effective sample size
    n (1 - r) / (1 + r), Bayley and Hammersley (1946), J. R. Stat. Soc. 8, 184-197.
    """
    times = share_row(times)
    slope = theil_sen_slopes(*(_average_neighbours(rows, thresholds.max_paired_points) for rows in (times, levels)))
    beside = levels - slope[:, None] * times
    intercept = row_medians(beside)
    residuals = clip_outliers(beside - intercept[:, None], sigmas=thresholds.outlier_sigmas)
    lag_one = fit_lag_one(residuals, thresholds=thresholds)
    points = times.shape[1]
    noise = np.sqrt(np.sum(residuals**2, axis=1) / max(1, points - 2))
    slow_part = np.sqrt(_share_of_slow_power(residuals, lag_one, thresholds))
    return GrowthFits(
        slope=slope,
        intercept=intercept,
        noise=noise,
        slow_noise=noise * slow_part,
        lag_one=lag_one,
        n_effective=points * (1 - lag_one) / (1 + lag_one),
        standard_error=_standard_error(times, residuals, lag_one) * slow_part,
        thresholds=thresholds,
    )


def theil_sen_slopes(times: FloatArray, levels: FloatArray) -> FloatArray:
    """Return the median of all pairwise slopes of each row, robust to less than 29 % of outliers."""
    rows, points = levels.shape
    times = share_row(times)
    earlier, later = _list_pairs(points)
    medians = np.empty(rows)
    at_once = max(1, SLOPES_AT_ONCE // max(1, earlier.size))
    for first in range(0, rows, at_once):
        some = slice(first, first + at_once)
        own_times = times if times.shape[0] == 1 else times[some]
        slopes = levels[some].take(later, axis=1)
        slopes -= levels[some].take(earlier, axis=1)
        slopes /= own_times[:, later] - own_times[:, earlier]
        medians[some] = row_medians(slopes, overwrite=True)
    return medians


@lru_cache(maxsize=8)
def _list_pairs(points: int) -> tuple[IntArray, IntArray]:
    """Return the places of the earlier and of the later point of each pair."""
    earlier, later = np.triu_indices(points, 1)
    return earlier, later


def fit_lag_one(residuals: FloatArray, *, thresholds: GrowthThresholds = _DEFAULT) -> FloatArray:
    """Return the lag-one autocorrelation of each row, between 0 and ``max_lag_one``; 0 where all are equal."""
    points = residuals.shape[1]
    centred = residuals - residuals.mean(axis=1, keepdims=True)
    power = np.sum(centred**2, axis=1)
    raw = np.sum(centred[:, 1:] * centred[:, :-1], axis=1) / np.where(power > 0, power, 1.0)
    unbiased = raw + (2 + 4 * raw) / points
    cautious = unbiased + thresholds.lag_one_caution * np.sqrt(np.maximum(0.0, 1 - unbiased**2) / points)
    return np.where((power > 0) & (points >= 4), np.clip(cautious, 0.0, thresholds.max_lag_one), 0.0)


def _average_neighbours(rows: FloatArray, max_paired_points: int) -> FloatArray:
    """Return means of two neighbours where there are more points than pairs are formed of; an odd last one stays."""
    points = rows.shape[1]
    if points <= max_paired_points:
        return rows
    together = (rows[:, 0 : points - 1 : 2] + rows[:, 1:points:2]) / 2
    return together if points % 2 == 0 else np.concatenate([together, rows[:, -1:]], axis=1)


def clip_outliers(residuals: FloatArray, *, sigmas: float = _DEFAULT.outlier_sigmas) -> FloatArray:
    """Return residuals clipped to this many robust standard deviations of each row."""
    middle = row_medians(residuals)
    sigma = MAD_TO_SIGMA * row_medians(np.abs(residuals - middle[:, None]), overwrite=True)
    bound = np.where(sigma > 0, sigmas * sigma, np.inf)[:, None]
    return np.clip(residuals, -bound, bound)


def _standard_error(times: FloatArray, residuals: FloatArray, lag_one: FloatArray) -> FloatArray:
    """Standard error of a least-squares slope under AR(1) errors, which Theil-Sen's is hardly above."""
    variance = _innovation_variance(residuals, lag_one)
    centred = times - times.mean(axis=1, keepdims=True)
    weights = centred / np.sum(centred**2, axis=1, keepdims=True)
    carried, total = np.zeros(lag_one.size), np.zeros(lag_one.size)
    for weight in np.ascontiguousarray(weights.T)[:0:-1]:
        carried = weight + lag_one * carried
        total += carried**2
    first = weights[:, 0] + lag_one * carried
    errors: FloatArray = np.sqrt(variance * (total + first**2 / (1 - lag_one**2)))
    return errors


def _innovation_variance(residuals: FloatArray, lag_one: FloatArray) -> FloatArray:
    """Variance of what each residual adds to its share of the one before."""
    innovations = residuals[:, 1:] - lag_one[:, None] * residuals[:, :-1]
    variance: FloatArray = np.sum(innovations**2, axis=1) / max(1, residuals.shape[1] - 2)
    return variance


def _share_of_slow_power(residuals: FloatArray, lag_one: FloatArray, thresholds: GrowthThresholds) -> FloatArray:
    """Return the power of the slowest cosines as a share of what AR(1) residuals have there: 1 unless clearly less."""
    points = residuals.shape[1]
    if points < thresholds.min_points_of_slow_waves:
        return np.ones(residuals.shape[0])
    half_turns = np.arange(2, 2 + thresholds.slow_waves)
    place = (np.arange(points) + 0.5) / points
    line, _ = np.linalg.qr(np.stack([np.ones(points), place], axis=1))
    waves = np.cos(np.pi * half_turns[:, None] * place)
    waves -= (waves @ line) @ line.T
    waves /= np.linalg.norm(waves, axis=1, keepdims=True)
    distance = 1 + lag_one[:, None] ** 2 - 2 * lag_one[:, None] * np.cos(np.pi * half_turns / points)
    expected = _innovation_variance(residuals, lag_one)
    found = np.mean(row_products(residuals, waves) ** 2 * distance, axis=1)
    share = thresholds.slow_power_margin * found / np.where(expected > 0, expected, 1.0)
    return np.where(expected > 0, np.minimum(1.0, share), 1.0)
