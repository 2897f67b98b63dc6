"""Threads and descriptors that pile up: a leak of its own name, whether or not memory grows by it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.series.prepare import SeriesBatch
from memanalysis.analysis.thresholds import PileUpThresholds, Thresholds
from memanalysis.analysis.trend.shape_readings import classify_shapes
from memanalysis.analysis.trend.trend_shape import GROWING, TrendFits
from memanalysis.analysis.verdict import Reason, VerdictFrame
from memanalysis.schema import COUNT_METRICS

__all__ = ["PILES", "find_pile_ups"]

PILES = {
    "thread_count": ("threads", Reason.THREADS_PILE_UP),
    "descriptor_count": ("descriptors", Reason.DESCRIPTORS_PILE_UP),
}
"""Origin and reason of each count that grows."""


def find_pile_ups(frame: VerdictFrame, thresholds: Thresholds, *, batches: Mapping[str, SeriesBatch]) -> VerdictFrame:
    """Name the threads or descriptors that pile up.

    Parameters
    ----------
    frame : VerdictFrame
        Verdicts with their origin.
    thresholds : Thresholds
        The numbers to judge by; its group ``pile_up``.
    batches : mapping
        The prepared series by metric; a count that was not read piles up nowhere.

    Returns
    -------
    VerdictFrame
        With ``growth_count`` and ``slope_count_per_s``, NaN where nothing piles up. A row that is no leak of memory
        becomes one with the count as its metric; its bytes stay those of the memory.
    """
    size = len(frame["is_leak"])
    growth, slope = np.full(size, np.nan), np.full(size, np.nan)
    changed: VerdictFrame = {}
    for metric in COUNT_METRICS:
        batch = batches.get(metric)
        if batch is None or not batch.sizes.any():
            continue
        fits = classify_shapes(batch, thresholds=thresholds.of_counts())
        piles = _pile_up(batch, fits, thresholds.pile_up)
        if piles.any():
            first = piles & np.isnan(growth)
            growth[first], slope[first] = fits.growth[first], fits.slope[first]
            changed = _mark(frame | changed, metric, piles, first)
    return frame | changed | {"growth_count": growth, "slope_count_per_s": slope}


def _pile_up(batch: SeriesBatch, fits: TrendFits, rule: PileUpThresholds) -> NDArray[np.bool_]:
    """Return which counts grow steadily, for long enough and by enough."""
    least: FloatArray = np.maximum(rule.min_growth, rule.min_share * (np.nan_to_num(batch.latest) - fits.growth))
    is_long = (batch.n_samples >= rule.min_readings) & (batch.durations_s >= rule.min_seconds)
    piles: NDArray[np.bool_] = (fits.shape == GROWING) & is_long & (fits.growth >= least)
    return piles


def _mark(frame: VerdictFrame, metric: str, piles: NDArray[np.bool_], first: NDArray[np.bool_]) -> VerdictFrame:
    name, reason = PILES[metric]
    of_memory = np.asarray(frame["is_leak"], dtype=bool)
    alone = first & ~of_memory
    reasons = frame["reasons"].copy()
    for i in np.flatnonzero(piles).tolist():
        reasons[i] = (reason,) if alone[i] else (*reasons[i], reason)
    is_open = np.isin(frame["origin"], ("unknown", "native") if metric == COUNT_METRICS[0] else ("unknown",))
    new = {"metric": metric, "shape": "growing", "severity": "medium"}
    columns = {column: np.where(alone, np.array(value, dtype=object), frame[column]) for column, value in new.items()}
    origin = np.where(alone | (first & is_open), np.array(name, dtype=object), frame["origin"])
    return columns | {"origin": origin, "is_leak": of_memory | alone, "reasons": reasons}
