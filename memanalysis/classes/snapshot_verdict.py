"""What the engine finds in snapshots: its verdict on their memory and on their objects, and the direction of a trend.

Nothing is judged here; `memanalysis.analysis` judges. This module loads numpy: see `snapshot_engine`.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from memanalysis.analysis.row_statistics import row_medians
from memanalysis.analysis.series.prepare import prepare_series
from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.analysis.trend.growth import fit_growth
from memanalysis.analysis.trend.trend_shape import min_growth_bytes
from memanalysis.analysis.verdict import Verdict
from memanalysis.classes.object_rules import OBJECT_WEIGHT
from memanalysis.units import MIB

__all__ = ["Direction", "judge_counts", "judge_memory", "read_trend"]

Direction = Literal["increasing", "decreasing", "stable"]

SNAPSHOT_THRESHOLDS = DEFAULT_THRESHOLDS.from_first_evidence()
"""The classes judge the few snapshots that they were given, and know of no more to come."""

MIN_MOMENTS = 3
"""A slope and its interval need three."""


def judge_memory(elapsed_s: ArrayLike, current_mb: ArrayLike, *, rules: SeverityRules) -> Verdict:
    """Judge readings in MB."""
    return assess_series(
        elapsed_s, np.asarray(current_mb, dtype=np.float64) * MIB, rules=rules, thresholds=SNAPSHOT_THRESHOLDS
    )


def judge_counts(elapsed_s: ArrayLike, counts: ArrayLike, *, rules: SeverityRules | None = None) -> Verdict:
    """Judge counts of objects: the bytes of the verdict are objects times `OBJECT_WEIGHT`."""
    return assess_series(
        elapsed_s, np.asarray(counts, dtype=np.float64) * OBJECT_WEIGHT, rules=rules, thresholds=SNAPSHOT_THRESHOLDS
    )


def read_trend(elapsed_s: ArrayLike, current_mb: ArrayLike) -> tuple[Direction, float] | None:
    """Direction and slope in MB per second; None below three moments with a known reading.

    A slope counts when its whole 95 % interval lies on one side of zero and the series is not one that the engine calls
    stable; growth that the engine holds to be too small to show anything is stable too.
    """
    values_bytes = np.asarray(current_mb, dtype=np.float64) * MIB
    verdict = assess_series(elapsed_s, values_bytes, thresholds=SNAPSHOT_THRESHOLDS)
    slope, low, high = verdict.slope_bytes_per_s, verdict.low_bytes_per_s, verdict.high_bytes_per_s
    if slope is None or low is None or high is None:  # too short for a verdict, not for a slope
        times, levels = prepare_series(elapsed_s, values_bytes).take(0)
        if times.size < MIN_MOMENTS:
            return None
        fit = fit_growth(times[None], levels[None])
        slope, half_width = float(fit.slope[0]), float(fit.half_width()[0])
        low, high = slope - half_width, slope + half_width
        if abs(slope) * (times[-1] - times[0]) < min_growth_bytes(row_medians(levels[None]))[0]:
            return "stable", slope / MIB
    if verdict.shape == "stable" or low <= 0 <= high:
        return "stable", slope / MIB
    return ("increasing" if low > 0 else "decreasing"), slope / MIB
