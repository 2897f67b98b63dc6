"""The verdicts on a batch of series, as columns: shape, slope, severity, time to the limit, and the sentence."""

from typing import Any

import numpy as np

from memanalysis.analysis.forecast import forecast_exhaustion
from memanalysis.analysis.grading import classify_severities
from memanalysis.analysis.series import FloatArray, SeriesBatch
from memanalysis.analysis.severity import SeverityRules
from memanalysis.analysis.shape import GROWING, SHAPES, classify_shapes
from memanalysis.analysis.verdict import SEVERITIES
from memanalysis.analysis.wording import describe_missing, describe_series

__all__ = ["judge_batch"]

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


def _growth_percent(growth: FloatArray, latest: FloatArray) -> FloatArray:
    """Growth as a share of the level before it."""
    before = latest - growth
    known = before > 0
    return np.where(known, 100 * growth / np.where(known, before, 1.0), np.where(growth > 0, np.inf, growth * 0))
