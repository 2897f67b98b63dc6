"""The verdicts on a batch of series, as columns: shape, slope, severity, and time to the limit."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.leaks.exhaustion import forecast_exhaustion
from memanalysis.analysis.series.prepare import SeriesBatch
from memanalysis.analysis.severity_levels import classify_severities
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, ShapeThresholds, Thresholds
from memanalysis.analysis.trend.settled_growth import settle_by_sampled
from memanalysis.analysis.trend.shape_readings import classify_shapes
from memanalysis.analysis.trend.trend_shape import GROWING, INCONCLUSIVE, SHAPES, STABLE, TrendFits
from memanalysis.analysis.verdict import SEVERITIES, Reason, VerdictFrame
from memanalysis.schema import BYTE_METRICS, COUNT_METRICS, PRIVATE_METRIC, SAMPLED_METRIC

__all__ = ["METRIC_FACTS", "choose_metrics", "judge_batch", "judge_series"]

METRIC_FACTS = ("n_samples", "is_leak", "slope_bytes_per_s")
"""What later steps ask of each metric, not only of the chosen one: columns such as ``rss_bytes:is_leak``."""

_SEVERITIES = np.array(SEVERITIES)

_REASON_OF_SHAPE = {
    "growing": Reason.RISES_IN_EACH_WINDOW,
    "slowing": Reason.SLOWS_DOWN,
    "plateauing": Reason.LEVELS_OFF,
    "stepped": Reason.STEPS,
    "sawtooth": Reason.SWINGS,
    "stable": Reason.TOO_SMALL,
    "shrinking": Reason.SHRINKS,
    "inconclusive": Reason.NOT_IN_EACH_WINDOW,
}

_REASONS = np.empty(SHAPES.size + 10, dtype=object)
_REASONS[:] = [
    *((_REASON_OF_SHAPE[str(shape)],) for shape in SHAPES),
    (Reason.TOO_FEW_SAMPLES,),
    (Reason.WITHIN_NOISE,),
    (Reason.GROWS_SINCE_ONSET,),
    (Reason.GROWS_SO_FAR,),
    (Reason.STILL_RISES,),
    (Reason.DRIFTS,),
    (Reason.REGAINS_LEVEL,),
    (Reason.CREEPS,),
    (Reason.GROWS_ON,),
    (Reason.PYTHON_GROWS,),
]


def judge_series(
    frame: VerdictFrame,
    thresholds: Thresholds,
    *,
    batches: Mapping[str, SeriesBatch],
    limits: FloatArray,
    rules: SeverityRules,
) -> VerdictFrame:
    """Add the verdict of each series, on the metric that speaks for it: the first step.

    Parameters
    ----------
    frame : VerdictFrame
        What is known of the m series before they are judged, such as service and run.
    thresholds : Thresholds
        The numbers to judge by.
    batches : mapping
        The prepared series by metric, the metric that is asked first before others. Sampled bytes give no verdict, but
        settle that on RSS; private memory and counts are for later steps.
    limits : array of float, shape (m,)
        Their limits in bytes, NaN where there is none.
    rules : SeverityRules
        Thresholds of severity.

    Returns
    -------
    VerdictFrame
        With the columns of `judge_batch`, ``metric``, and `METRIC_FACTS` of each metric.
    """
    sampled = batches.get(SAMPLED_METRIC)
    judged = {
        metric: judge_batch(
            batch, limits, rules, sampled=sampled if metric == BYTE_METRICS[0] else None, thresholds=thresholds
        )
        for metric, batch in batches.items()
        if metric not in (SAMPLED_METRIC, PRIVATE_METRIC, *COUNT_METRICS)
    }
    chosen = choose_metrics(list(judged.values()))
    facts = {f"{metric}:{name}": columns[name] for metric, columns in judged.items() for name in METRIC_FACTS}
    first, *others = judged.values()
    verdicts = dict(first)
    for place, other in enumerate(others, start=1):
        verdicts = {name: np.where(chosen == place, other[name], column) for name, column in verdicts.items()}
    return frame | facts | verdicts | {"metric": np.array(list(judged), dtype=object)[chosen]}


def judge_batch(
    batch: SeriesBatch,
    limits: FloatArray,
    rules: SeverityRules,
    *,
    sampled: SeriesBatch | None = None,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> VerdictFrame:
    """Judge each series of one metric.

    Parameters
    ----------
    batch : SeriesBatch
        The prepared series.
    limits : array of float, shape (m,)
        Their limits in bytes, NaN where there is none.
    rules : SeverityRules
        Thresholds of severity.
    sampled : SeriesBatch, optional
        What the sampler counted of the same series.
    thresholds : Thresholds, optional
        The numbers to judge by.

    Returns
    -------
    VerdictFrame
        Arrays of length m under the names of ``VERDICT_COLUMNS``; NaN where unknown. Only a leak has a forecast.
    """
    fits = settle_by_sampled(batch, classify_shapes(batch, thresholds=thresholds), sampled, thresholds=thresholds)
    latest = batch.latest
    left = forecast_exhaustion(fits, batch, limits=limits, thresholds=thresholds)
    percent = _growth_percent(fits.growth, latest)
    drifts = (fits.shape == GROWING) & _is_drift(fits, percent, left.time_s, thresholds.shape)
    is_leak = (fits.shape == GROWING) & ~drifts
    severity = classify_severities(
        is_leak=is_leak,
        growth_bytes=fits.growth,
        growth_percent=percent,
        time_left_s=left.time_s,
        rules=rules,
        thresholds=thresholds.severity,
    )
    time_s = np.where(is_leak, left.time_s, np.nan)
    return {
        "shape": SHAPES[np.where(drifts, STABLE, fits.shape)],
        "is_leak": is_leak,
        "severity": _SEVERITIES[severity],
        "slope_bytes_per_s": fits.slope,
        "low_bytes_per_s": fits.low,
        "high_bytes_per_s": fits.high,
        "growth_bytes": fits.growth,
        "growth_percent": percent,
        "onset_s": np.where(is_leak | fits.regains, fits.onset_s, np.nan),
        "latest_bytes": latest,
        "limit_bytes": limits,
        "time_to_exhaustion_s": time_s,
        "time_to_exhaustion_low_s": np.where(is_leak, left.low_s, np.nan),
        "time_to_exhaustion_high_s": np.where(is_leak, left.high_s, np.nan),
        "n_samples": batch.n_samples,
        "duration_s": batch.durations_s,
        "windows": fits.windows,
        "weakest_window_bytes_per_s": fits.weakest,
        "judged_s": fits.judged_s,
        "reasons": _find_reasons(fits, drifts, batch=batch, limits=limits, time_s=time_s, thresholds=thresholds),
    }


def choose_metrics(judged: Sequence[Mapping[str, Any]]) -> IntArray:
    """Return which metric speaks for each series: the first that is known, or the first that shows a leak.

    Parameters
    ----------
    judged : sequence of mappings
        What ``judge_batch`` gives for each metric, of the same m series, the metric that is asked first before others.

    Returns
    -------
    array of int, shape (m,)
        Places in ``judged``.
    """
    is_known = np.stack([np.asarray(columns["n_samples"]) > 0 for columns in judged])
    is_leak = np.stack([np.asarray(columns["is_leak"], dtype=bool) for columns in judged])
    first_known, first_leak = np.argmax(is_known, axis=0), np.argmax(is_leak, axis=0)
    chosen: IntArray = np.where(is_leak.any(axis=0), first_leak, first_known)
    return chosen


def _growth_percent(growth: FloatArray, latest: FloatArray) -> FloatArray:
    """Return growth as a share of the level before it."""
    before = latest - growth
    known = before > 0
    return np.where(known, 100 * growth / np.where(known, before, 1.0), np.where(growth > 0, np.inf, growth * 0))


def _is_drift(
    fits: TrendFits, percent: FloatArray, time_left_s: FloatArray, rule: ShapeThresholds
) -> NDArray[np.bool_]:
    """Return whether growth is a small part of the level, would be so in an hour, and is far from a limit."""
    an_hour = percent * np.maximum(1.0, 3600 / np.maximum(fits.judged_s, 1e-9))
    is_near = np.nan_to_num(time_left_s, nan=np.inf) < rule.drift_days_left * 86400
    drift: NDArray[np.bool_] = (an_hour < rule.drift_percent) & ~is_near
    return drift


def _find_reasons(
    fits: TrendFits,
    drifts: NDArray[np.bool_],
    *,
    batch: SeriesBatch,
    limits: FloatArray,
    time_s: FloatArray,
    thresholds: Thresholds,
) -> Any:
    """Return the reasons of each verdict, an array of tuples."""
    code = fits.shape.copy()
    code[(code == INCONCLUSIVE) & (batch.n_samples < thresholds.series.min_samples)] = SHAPES.size
    code[(code == STABLE) & (fits.low <= 0) & (fits.high >= 0)] = SHAPES.size + 1
    code[(code == GROWING) & np.isfinite(fits.onset_s)] = SHAPES.size + 2
    code[drifts] = SHAPES.size + 5
    code[fits.grows_so_far] = SHAPES.size + 3
    code[fits.still_rises] = SHAPES.size + 4
    code[fits.regains] = SHAPES.size + 6
    code[fits.creeps] = SHAPES.size + 7
    code[(fits.shape == GROWING) & fits.by_part & ~drifts] = SHAPES.size + 8
    code[(fits.shape == GROWING) & fits.settled & ~drifts] = SHAPES.size + 9
    reasons = _REASONS[code]
    is_over = batch.latest - limits >= thresholds.forecast.min_share_beyond * limits
    for i in np.flatnonzero(np.isfinite(time_s) | np.isinf(time_s)):
        reached = Reason.OVER_LIMIT if is_over[i] else Reason.AT_LIMIT
        reasons[i] = (*reasons[i], reached if time_s[i] == 0 else Reason.REACHES_LIMIT)
    return reasons
