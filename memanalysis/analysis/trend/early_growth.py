"""What grows like a leak but is not called one yet: too short, not steady, likely to fall again, or only regained.

Most warm-ups, filling caches and unfinished saw-teeth look like a leak at first. Until the verdict is safe, they
are inconclusive, and the sentence names what is missing.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.series.prepare import SeriesBatch
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, Thresholds
from memanalysis.analysis.trend.falls import judge_falls
from memanalysis.analysis.trend.regained_level import find_regained
from memanalysis.analysis.trend.trend_shape import GROWING, INCONCLUSIVE, SAWTOOTH, STABLE, STEPPED, TrendFits

__all__ = ["has_few_samples", "hold_back_early", "is_short"]


def hold_back_early(batch: SeriesBatch, fits: TrendFits, *, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> TrendFits:
    """Return the fits with what grows, but is too early to be called a leak, as inconclusive.

    Parameters
    ----------
    batch : SeriesBatch
        The prepared series.
    fits : TrendFits
        Their shapes, by all readings.
    thresholds : Thresholds, optional
        The numbers to judge by.
    """
    growing, has_few = fits.shape == GROWING, has_few_samples(batch, thresholds=thresholds)
    early = growing & (is_short(batch, fits, thresholds) | (has_few & ~fits.steady))
    fell = fits.fall >= thresholds.fall.min_share_of_growth / 2 * fits.growth  # medians hide up to half of a fall
    which = np.flatnonzero(growing & ~early & ~fits.restarted & fell)
    early[which], swings = judge_falls(
        batch, which, slopes=fits.slope[which], early=has_few[which], thresholds=thresholds.fall
    )
    still_rises = fits.still_rises & ~growing
    shape = np.where(early | (still_rises & np.isin(fits.shape, (STABLE, STEPPED))), INCONCLUSIVE, fits.shape)
    shape[which[swings]] = SAWTOOTH
    regains, onset_s = np.zeros(shape.size, dtype=bool), fits.onset_s.copy()
    which = np.flatnonzero((shape == GROWING) & ~fits.restarted)
    since_s = find_regained(batch, which, fits.growth[which], thresholds=thresholds)
    which, since_s = which[~np.isnan(since_s)], since_s[~np.isnan(since_s)]
    regains[which], onset_s[which], shape[which] = True, since_s, INCONCLUSIVE
    return replace(
        fits,
        shape=shape,
        onset_s=onset_s,
        grows_so_far=early,
        still_rises=still_rises & (shape == INCONCLUSIVE),
        regains=regains,
    )


def has_few_samples(batch: SeriesBatch, *, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> NDArray[np.bool_]:
    """Return which series are so short that only steady growth is called a leak."""
    rule = thresholds.series
    few: NDArray[np.bool_] = (batch.n_samples < rule.min_samples_of_unsteady_growth) & (
        batch.durations_s < rule.min_seconds_of_few_samples
    )
    return few


def is_short(batch: SeriesBatch, fits: TrendFits, thresholds: Thresholds) -> NDArray[np.bool_]:
    """Return which series have too few samples, seconds or bytes of growth to be called a leak, whatever they do."""
    rule, lasted_s = thresholds.series, batch.durations_s
    few = (batch.n_samples < rule.min_samples_of_a_leak) & (lasted_s < rule.min_seconds_of_few_samples)
    few |= (fits.growth < rule.min_early_bytes_of_a_leak) & (lasted_s < rule.min_seconds_of_few_bytes)
    small = fits.growth < np.minimum(rule.min_share_of_a_small_leak * batch.latest, rule.max_small_bytes)
    few |= small & (lasted_s < rule.min_seconds_of_a_small_share)
    short: NDArray[np.bool_] = few | (lasted_s < rule.min_seconds_of_a_leak)
    return short
