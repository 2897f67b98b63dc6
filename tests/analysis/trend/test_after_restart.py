"""Which falls are read as a restart, and what follows as the growth."""

import numpy as np
import pytest

from memanalysis.analysis.series_verdict import assess_series
from memanalysis.units import MIB

N = 200
T = np.arange(float(N))


def judge(values_mib, *, seed=0):
    values = np.asarray(values_mib) + np.random.default_rng(seed).normal(size=len(values_mib)) * 0.3
    return assess_series(T[: values.size], values * MIB)


@pytest.mark.slow
@pytest.mark.parametrize("at", [60, 90, 120])
def test_a_leak_that_goes_on_at_its_rate_after_a_restart_is_found(at):
    verdict = judge(np.where(at > T, 200 + T, 200 + T - 0.35 * (200 + at)))

    assert verdict.is_leak
    assert verdict.low_bytes_per_s <= MIB <= verdict.high_bytes_per_s


def test_a_leak_that_goes_on_after_a_part_was_released_is_found_soon():
    level = np.where(T < 100, 150 + 2 * T, 150 + 2 * T - 80)
    assert judge(level[:150]).is_leak


def test_growth_after_a_restart_that_stops_is_no_leak():
    warm = 100 * (1 - np.exp(-np.where(T < 90, T, T - 90) / 15))
    assert not judge(200 + warm).is_leak


def test_two_large_falls_are_garbage_collection():
    assert not judge(200 + 1.5 * ((T + 20) % 75)).is_leak


def test_one_large_fall_among_smaller_ones_is_garbage_collection():
    assert not judge(200 + 1.2 * (T % 110) + 4 * (T % 12)).is_leak


def test_what_was_loaded_at_the_start_is_no_growth_before_a_fall():
    loaded = np.interp(T, [0, 6, 60, 64, 80, 200], [50, 140, 140, 60, 60, 138])
    assert not judge(200 + loaded).is_leak
