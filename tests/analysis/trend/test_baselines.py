"""The lower envelope, window by window: against numpy's quantiles, and windows counted by hand."""

import numpy as np
import pytest

from memanalysis.analysis.thresholds import BaselineThresholds, Thresholds
from memanalysis.analysis.trend.baselines import Baselines, find_baselines
from memanalysis.analysis.trend.growth import fit_growth


def baselines_of(times: np.ndarray, levels: np.ndarray, thresholds: Thresholds | None = None) -> Baselines:
    rules = thresholds or Thresholds()
    return find_baselines(times[None], levels[None], fit_growth(times[None], levels[None]), thresholds=rules)


@pytest.mark.slow
def test_a_baseline_is_the_low_quantile_of_its_window_at_its_mean_time():
    times = np.arange(64.0)
    levels = 1e6 + 1e4 * times + 1e3 * np.random.default_rng(1).random(64)
    found = baselines_of(times, levels)

    assert found.windows.tolist() == [8]
    assert found.values[0] == pytest.approx([np.quantile(window, 0.2) for window in levels.reshape(8, 8)])
    assert found.times[0] == pytest.approx([window.mean() for window in times.reshape(8, 8)])


def test_the_weakest_rise_is_that_of_the_flattest_window():
    """Eight windows of eight seconds; the level stands still in the fifth and rises by 80 elsewhere."""
    rises = np.where(np.arange(64) // 8 == 4, 0.0, 10.0)
    found = baselines_of(np.arange(64.0), np.cumsum(rises))

    assert found.weakest[0] == found.slopes[0].min() < 5
    assert found.slopes[0].max() == pytest.approx(10)


def test_each_window_holds_a_whole_period():
    """Three saw-teeth of 21 seconds: more windows, which the noise alone would leave, would cut through them."""
    times = np.arange(64.0)
    found = baselines_of(times, 1e6 * (times % 21))

    assert found.windows.tolist() == [3]
    assert np.ptp(found.values[0, :3]) < 1e6
    assert np.isnan(found.values[0, 3:]).all()


def test_noise_that_hides_the_rise_from_window_to_window_leaves_fewer_windows_but_four():
    times = np.arange(64.0)
    levels = 100 * times + 5000 * np.random.default_rng(2).normal(size=64)

    assert baselines_of(times, levels).windows.tolist() == [4]


def test_one_window_has_no_weakest_rise():
    unknown = np.nan
    one = Baselines(windows=np.array([1]), times=np.array([[3.0, unknown]]), values=np.array([[9.0, unknown]]))
    assert np.isnan(one.weakest).all()


def test_the_number_of_windows_follows_the_thresholds():
    times = np.arange(60.0)
    found = baselines_of(times, times, Thresholds(baseline=BaselineThresholds(max_windows=5)))
    assert (found.windows.tolist(), found.values.shape) == ([5], (1, 5))
