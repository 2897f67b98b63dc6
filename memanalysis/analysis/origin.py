"""Where growth of RSS comes from: Python objects, native code, memory that the allocator holds free, or unknown."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from memanalysis.analysis.frames import known_floats
from memanalysis.analysis.growth import fit_growth
from memanalysis.analysis.series import FloatArray, prepare_series
from memanalysis.analysis.shape import MIN_SAMPLES
from memanalysis.analysis.verdict import Origin, Verdict

__all__ = ["classify_origin"]

LEAST_SHARE = 0.4
"""A part that explains at least this share of the growth of RSS names its origin."""


def classify_origin(run: pd.DataFrame, elapsed_s: FloatArray, verdicts: Mapping[str, Verdict]) -> Origin:
    """Name the origin of a leak in one run.

    Parameters
    ----------
    run : DataFrame
        Samples of one run.
    elapsed_s : array of float
        Their seconds.
    verdicts : mapping
        Verdicts on the run's metrics, by name.

    Notes
    -----
    ``python`` when traced bytes carry the growth (or traced bytes leak by themselves), ``fragmentation`` when the
    allocator holds it free, ``native`` when traced bytes are known and carry it not, else ``unknown``.
    """
    rss, traced = verdicts.get("rss_bytes"), verdicts.get("traced_bytes")
    if traced is None:
        return "unknown"
    if rss is None or not rss.is_leak or not rss.slope_bytes_per_s:
        return "python" if rss is not None and traced.is_leak else "unknown"
    own = _slope(run, elapsed_s, "tracer_bytes")
    to_explain = max(rss.slope_bytes_per_s - own, rss.slope_bytes_per_s / 10)
    if (traced.slope_bytes_per_s or 0.0) >= LEAST_SHARE * to_explain:
        return "python"
    if _slope(run, elapsed_s, "allocator_free_bytes") >= LEAST_SHARE * to_explain:
        return "fragmentation"
    return "native"


def _slope(run: pd.DataFrame, elapsed_s: FloatArray, column: str) -> float:
    """Growth of a column in bytes per second; 0 where too little of it is known to explain anything."""
    values = known_floats(run, column)
    if np.isfinite(values).sum() < MIN_SAMPLES:
        return 0.0
    series = prepare_series(elapsed_s, values)
    return fit_growth(series.elapsed_s, series.values).slope_bytes_per_s
