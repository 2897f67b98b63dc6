"""The verdicts on a batch of series, as columns: shape, slope, severity, time to the limit, and the sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.leaks.exhaustion import forecast_exhaustion
from memanalysis.analysis.series.prepare import SeriesBatch
from memanalysis.analysis.severity_levels import classify_severities
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.trend.trend_shape import GROWING, SHAPES, classify_shapes
from memanalysis.analysis.verdict import SEVERITIES
from memanalysis.analysis.verdict_sentence import describe_missing, describe_series

__all__ = ["choose_metrics", "judge_batch"]

_SEVERITIES = np.array(SEVERITIES)


def judge_batch(batch: SeriesBatch, limits: FloatArray, rules: SeverityRules) -> dict[str, Any]:
    """Judge each series.

    Parameters
    ----------
    batch : SeriesBatch
        The prepared series.
    limits : array of float, shape (m,)
        Their limits in bytes, NaN where there is none.
    rules : SeverityRules
        Thresholds of severity.

    Returns
    -------
    dict
        Arrays and lists of length m under the names of ``Verdict`` and ``Evidence``, and ``judged_s``; NaN or None
        where unknown. What a forecast is given for is a leak only.
    """
    findings = classify_shapes(batch)
    is_leak = findings.shape == GROWING
    latest = batch.latest
    left = forecast_exhaustion(findings, last_s=batch.last_s, latest=latest, limits=limits)
    percent = _growth_percent(findings.growth, latest)
    severity = classify_severities(
        is_leak=is_leak,
        growth_bytes=findings.growth,
        growth_percent=percent,
        time_left_s=left.time_s,
        rules=rules,
    )
    columns: dict[str, Any] = {
        "shape": SHAPES[findings.shape],
        "is_leak": is_leak,
        "severity": _SEVERITIES[severity],
        "slope_bytes_per_s": findings.slope,
        "low_bytes_per_s": findings.low,
        "high_bytes_per_s": findings.high,
        "growth_bytes": findings.growth,
        "growth_percent": percent,
        "latest_bytes": latest,
        "limit_bytes": limits,
        "time_to_exhaustion_s": np.where(is_leak, left.time_s, np.nan),
        "time_to_exhaustion_low_s": np.where(is_leak, left.low_s, np.nan),
        "time_to_exhaustion_high_s": np.where(is_leak, left.high_s, np.nan),
        "n_samples": batch.n_samples,
        "duration_s": batch.durations_s,
        "windows": findings.windows,
        "weakest_window_bytes_per_s": findings.weakest,
        "judged_s": findings.judged_s,
    }
    columns["missing"] = describe_missing(columns)
    columns["sentence"] = describe_series(columns)
    return columns


def choose_metrics(judged: Sequence[Mapping[str, Any]]) -> IntArray:
    """Which metric speaks for each series: the first that is known, or the first that shows a leak.

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
    """Growth as a share of the level before it."""
    before = latest - growth
    known = before > 0
    return np.where(known, 100 * growth / np.where(known, before, 1.0), np.where(growth > 0, np.inf, growth * 0))
