"""The line that a verdict rests on, to be drawn over its series: the fitted growth, or the baselines of its windows."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.series.prepare import prepare_series
from memanalysis.analysis.trend.shape_readings import classify_shapes
from memanalysis.analysis.trend.trend_shape import GROWING, SHRINKING

__all__ = ["EvidenceLine", "find_evidence_line"]


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """A line over a series.

    Parameters
    ----------
    kind : str
        ``growth``, the ends of the fitted line; or ``baselines``, one point a window.
    elapsed_s, values : arrays of float, shape (k,)
        Seconds and bytes.
    window_s, window_values : arrays of float, shape (w,)
        Mean second and baseline of each window that the verdict compares; empty where the series is too short.
    """

    kind: Literal["growth", "baselines"]
    elapsed_s: FloatArray
    values: FloatArray
    window_s: FloatArray
    window_values: FloatArray


def find_evidence_line(elapsed_s: FloatArray, values: FloatArray) -> EvidenceLine | None:
    """Return the line that the verdict on one series rests on; None where there were too few samples."""
    batch = prepare_series(elapsed_s, values)
    fits = classify_shapes(batch)
    slope, intercept = float(fits.slope[0]), float(fits.intercept[0])
    if np.isnan(slope):
        return None
    known = np.isfinite(fits.baselines[0])
    windows = fits.baseline_times[0][known], fits.baselines[0][known]
    if fits.shape[0] in (GROWING, SHRINKING):
        last = float(batch.judged_until_s[0])
        ends = np.array([last - float(fits.judged_s[0]), last])
        return EvidenceLine("growth", ends, intercept + slope * ends, *windows)
    return EvidenceLine("baselines", *windows, *windows)
