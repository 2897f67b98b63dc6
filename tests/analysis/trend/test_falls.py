"""Which falls of a growing series make its growth doubtful."""

import numpy as np
import pytest

from memanalysis.analysis.series.prepare import prepare_series
from memanalysis.analysis.trend.falls import find_large_falls, fit_slope, judge_falls

T = np.arange(60.0)


def judge(values, *, slope=1.0, early=False):
    batch = prepare_series(T[: values.size], values)
    falls_again, swings = judge_falls(batch, np.array([0]), slopes=np.array([slope]), early=np.array([early]))
    return bool(falls_again[0]), bool(swings[0])


@pytest.mark.slow
def test_the_lowest_samples_after_falls_that_compare_with_the_largest_are_found():
    values = np.array([10.0, 20, 30, 5, 15, 25, 24, 6, 16, 26, 21])  # falls by 25, by 19 over two steps, by 5

    places, largest = find_large_falls(values, min_share=0.5)

    assert places.tolist() == [3, 7]
    assert largest == 25


def test_what_never_falls_has_no_large_fall():
    places, largest = find_large_falls(np.arange(9.0), min_share=0.5)
    assert (places.size, largest) == (0, 0.0)


def test_a_slope_is_that_of_least_squares():
    values = np.random.default_rng(3).normal(size=60)
    assert fit_slope(T, values) == pytest.approx(np.polyfit(T, values, 1)[0])


def test_growth_after_a_fall_of_its_own_size_from_the_same_growth_may_fall_again():
    assert judge(100 + (T + 25) % 50) == (True, False)


def test_growth_that_has_clearly_outgrown_the_fall_is_not_doubted():
    assert judge(np.where(T < 10, 100 + T, 90 + T)) == (False, False)


def test_a_fall_from_other_growth_is_not_doubted():
    """What a program loads at its start, and drops, is no tooth of a saw."""
    assert judge(np.where(T < 8, 100 + 20 * T, 100 + T)) == (False, False)


def test_a_fall_in_the_first_samples_is_doubted_only_early():
    values = np.where(T < 2, 200 + T, 100 + T)
    assert judge(values, early=True) == (True, False)
    assert judge(values) == (False, False)


def test_a_fall_near_the_end_is_doubted():
    assert judge(np.where(T < 55, 100 + T, 60 + T)) == (True, False)


def test_many_falls_to_one_level_are_swings_and_to_rising_levels_are_not():
    tooth = T % 12
    assert judge(100 + tooth * (1 + T / 20)) == (False, True)
    assert judge(100 + 3 * tooth + T) == (False, False)
