"""Long series folded by threes: medians of numpy, no sample lost, and the same as sample by sample."""

import numpy as np
import pytest

from memanalysis.analysis.series.folding import fold_long
from memanalysis.analysis.series.live_series import LiveSeries
from memanalysis.analysis.thresholds import SeriesThresholds

KEPT = SeriesThresholds().max_points_kept


@pytest.mark.slow
def test_a_short_series_is_left_alone_beside_a_long_one():
    n = 9 * KEPT
    times = np.concatenate([np.arange(10.0), np.arange(float(n))])
    folded = fold_long(times, times + 1, np.array([10, n]))

    assert folded[2][0] == 10
    assert folded[0][:10].tolist() == times[:10].tolist()
    assert folded[3][:10].tolist() == [1] * 10


def test_three_neighbours_become_their_mean_time_and_their_median():
    values = np.random.default_rng(2).random(KEPT + 1)
    times = np.arange(KEPT + 1.0)
    folded_times, folded, counts, weights = fold_long(times, values, np.array([KEPT + 1]))

    assert counts.tolist() == [KEPT // 3 + 1]
    assert folded[:-1].tolist() == np.median(values[:-1].reshape(-1, 3), axis=1).tolist()
    assert folded_times[:-1] == pytest.approx(times[:-1].reshape(-1, 3).mean(axis=1))
    assert (folded_times[-1], folded[-1], weights[-1]) == (KEPT, values[-1], 1)  # the last may yet be replaced


@pytest.mark.parametrize("n", [KEPT, KEPT + 1, KEPT + 3, 3 * KEPT, 3 * KEPT + 1, 3 * KEPT + 5, 30_000])
def test_no_sample_is_lost_and_the_points_are_those_of_a_live_series(n):
    times, values = np.arange(float(n)), np.random.default_rng(n).random(n)
    folded_times, folded, counts, weights = fold_long(times, values, np.array([n]))
    live = LiveSeries()
    for time_s, value in zip(times.tolist(), values.tolist(), strict=True):
        live.add(time_s, value)

    assert weights.sum() == n
    assert counts.tolist() == [folded.size]
    assert live._points() == (folded_times.tolist(), folded.tolist(), weights.tolist())
