"""The slope is right, robust, and its interval honest."""

import numpy as np
import pytest
from factories import ar_noise, ramp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.trend.growth import fit_growth, fit_lag_one, theil_sen_slopes
from memanalysis.units import KIB, MIB


def fit_one(times, values):
    """Slope and the ends of its interval, of one series."""
    fit = fit_growth(np.asarray(times, dtype=float)[None], np.asarray(values, dtype=float)[None])
    slope, half_width = float(fit.slope[0]), float(fit.half_width()[0])
    return slope, slope - half_width, slope + half_width


@pytest.mark.slow
def test_one_outlier_does_not_move_the_slope():
    """A single 1 GiB spike in a 1 MiB/s ramp leaves the slope at 1 MiB/s."""
    series = ramp(slope=MIB, n=60)
    values = series.values.copy()
    values[30] += 1024 * MIB

    assert fit_one(series.elapsed_s, values)[0] == pytest.approx(MIB)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(3, 80))
@settings(deadline=None, max_examples=40)
def test_the_slope_is_scipys_theil_sen(seed, n):
    rng = np.random.default_rng(seed)
    times, values = np.cumsum(rng.uniform(0.1, 3, n)), rng.normal(size=n) * MIB

    assert theil_sen_slopes(times[None], values[None]).item() == pytest.approx(stats.theilslopes(values, times).slope)


@given(offset=st.floats(0, 1e9), factor=st.floats(0.1, 100))
@settings(deadline=None, max_examples=30)
def test_a_constant_leaves_the_slope_and_a_factor_scales_it(offset, factor):
    series = ramp(sigma=MIB, n=40)
    slope, low, high = fit_one(series.elapsed_s, series.values)
    moved, moved_low, moved_high = fit_one(series.elapsed_s, series.values * factor + offset)

    assert moved == pytest.approx(slope * factor, rel=1e-5)
    assert moved_high - moved_low == pytest.approx((high - low) * factor, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("lag_one", [0.0, 0.5, 0.9])
def test_the_interval_covers_the_truth_nineteen_times_in_twenty(lag_one):
    """600 series of 150 samples: at least 92 % of the 95 % intervals hold the true slope.

    A binomial count with p = 0.95 lies below 0.92 * 600 once in 1,500 times; the seed is fixed.
    """
    rng = np.random.default_rng(20260101)
    times, held = np.arange(150.0), 0
    for _ in range(600):
        noise = ar_noise(rng, 150, lag_one=lag_one, sigma=MIB)
        _, low, high = fit_one(times, 100 * MIB + 10 * KIB * times + noise)
        held += low <= 10 * KIB <= high

    assert held / 600 >= 0.92


def test_an_interval_that_takes_samples_for_independent_would_be_far_too_narrow():
    """At a lag-one correlation of 0.9 the width is at least three times that of Sen's interval in SciPy."""
    rng = np.random.default_rng(7)
    times, values = np.arange(200.0), ar_noise(np.random.default_rng(7), 200, lag_one=0.9, sigma=MIB)
    naive = stats.theilslopes(values, times)
    _, low, high = fit_one(times, values + rng.normal(size=200))

    assert high - low > 3 * (naive.high_slope - naive.low_slope)


def test_the_autocorrelation_of_known_noise_is_found():
    rng = np.random.default_rng(3)
    assert fit_lag_one(ar_noise(rng, 5000, lag_one=0.8, sigma=1.0)[None]).item() == pytest.approx(0.8, abs=0.03)


def test_a_long_series_is_judged_by_medians_and_keeps_its_slope():
    series = ramp(slope=KIB, n=50_000, sigma=MIB)
    assert assess_series(series.elapsed_s, series.values).slope_bytes_per_s == pytest.approx(KIB, rel=0.02)
