"""A series judged sample after sample, in bounded memory, has the verdict of the whole."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memanalysis.analysis.series.live_series import LiveSeries
from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.errors import InvalidArgumentError
from memanalysis.units import MIB


def _live(times: np.ndarray, values: np.ndarray) -> LiveSeries:
    live = LiveSeries()
    for time_s, value in zip(times.tolist(), values.tolist(), strict=True):
        live.add(time_s, value)
    return live


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    n=st.one_of(st.integers(0, 80), st.sampled_from([2048, 2049, 2050, 2051, 6147, 6148, 6149, 18_500])),
    slope=st.sampled_from([0.0, 500.0, -500.0]),
    seed=st.integers(0, 1000),
)
def test_live_and_whole_say_the_same(n: int, slope: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.5, 1.5, size=n))
    values = 200 * MIB + slope * times + rng.normal(size=n) * MIB
    values[rng.random(n) < 0.02] = np.nan

    assert _live(times, values).judge(limit_bytes=512 * MIB) == assess_series(times, values, limit_bytes=512 * MIB)


def test_a_fall_to_less_than_half_is_a_restart_in_both() -> None:
    times = np.arange(9000.0)
    values = 300 * MIB + 10_000 * (times % 4000)
    values[4000:] -= 200 * MIB

    verdict = _live(times, values).judge()

    assert verdict == assess_series(times, values)
    assert verdict.evidence.n_samples < 9000


def test_a_long_leak_is_a_leak_of_its_slope_whose_samples_are_all_counted() -> None:
    times = np.arange(50_000.0)
    values = 200 * MIB + 1000 * times + np.random.default_rng(1).normal(size=50_000) * MIB

    verdict = _live(times, values).judge()

    assert (verdict.shape, verdict.evidence.n_samples) == ("growing", 50_000)
    assert verdict.slope_bytes_per_s == pytest.approx(1000, rel=0.01)


def test_what_is_kept_does_not_grow_with_the_samples() -> None:
    live = LiveSeries()
    most = 0
    for second in range(60_000):
        live.add(float(second), 1e8)
        most = max(most, len(live._times) + sum(map(len, live._waiting)))

    assert live.n_samples == 60_000
    assert most < DEFAULT_THRESHOLDS.series.max_points_kept + 3 * 8


def test_the_last_value_of_a_moment_counts_and_unknown_ones_do_not() -> None:
    live = _live(np.array([0.0, 1.0, 1.0, 2.0, 3.0, 4.0]), np.array([1.0, 9.0, 1.0, np.nan, 1.0, 1.0]) * MIB)
    live.add(5.0, None)
    live.add(6.0, 1.0 * MIB)

    assert live.n_samples == 5
    assert live.judge().slope_bytes_per_s == 0


@pytest.mark.parametrize(("elapsed_s", "value"), [(1.0, 5.0), (3.0, -1.0)], ids=["earlier", "negative"])
def test_what_cannot_be_is_refused(elapsed_s: float, value: float) -> None:
    live = _live(np.array([2.0]), np.array([1.0]))

    with pytest.raises(InvalidArgumentError, match=r"LiveSeries\.add needs"):
        live.add(elapsed_s, value)


def test_keeping_samples_loads_no_numpy() -> None:
    program = """
import sys
from memanalysis.analysis.series.live_series import LiveSeries
live = LiveSeries()
for second in range(10_000):
    live.add(float(second), 1e8)
assert "numpy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
