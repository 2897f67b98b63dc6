"""Growth of RSS that seems to slow down, while what Python holds grows steadily: the latter settles it.

The allocator fills holes and opens arenas, so resident memory bends where nothing slows down. What the sampler counts
does not.
"""

from dataclasses import replace

import numpy as np

from memanalysis.analysis.series.prepare import SeriesBatch, take_series
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, Thresholds
from memanalysis.analysis.trend.shape_readings import classify_shapes
from memanalysis.analysis.trend.trend_shape import GROWING, SLOWING, TrendFits

__all__ = ["settle_slowing"]


def settle_slowing(
    fits: TrendFits, sampled: SeriesBatch | None, *, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> TrendFits:
    """Return the fits with what is slowing as growing, where the sampled bytes of the same series grow steadily.

    Parameters
    ----------
    fits : TrendFits
        Of the m series of RSS.
    sampled : SeriesBatch, optional
        What the sampler counted of the same m series.
    thresholds : Thresholds, optional
        The numbers to judge by; ``origin.min_share_to_settle`` is the part of the growth that must be seen.
    """
    slowing = np.flatnonzero(fits.shape == SLOWING)
    if sampled is None or not slowing.size:
        return fits
    beside = classify_shapes(take_series(sampled, slowing), thresholds=thresholds)
    enough = beside.slope >= thresholds.origin.min_share_to_settle * fits.slope[slowing]
    shape = fits.shape.copy()
    shape[slowing[(beside.shape == GROWING) & enough]] = GROWING
    return replace(fits, shape=shape)
