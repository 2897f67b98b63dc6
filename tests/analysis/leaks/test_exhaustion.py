"""The time to a limit: lines extended by hand, and intervals that hold it."""

import numpy as np
import pytest

from memanalysis.analysis.leaks.exhaustion import Exhaustion, forecast_exhaustion
from memanalysis.analysis.series.prepare import prepare_series
from memanalysis.analysis.trend.shape_readings import classify_shapes


def forecast(levels: np.ndarray, limit: float) -> Exhaustion:
    batch = prepare_series(np.arange(float(levels.size)), levels)
    fits = classify_shapes(batch)
    return forecast_exhaustion(fits, batch, limits=np.array([limit]))


@pytest.mark.slow
def test_a_straight_line_is_extended_to_the_limit():
    """1000 bytes a second from 1 MB: at second 99 it is at 1,099,000, and 901 s before 2 MB."""
    left = forecast(1e6 + 1000 * np.arange(100.0), 2e6)
    assert (left.time_s[0], left.low_s[0], left.high_s[0]) == pytest.approx((901, 901, 901), abs=0.1)


def test_at_its_limit_no_time_is_left():
    left = forecast(1e6 + 1000 * np.arange(100.0), 1_099_000)
    assert (left.time_s[0], left.low_s[0], left.high_s[0]) == (0, 0, 0)


def test_a_series_that_falls_never_reaches_its_limit():
    assert forecast(1e6 - 1000 * np.arange(100.0), 2e6).time_s[0] == np.inf


def test_without_a_limit_or_without_a_slope_nothing_is_known():
    assert np.isnan(forecast(1e6 + 1000 * np.arange(100.0), np.nan).time_s[0])
    assert np.isnan(forecast(np.array([1e6, 2e6]), 3e6).time_s[0])


def test_noise_widens_the_interval_about_the_time():
    rng = np.random.default_rng(1)
    narrow, wide = (forecast(1e6 + 1000 * np.arange(100.0) + rng.normal(size=100) * s, 2e6) for s in (1e3, 1e4))

    assert narrow.low_s[0] < narrow.time_s[0] < narrow.high_s[0]
    assert wide.high_s[0] - wide.low_s[0] > 3 * (narrow.high_s[0] - narrow.low_s[0])
