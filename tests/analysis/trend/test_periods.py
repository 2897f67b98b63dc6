"""Periods of swings: those that were put in, and those that SciPy's periodogram finds."""

import numpy as np
import pytest
from scipy import signal

from memanalysis.analysis.trend.periods import find_periods


def waves(period: float, n: int = 96, step: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
    times = step * np.arange(float(n))
    return times, 1e6 * np.sin(2 * np.pi * times / period)


@pytest.mark.parametrize("period", [60.0, 120.0, 240.0, 320.0])
def test_the_period_is_that_of_the_highest_peak_of_the_periodogram(period):
    times, levels = waves(period)
    frequencies, power = signal.periodogram(levels, fs=1 / 10)

    assert find_periods(times[None], levels[None])[0] == pytest.approx(1 / frequencies[np.argmax(power)], abs=5)
    assert find_periods(times[None], levels[None])[0] == pytest.approx(period, abs=5)


def test_a_trend_does_not_hide_the_period():
    times, levels = waves(120.0)
    assert find_periods(times[None], (levels + 1e4 * times)[None])[0] == pytest.approx(120)


def test_times_off_the_grid_are_put_onto_it():
    rng = np.random.default_rng(3)
    times = np.sort(rng.uniform(0, 950, 96))
    levels = np.sin(2 * np.pi * times / 120)

    assert find_periods(times[None], levels[None])[0] == pytest.approx(120, abs=15)


@pytest.mark.parametrize(
    "levels",
    [
        waves(500.0)[1],  # not three whole periods
        np.random.default_rng(4).normal(size=96),
        np.full(96, 2e8),
        np.arange(96.0),
    ],
    ids=["two periods", "white noise", "flat", "ramp"],
)
def test_what_does_not_repeat_three_times_has_no_period(levels):
    assert np.isnan(find_periods(10 * np.arange(96.0)[None], levels[None])).all()


def test_a_short_series_has_no_period():
    times, levels = waves(40.0, n=11)
    assert np.isnan(find_periods(times[None], levels[None])).all()
