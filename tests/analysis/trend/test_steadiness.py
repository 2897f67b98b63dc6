"""How much slower a series grows at its end than on the mean, and which early growth is steady."""

import numpy as np
import pytest
from factories import ramp

from memanalysis.analysis.series.prepare import prepare_series
from memanalysis.analysis.trend.steadiness import measure_end_to_mean
from memanalysis.analysis.trend.trend_shape import fit_shapes

N = 40
T = np.arange(float(N))


@pytest.mark.parametrize("times", [T, 7 * T + 3, np.cumsum(np.random.default_rng(1).uniform(0.5, 1.5, N))])
def test_a_line_ends_as_fast_as_it_grows_on_the_mean(times):
    assert measure_end_to_mean(times[None], (5 + 3 * times)[None], np.array([3.0])) == pytest.approx([1.0])


def test_a_parabola_ends_at_the_slope_of_its_derivative():
    """Values t (2 - t) on [0, 1]: mean slope 1, slope at the end 0."""
    place = np.linspace(0, 1, 2001)
    level = place * (2 - place)
    assert measure_end_to_mean(place[None], level[None], np.array([1.0])) == pytest.approx([0.0], abs=1e-2)


def test_early_growth_is_steady_along_a_line_and_not_along_a_cache_that_fills():
    line, cache = 2e8 + 1e6 * T, 2e8 + 1e8 * (1 - np.exp(-T / N / 1.5))
    assert fit_shapes(prepare_series(T, line)).steady.tolist() == [True]
    assert fit_shapes(prepare_series(T, cache)).steady.tolist() == [False]


def test_a_leak_that_follows_a_warm_up_is_steady():
    warm = 2e8 + 1e6 * np.maximum(T, 8) + 5e6 * np.minimum(T, 8)
    assert fit_shapes(prepare_series(T, warm)).steady.tolist() == [True]


def test_a_leak_after_a_start_up_of_seconds_is_steady():
    """Loading 40 MB with a time constant of 3 s, then 1 MB a second with wobbles of the heap."""
    start_up = 4e7 * (1 - np.exp(-T / 3))
    wobbles = 3e4 * np.sin(7 * T)
    assert fit_shapes(prepare_series(T, 2e7 + start_up + 1e6 * T + wobbles)).steady.tolist() == [True]


def test_a_steady_ramp_under_noise_is_steady():
    series = ramp(slope=1e6, n=N, sigma=5e4)
    fits = fit_shapes(prepare_series(series.elapsed_s, series.values))
    assert fits.steady.tolist() == [True]
