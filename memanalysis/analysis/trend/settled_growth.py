"""Growth of RSS that is not what it seems beside what Python holds, which the sampler counts.

The allocator fills holes and opens arenas, so resident memory bends where nothing slows down. And a heap that swings
stays resident at its highest, which creeps up where nothing is kept.
"""

from dataclasses import replace

import numpy as np

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.series.prepare import SeriesBatch, take_series
from memanalysis.analysis.series.warm_up import find_warm_up_ends
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, Thresholds
from memanalysis.analysis.trend.early_growth import is_short
from memanalysis.analysis.trend.shape_readings import classify_shapes
from memanalysis.analysis.trend.swings import count_swings
from memanalysis.analysis.trend.trend_shape import GROWING, INCONCLUSIVE, PLATEAUING, SLOWING, TrendFits

__all__ = ["settle_by_sampled"]


def settle_by_sampled(
    batch: SeriesBatch, fits: TrendFits, sampled: SeriesBatch | None, *, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> TrendFits:
    """Return the fits of RSS, settled by the sampled bytes of the same series.

    What rises, but levels off, slows down or is not shown to be steady, is growing, and ``settled``, where the sampled
    bytes grow steadily. What is growing is inconclusive, and ``creeps``, where it grew by little beside the swing of
    sampled bytes that do not grow.

    Parameters
    ----------
    batch : SeriesBatch
        The m series of RSS.
    fits : TrendFits
        Their shapes.
    sampled : SeriesBatch, optional
        What the sampler counted of the same m series.
    thresholds : Thresholds, optional
        The numbers to judge by: of its group ``origin`` those that settle.
    """
    is_open = np.isin(fits.shape, (PLATEAUING, INCONCLUSIVE)) & (fits.low > 0) & ~fits.regains
    is_open &= ~is_short(batch, fits, thresholds)
    which = np.flatnonzero(np.isin(fits.shape, (SLOWING, GROWING)) | is_open)
    if sampled is None or not which.size:
        return fits
    rule, some = thresholds.origin, take_series(sampled, which)
    beside = classify_shapes(some, thresholds=thresholds)
    settled, creeps = np.zeros(fits.shape.size, dtype=bool), np.zeros(fits.shape.size, dtype=bool)
    has_grown = beside.shape == GROWING
    was_growing = fits.shape[which] == GROWING
    settled[which] = ~was_growing & has_grown & (beside.slope >= rule.min_share_to_settle * fits.slope[which])
    doubted = np.flatnonzero(was_growing & ~has_grown)
    little = rule.max_share_of_a_swing * _measure_swings(some, doubted, thresholds)
    creeps[which[doubted]] = fits.growth[which[doubted]] < little
    return replace(
        fits,
        shape=np.where(settled, GROWING, np.where(creeps, INCONCLUSIVE, fits.shape)),
        grows_so_far=fits.grows_so_far & ~settled,
        still_rises=fits.still_rises & ~settled,
        creeps=creeps,
        settled=settled,
    )


def _measure_swings(batch: SeriesBatch, which: IntArray, thresholds: Thresholds) -> FloatArray:
    """Return how far eight in ten values of some series lie apart after the warm-up; 0 where they do not swing."""
    rule, swings = thresholds.origin, np.zeros(which.size)
    known = np.flatnonzero(batch.sizes[which])
    for i, first in zip(known, find_warm_up_ends(batch, which[known], thresholds.series), strict=True):
        values = batch.values[first : batch.stops[which[i]]]
        low, high = np.quantile(values, rule.swing_quantiles)
        if low < high:
            turns = count_swings(values[np.newaxis], np.array([rule.min_share_of_a_turn * (high - low)]))
            swings[i] = (high - low) * (turns[0] >= rule.min_turns_of_a_swing)
    return swings
