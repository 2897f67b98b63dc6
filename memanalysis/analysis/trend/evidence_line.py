"""The line that a verdict rests on, to be drawn over its series: the fitted growth, or the floors of its windows."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.series.prepare import prepare_series
from memanalysis.analysis.trend.trend_shape import GROWING, SHRINKING, classify_shapes

__all__ = ["EvidenceLine", "find_evidence_line"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceLine:
    """A line over a series.

    Parameters
    ----------
    kind : str
        ``growth``, the ends of the fitted line; or ``floors``, one point a window.
    elapsed_s, values : arrays of float, shape (k,)
        Seconds and bytes.
    """

    kind: Literal["growth", "floors"]
    elapsed_s: FloatArray
    values: FloatArray


def find_evidence_line(elapsed_s: FloatArray, values: FloatArray) -> EvidenceLine | None:
    """Give the line that the verdict on one series rests on; None where there were too few samples."""
    batch = prepare_series(elapsed_s, values)
    findings = classify_shapes(batch)
    slope, intercept = float(findings.slope[0]), float(findings.intercept[0])
    if np.isnan(slope):
        return None
    if findings.shape[0] in (GROWING, SHRINKING):
        last = float(batch.elapsed_s[-1])
        ends = np.array([last - float(findings.judged_s[0]), last])
        return EvidenceLine(kind="growth", elapsed_s=ends, values=intercept + slope * ends)
    known = np.isfinite(findings.floors[0])
    return EvidenceLine(kind="floors", elapsed_s=findings.floor_times[0][known], values=findings.floors[0][known])
